import { MirrorError } from '../../shared/model/errors.ts';

/** As the API spells it: part of every address and key. */
export const REPO_TYPES = ['models', 'datasets', 'spaces'] as const;
export type RepoType = (typeof REPO_TYPES)[number];

/** Which repo. */
export interface Repo {
  type: RepoType;
  /** `org/name`, or one name for the oldest. */
  id: string;
}

/** A segment of an id, by the hub's own rule: letters, digits, `-`, `_`, `.`; no `--` or `..`, no `.` or `-` at either end. */
const SEGMENT = /^(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;

/** True for `name` and `org/name`. */
export function isRepoId(id: string): boolean {
  const segments = id.split('/');
  return segments.length <= 2 && segments.every((segment) => SEGMENT.test(segment)) && !id.endsWith('.git');
}

/** Throws `bad-request` for an id that is none. */
export function checkRepoId(id: string): string {
  if (isRepoId(id)) return id;
  throw new MirrorError(
    'bad-request',
    'repository',
    `"${id.slice(0, 100)}" is no repo id: "name" or "org/name" of letters, digits, "-", "_" and "." (96 each), no "--" or ".."`,
  );
}

/** A path inside a repo: no way out of it, nothing hidden. */
export function isFilePath(path: string): boolean {
  if (path === '' || path.length > 1024 || path.startsWith('/') || hasControls(path)) return false;
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && name !== '.git');
}

/** A branch or a tag, as git allows them (https://git-scm.com/docs/git-check-ref-format), short of its oddities. */
export function isRevision(rev: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_./+@-]{0,254}$/.test(rev) && !/\.\.|\/\/|@\{|\.lock$|[./]$/.test(rev);
}

export function isCommit(rev: string): boolean {
  return /^[0-9a-f]{40}$/.test(rev);
}

/** The prefix of file addresses: nothing for models. */
export function filePrefix(type: RepoType): string {
  return type === 'models' ? '' : `${type}/`;
}

/** The item type of a manifest that brings repos of this type. */
export function itemTypeOf(type: RepoType): 'hf' | 'hf-dataset' | 'hf-space' {
  return type === 'models' ? 'hf' : type === 'datasets' ? 'hf-dataset' : 'hf-space';
}

/** What a person calls it. */
export function labelOf({ type, id }: Repo): string {
  return type === 'models' ? id : `${type.slice(0, -1)} ${id}`;
}

/** True when `*` patterns name this id. */
export function matchesAny(id: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => globRegExp(pattern).test(id));
}

/** `*` any characters, `?` one, `[…]` one of these, as Python's fnmatch has it: what the hub's clients use. */
export function globRegExp(pattern: string): RegExp {
  const text = pattern.replace(/\[(!?)([^\]]+)\]|[*?]|[\\^$.|+(){}[\]]/g, (found, not: string, set: string) => {
    if (found === '*') return '.*';
    if (found === '?') return '.';
    if (set !== undefined) return `[${not ? '^' : ''}${set.replaceAll('\\', '\\\\')}]`;
    return `\\${found}`;
  });
  return new RegExp(`^${text}$`, 's');
}

function hasControls(text: string): boolean {
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code < 0x20 || code === 0x7f || char === '\\') return true;
  }
  return false;
}
