import { MirrorError } from '../../shared/model/errors.ts';
import { type Artifact, type ArtifactKind, type ArtifactVersion, isFilePath, isVersion, parseId } from './artifact.ts';

/** What an address of the catalog asks for, by the forms of the reference (§2.3). */
export type Asked =
  | { form: 'artifact' | 'versions'; artifact: Artifact }
  | (ArtifactVersion & { form: 'version' | 'files' | 'zip' | 'urls' | 'signature' })
  | (ArtifactVersion & { form: 'file'; path: string });

const KINDS = '(models|resources)';
/** `org/{org}[/team/{team}]/models/{name}…`: those with a key. */
const SCOPED = new RegExp(`^/v2/org/([^/]+)(?:/team/([^/]+))?/${KINDS}/([^/]+)(/.*)?$`, 's');
/** `models/org/{org}[/team/{team}]/{name}…`: guests, with the words. */
const WORDED = new RegExp(`^/v2/${KINDS}/org/([^/]+)(?:/team/([^/]+))?/([^/]+)(/.*)?$`, 's');
/** `models/{org}[/{team}]/{name}`, and the same with what follows it. */
const GUEST = new RegExp(`^/v2/${KINDS}/([^/]+)(?:/([^/]+))?/([^/]+)$`);
const GUEST_VERSIONS = new RegExp(`^/v2/${KINDS}/([^/]+)(?:/([^/]+))?/([^/]+)(/versions(?:/.*)?)$`, 's');
const GUEST_FILES = new RegExp(`^/v2/${KINDS}/([^/]+)(?:/([^/]+))?/([^/]+)(/[^/]+/files)$`);

/**
 * Reads a path as it came on the wire: doubled slashes and one at the end mean nothing, `+` is a plus, and each part is
 * decoded once. Undefined: it is none of the catalog's. Throws `bad-request` for names, versions and paths that are none,
 * `URIError` for a broken escape (which errors are rendered as one).
 */
export function parseAddress(rawPath: string): Asked | undefined {
  const path = rawPath.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
  const split = splitScoped(path) ?? splitGuest(path);
  if (!split) return undefined;
  const { kind, org, team, name, rest } = split;
  const id = [org, team, name].filter((part) => part !== undefined).map((part) => decodeURIComponent(part));
  const artifact = id.some((part) => part.includes('/')) ? undefined : parseId(kind, id.join('/'));
  if (!artifact) throw badName('model', `"${id.join('/').slice(0, 200)}" is no name of a model or a resource`);
  return parseRest(artifact, rest);
}

interface Split {
  kind: ArtifactKind;
  org: string;
  team?: string;
  name: string;
  /** `''`, or what follows the name, a slash first. */
  rest: string;
}

function splitScoped(path: string): Split | undefined {
  const [, org, team, kind, name, rest = ''] = SCOPED.exec(path) ?? [];
  return org && name ? { kind: kind as ArtifactKind, org, team, name, rest } : undefined;
}

function splitGuest(path: string): Split | undefined {
  const found = WORDED.exec(path) ?? GUEST_VERSIONS.exec(path) ?? GUEST_FILES.exec(path) ?? GUEST.exec(path);
  const [, kind, org, team, name, rest = ''] = found ?? [];
  return org && name ? { kind: kind as ArtifactKind, org, team, name, rest } : undefined;
}

function parseRest(artifact: Artifact, rest: string): Asked | undefined {
  if (rest === '') return { form: 'artifact', artifact };
  if (rest === '/versions') return { form: 'versions', artifact };
  const [, raw, verb = '', tail] = /^\/versions\/([^/]+)(?:\/(files|zip|signature)(?:\/(.*))?)?$/s.exec(rest) ?? [];
  if (raw !== undefined) {
    const of = { artifact, version: versionOf(raw) };
    if (verb === 'files' && tail !== undefined) return { ...of, form: 'file', path: pathOf(decodeURIComponent(tail)) };
    if (tail !== undefined) return undefined;
    return { ...of, form: verb === '' ? 'version' : (verb as 'files' | 'zip' | 'signature') };
  }
  const [, bare, word] = /^\/([^/]+)\/(files|zip)$/.exec(rest) ?? [];
  if (bare === undefined) return undefined;
  return { artifact, version: versionOf(bare), form: word === 'files' ? 'urls' : 'zip' };
}

function versionOf(raw: string): string {
  const version = decodeURIComponent(raw);
  if (!isVersion(version)) throw badName('version', `"${version.slice(0, 200)}" is no version`);
  return version;
}

/** Throws `bad-request` for a path that is none, or leads out of its version. */
export function pathOf(path: string): string {
  if (isFilePath(path)) return path;
  throw badName('file', 'a path in a version has no empty, "." or ".." parts, no "\\" and no control characters');
}

function badName(subject: string, message: string): MirrorError {
  return new MirrorError('bad-request', subject, message);
}
