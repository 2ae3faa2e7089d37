import { MirrorError } from '../../shared/model/errors.ts';
import { isFilePath, isRepoId, type Repo, type RepoType } from './repo.ts';

/** What an address of a file names. */
export interface FileAddress extends Repo {
  verb: 'resolve' | 'raw';
  rev: string;
  path: string;
}

/** What an address below /api names: a repo, and what is asked of it. */
export interface ApiAddress extends Repo {
  /** `''` for the repo itself; `revision`, `tree`, `refs`, … */
  verb: string;
  /** What follows the verb, decoded; '' for nothing. */
  rest: string;
}

/** Decodes once; throws `bad-request` for a broken escape. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new MirrorError('bad-request', 'address', 'the address has a broken %-escape');
  }
}

const FILE = /^\/(?:(datasets|spaces|models)\/)?((?:[^/]+\/)?[^/]+)\/(resolve|raw|blob)\/(.+)$/;

/**
 * `/{prefix}{id}/resolve|raw/{rev}/{path}`. A revision may hold a slash, raw or as %2F: `refs/pr/1`, `refs/convert/x`.
 * Undefined: it is no address of a file. Throws `bad-request` for one that tries to leave its repo.
 */
export function parseFileAddress(pathname: string): FileAddress | undefined {
  const match = FILE.exec(pathname);
  if (!match) return undefined;
  const [, prefix = 'models', rawId, verb, tail] = match as unknown as [
    string,
    RepoType | undefined,
    string,
    string,
    string,
  ];
  const id = decoded(rawId);
  if (!isRepoId(id) || verb === 'blob') return undefined;
  const { rev, path } = splitRevision(tail);
  if (!isFilePath(path)) {
    throw new MirrorError(
      'bad-request',
      'file',
      'a path in a repo has no empty, ".", ".." or ".git" parts and no control characters',
    );
  }
  return { type: prefix, id, verb: verb as 'resolve' | 'raw', rev, path };
}

/** Takes a revision off the front of what follows `/resolve/`, `/tree/`, `/paths-info/`; decodes both once. */
export function splitRevision(tail: string): { rev: string; path: string } {
  const special = /^(refs(?:\/|%2[fF])(?:pr|convert|heads|tags)(?:\/|%2[fF])[^/]+)(?:\/(.*))?$/.exec(tail);
  const plain = special ?? /^([^/]*)(?:\/(.*))?$/s.exec(tail)!;
  return { rev: revisionOf(decoded(plain[1]!)), path: decoded(plain[2] ?? '').replace(/\/+$/, '') };
}

/** One revision by its several names: `HEAD` and `refs/heads/x` are branches, `refs/tags/x` a tag. */
export function revisionOf(text: string): string {
  if (text === 'HEAD' || text === '') return 'main';
  return text.replace(/^refs\/(heads|tags)\//, '');
}

const VERBS =
  'revision|tree|paths-info|refs|commits|auth-check|xet-read-token|xet-write-token|discussions|preupload|commit|branch|tag|settings|compare|likers|security-status|notebook|super-squash|resolve-cache|user-access-request|scan|treesize|lfs-files';
const API = new RegExp(`^/api/(models|datasets|spaces)/((?:[^/]+/)?[^/]+?)(?:/(${VERBS})(?:/(.*))?)?/?$`, 's');

/** `/api/{type}/{id}[/{verb}[/{rest}]]`. `rest` stays as it was written: some of it holds a revision. */
export function parseApiAddress(pathname: string): ApiAddress | undefined {
  const match = API.exec(pathname);
  if (!match) return undefined;
  const [, type, rawId, verb = '', rest = ''] = match as unknown as [string, RepoType, string, string?, string?];
  const id = decoded(rawId);
  return isRepoId(id) ? { type, id, verb, rest: rest.replace(/\/+$/, '') } : undefined;
}
