import { MirrorError } from '../../shared/model/errors.ts';
import { isPackageName, tarballName, versionInTarballName } from './package-name.ts';
import { escaped } from './refs.ts';

/** What an address of the read path asks for. */
export type Asked =
  | { kind: 'packument'; name: string }
  /** A version or a tag. */
  | { kind: 'version'; name: string; version: string }
  | { kind: 'tarball'; name: string; version: string }
  | { kind: 'dist-tags'; name: string };

/** `@scope` and an escaped slash: the one slash that may be hidden. */
const SCOPE = /(^|\/)(?:@|%40)([^/%@]+)(?:%2f|\/)/gi;
const HIDDEN = /\/\/|%2f|%5c|%0\w|%1\w|%7f|\\|(^|\/)(\.|%2e){1,2}(\/|$)/i;

/**
 * The path of an address as it came on the wire, with the slash of a scope written plainly, however it came:
 * `/@s/n`, `/@s%2fn`, `/%40s%2Fn`. Throws `bad-request` for hidden slashes, empty parts, dots and control characters:
 * whoever sends one is looking for a way out.
 */
export function plainPath(url: string): string {
  const path = url.split(/[?#]/, 1)[0]!.replace(SCOPE, '$1@$2/');
  if (!HIDDEN.test(path)) return path;
  const message = 'an address has no hidden slashes, no empty parts, no dots for a part and no control characters';
  throw new MirrorError('bad-request', 'address', message);
}

/**
 * What a path asks for; undefined when it is none of the read path's. Throws `not-found` for what has the form of one and
 * names no package, `URIError` for a broken escape (which errors are rendered as one).
 */
export function parseAddress(path: string): Asked | undefined {
  const parts = path.slice(1).split('/').map(decoded);
  if (parts.at(-1) === '') parts.pop();
  if (parts[0] === '-') return parseDistTags(parts);
  const [name, ...rest] = joined(parts);
  if (name === undefined) return undefined;
  if (!isPackageName(name)) throw noPackage(name);
  if (rest.length === 0) return { kind: 'packument', name };
  if (rest[0] === '-') return parseTarball(name, rest.slice(1));
  return rest.length === 1 ? { kind: 'version', name, version: rest[0]! } : undefined;
}

/** `/-/package/<name>/dist-tags` */
function parseDistTags(parts: readonly string[]): Asked | undefined {
  if (parts[1] !== 'package' || parts.at(-1) !== 'dist-tags') return undefined;
  const [name, ...rest] = joined(parts.slice(2, -1));
  if (name === undefined || rest.length > 0) return undefined;
  if (!isPackageName(name)) throw noPackage(name);
  return { kind: 'dist-tags', name };
}

/** `<name>/-/<file>`; lock files of some registries repeat the scope before the file. */
function parseTarball(name: string, rest: readonly string[]): Asked | undefined {
  const file = rest.at(-1) ?? '';
  const repeats = rest.length === 2 && name.startsWith(`${rest[0]}/`);
  if (rest.length !== 1 && !repeats) return undefined;
  const version = versionInTarballName(name, file);
  if (version !== undefined) return { kind: 'tarball', name, version };
  const message = `"${file.slice(0, 300)}" is no tarball of "${name}": those are called ${tarballName(name, '1.2.3')}`;
  throw new MirrorError('not-found', 'tarball', message);
}

/** A scope and what follows it are one name. */
function joined(parts: readonly string[]): string[] {
  if (!parts[0]?.startsWith('@')) return [...parts];
  return [parts.slice(0, 2).join('/'), ...parts.slice(2)];
}

function decoded(part: string): string {
  return part.includes('%') ? decodeURIComponent(part) : part;
}

function noPackage(name: string): MirrorError {
  return new MirrorError('not-found', 'package', `"${name.slice(0, 214)}" is no name of a package`);
}

/** Where we have a tarball, whatever its origin calls it. @param base without a slash at its end */
export function tarballUrl(base: string, name: string, version: string): string {
  return `${base}/${name}/-/${tarballName(name, version)}`;
}

/** Where we have the attestations of a version: npm takes no more of `dist.attestations.url` than its path. */
export function attestationsUrl(base: string, name: string, version: string): string {
  return `${base}/-/npm/v1/attestations/${escaped(name)}@${version}`;
}
