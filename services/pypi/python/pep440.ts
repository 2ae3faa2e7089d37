/**
 * Versions and specifiers of Python distributions (PEP 440,
 * https://packaging.python.org/en/latest/specifications/version-specifiers/).
 */
export interface Version {
  epoch: number;
  release: number[];
  pre: ['a' | 'b' | 'rc', number] | undefined;
  post: number | undefined;
  dev: number | undefined;
  local: (string | number)[] | undefined;
}

const VERSION =
  /^\s*v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?:[-_.]?(?<preName>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?<preNumber>\d+)?)?(?:-(?<postOnly>\d+)|[-_.]?(?<postName>post|rev|r)[-_.]?(?<postNumber>\d+)?)?(?<dev>[-_.]?dev[-_.]?(?<devNumber>\d+)?)?(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$/i;

const PRE = { a: 'a', alpha: 'a', b: 'b', beta: 'b', c: 'rc', rc: 'rc', pre: 'rc', preview: 'rc' } as const;

/** Undefined for what is no version. */
export function parseVersion(text: string): Version | undefined {
  const groups = VERSION.exec(text)?.groups;
  if (!groups) return undefined;
  const { epoch, release, preName, preNumber, postOnly, postName, postNumber, dev, devNumber, local } = groups;
  return {
    epoch: Number(epoch ?? 0),
    release: release!.split('.').map(Number),
    pre: preName ? [PRE[preName.toLowerCase() as keyof typeof PRE], Number(preNumber ?? 0)] : undefined,
    post: postOnly !== undefined ? Number(postOnly) : postName !== undefined ? Number(postNumber ?? 0) : undefined,
    dev: dev !== undefined ? Number(devNumber ?? 0) : undefined,
    local: local
      ?.toLowerCase()
      .split(/[-_.]/)
      .map((part) => (/^\d+$/.test(part) ? Number(part) : part)),
  };
}

/** The normal form of a version's text. */
export function formatVersion(version: Version): string {
  const { epoch, release, pre, post, dev, local } = version;
  return `${epoch ? `${epoch}!` : ''}${release.join('.')}${pre ? pre.join('') : ''}${post !== undefined ? `.post${post}` : ''}${dev !== undefined ? `.dev${dev}` : ''}${local ? `+${local.join('.')}` : ''}`;
}

/** Normal form of what may be a version, or the text as it is. */
export function normalizeVersion(text: string): string {
  const version = parseVersion(text);
  return version ? formatVersion(version) : text;
}

export function isPrerelease(version: Version): boolean {
  return version.pre !== undefined || version.dev !== undefined;
}

/** Below 0 when `one` comes first. */
export function compareVersions(one: Version, other: Version): number {
  return (
    one.epoch - other.epoch ||
    compareRelease(one.release, other.release) ||
    compareLists(preKey(one), preKey(other)) ||
    (one.post ?? -1) - (other.post ?? -1) ||
    (one.dev ?? Number.MAX_SAFE_INTEGER) - (other.dev ?? Number.MAX_SAFE_INTEGER) ||
    compareLocal(one.local, other.local)
  );
}

/** "1.0" and "1.0.0" are one version. */
function compareRelease(one: readonly number[], other: readonly number[]): number {
  for (let index = 0; index < Math.max(one.length, other.length); index += 1) {
    const difference = (one[index] ?? 0) - (other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** dev releases come before pre-releases, those before the release. */
function preKey({ pre, post, dev }: Version): number[] {
  if (pre) return [{ a: 1, b: 2, rc: 3 }[pre[0]], pre[1]];
  return post === undefined && dev !== undefined ? [0, 0] : [4, 0];
}

function compareLists(one: readonly number[], other: readonly number[]): number {
  return one[0]! - other[0]! || one[1]! - other[1]!;
}

/** None first; numbers after words; a shorter one first. */
function compareLocal(one: Version['local'], other: Version['local']): number {
  if (!one || !other) return (one ? 1 : 0) - (other ? 1 : 0);
  for (let index = 0; index < Math.max(one.length, other.length); index += 1) {
    const [a, b] = [one[index], other[index]];
    if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
    if (a === b) continue;
    if (typeof a === typeof b) return a < b ? -1 : 1;
    return typeof a === 'number' ? 1 : -1;
  }
  return 0;
}
