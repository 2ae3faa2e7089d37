/**
 * Versions and specifiers of Python distributions (PEP 440,
 * https://packaging.python.org/en/latest/specifications/version-specifiers/).
 */
export interface Version {
  epoch: Count;
  release: Count[];
  pre: ['a' | 'b' | 'rc', Count] | undefined;
  post: Count | undefined;
  dev: Count | undefined;
  local: (string | Count)[] | undefined;
}

/** Development releases are counted by time stamps that a number cannot hold. */
type Count = number | bigint;

const VERSION =
  /^\s*v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?:[-_.]?(?<preName>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?<preNumber>\d+)?)?(?:-(?<postOnly>\d+)|[-_.]?(?<postName>post|rev|r)[-_.]?(?<postNumber>\d+)?)?(?<dev>[-_.]?dev[-_.]?(?<devNumber>\d+)?)?(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$/i;

const PRE = { a: 'a', alpha: 'a', b: 'b', beta: 'b', c: 'rc', rc: 'rc', pre: 'rc', preview: 'rc' } as const;

/** Undefined for what is no version. */
export function parseVersion(text: string): Version | undefined {
  const groups = VERSION.exec(text)?.groups;
  if (!groups) return undefined;
  const { epoch, release, preName, preNumber, postOnly, postName, postNumber, dev, devNumber, local } = groups;
  return {
    epoch: count(epoch),
    release: release!.split('.').map(count),
    pre: preName ? [PRE[preName.toLowerCase() as keyof typeof PRE], count(preNumber)] : undefined,
    post: postOnly !== undefined ? count(postOnly) : postName !== undefined ? count(postNumber) : undefined,
    dev: dev !== undefined ? count(devNumber) : undefined,
    local: local
      ?.toLowerCase()
      .split(/[-_.]/)
      .map((part) => (/^\d+$/.test(part) ? count(part) : part)),
  };
}

/** "Implicit" numbers are 0. */
function count(digits: string | undefined): Count {
  const value = Number(digits ?? 0);
  return Number.isSafeInteger(value) ? value : BigInt(digits!);
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

/** Below 0 when `one` comes first; 0 for "1.0" and "1.0.0". */
export function compareVersions(one: Version, other: Version): number {
  return (
    order(one.epoch, other.epoch) ||
    compareRelease(one.release, other.release) ||
    comparePre(one, other) ||
    order(one.post ?? -1, other.post ?? -1) ||
    order(one.dev ?? Number.POSITIVE_INFINITY, other.dev ?? Number.POSITIVE_INFINITY) ||
    compareLocal(one.local, other.local)
  );
}

function order(one: Count | string, other: Count | string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function compareRelease(one: readonly Count[], other: readonly Count[]): number {
  for (let index = 0; index < Math.max(one.length, other.length); index += 1) {
    const difference = order(one[index] ?? 0, other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Development releases come before pre-releases, those before the release. */
function comparePre(one: Version, other: Version): number {
  return order(stageOf(one), stageOf(other)) || order(one.pre?.[1] ?? 0, other.pre?.[1] ?? 0);
}

function stageOf({ pre, post, dev }: Version): number {
  if (pre) return { a: 1, b: 2, rc: 3 }[pre[0]];
  return post === undefined && dev !== undefined ? 0 : 4;
}

/** None first; numbers after words; a shorter one first. */
function compareLocal(one: Version['local'], other: Version['local']): number {
  if (!one || !other) return (one ? 1 : 0) - (other ? 1 : 0);
  for (let index = 0; index < Math.max(one.length, other.length); index += 1) {
    const [a, b] = [one[index], other[index]];
    if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
    const [aIsWord, bIsWord] = [typeof a === 'string', typeof b === 'string'];
    const difference = aIsWord === bIsWord ? order(a, b) : aIsWord ? -1 : 1;
    if (difference !== 0) return difference;
  }
  return 0;
}
