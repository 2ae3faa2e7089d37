/** Longest name there is ("must be less than or equal to 214 characters", package.json's documentation of npm). */
const LONGEST = 214;
const PART = /^[A-Za-z0-9._~!'()*-]+$/;
const VERSION = /^[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?$/;

/** `@types` of `@types/node`; undefined for a name without a scope. */
export function scopeOf(name: string): string | undefined {
  return name.startsWith('@') ? name.slice(0, name.indexOf('/')) : undefined;
}

/** `node` of `@types/node`. */
export function unscoped(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/**
 * True for a name that a registry may have, old ones with capitals included: at most one slash, behind a scope; nothing
 * that could be taken for a path or for an address of the registry itself (`-`).
 */
export function isPackageName(name: string): boolean {
  if (name.length === 0 || name.length > LONGEST) return false;
  const parts = name.startsWith('@') ? name.slice(1).split('/') : [name];
  if (parts.length !== (name.startsWith('@') ? 2 : 1)) return false;
  return parts.every((part) => PART.test(part) && !/^[._-]/.test(part));
}

/** True for `1.2.3`, `1.2.3-rc.1`: what stands in file names and keys. */
export function isVersion(text: string): boolean {
  return text.length <= 256 && VERSION.test(text);
}

/** `node-24.1.0.tgz`: what npm calls the tarball of `@types/node` 24.1.0. */
export function tarballName(name: string, version: string): string {
  return `${unscoped(name)}-${version}.tgz`;
}

/** The version in the name of a tarball of ours; undefined when it is none of this package. */
export function versionInTarballName(name: string, file: string): string | undefined {
  const prefix = `${unscoped(name)}-`;
  if (!file.startsWith(prefix) || !file.endsWith('.tgz')) return undefined;
  const version = file.slice(prefix.length, -'.tgz'.length);
  return isVersion(version) ? version : undefined;
}
