import { compareVersions, isPrerelease, parseVersion, type Version } from './pep440.ts';

interface Clause {
  operator: '~=' | '==' | '!=' | '<=' | '>=' | '<' | '>' | '===';
  text: string;
  /** Unset for `===`. */
  version?: Version;
  /** `==1.2.*` */
  prefix: boolean;
}

/** A set of clauses that all must hold; empty means any version. */
export interface SpecifierSet {
  clauses: readonly Clause[];
}

const CLAUSE = /^(~=|===|==|!=|<=|>=|<|>)\s*([^\s]+)$/;

/** Undefined when a clause is none. */
export function parseSpecifiers(text: string): SpecifierSet | undefined {
  const clauses: Clause[] = [];
  for (const part of text
    .split(',')
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '')) {
    const match = CLAUSE.exec(part);
    if (!match) return undefined;
    const operator = match[1] as Clause['operator'];
    const raw = match[2]!;
    if (operator === '===') {
      clauses.push({ operator, text: raw, prefix: false });
      continue;
    }
    const prefix = raw.endsWith('.*');
    const version = parseVersion(prefix ? raw.slice(0, -2) : raw);
    if (!version || (prefix && operator !== '==' && operator !== '!=')) return undefined;
    // "~= … MUST NOT be used with a single segment version number"
    if (operator === '~=' && version.release.length < 2) return undefined;
    clauses.push({ operator, text: raw, version, prefix });
  }
  return { clauses };
}

/**
 * True when a version satisfies every clause.
 * @param prereleases take pre-releases although no clause names one
 */
export function satisfies(text: string, set: SpecifierSet, options: { prereleases?: boolean } = {}): boolean {
  const version = parseVersion(text);
  if (version && isPrerelease(version) && !(options.prereleases ?? namesPrerelease(set))) return false;
  return set.clauses.every((clause) => holds(clause, text, version));
}

function namesPrerelease(set: SpecifierSet): boolean {
  return set.clauses.some(
    ({ operator, version }) => version !== undefined && isPrerelease(version) && operator !== '!=' && operator !== '<',
  );
}

function holds(clause: Clause, text: string, version: Version | undefined): boolean {
  if (clause.operator === '===') return text.trim().toLowerCase() === clause.text.toLowerCase();
  if (!version) return false;
  const wanted = clause.version!;
  switch (clause.operator) {
    case '==':
      return equals(version, wanted, clause.prefix);
    case '!=':
      return !equals(version, wanted, clause.prefix);
    case '~=':
      return (
        compareVersions(publicOf(version), wanted) >= 0 &&
        startsWith(version, {
          ...wanted,
          release: wanted.release.slice(0, -1),
          pre: undefined,
          post: undefined,
          dev: undefined,
        })
      );
    case '<=':
      return compareVersions(publicOf(version), wanted) <= 0;
    case '>=':
      return compareVersions(publicOf(version), wanted) >= 0;
    case '<':
      return isBefore(version, wanted);
    case '>':
      return isAfter(version, wanted);
  }
}

/** "<V MUST NOT allow a pre-release of the specified version unless the specified version is itself a pre-release." */
function isBefore(version: Version, wanted: Version): boolean {
  if (compareVersions(version, wanted) >= 0) return false;
  return isPrerelease(wanted) || !isPrerelease(version) || compareVersions(baseOf(version), baseOf(wanted)) !== 0;
}

/** ">V MUST NOT allow a post-release of the given version unless V itself is a post release", nor a local version of it. */
function isAfter(version: Version, wanted: Version): boolean {
  if (compareVersions(version, wanted) <= 0) return false;
  const sameBase = compareVersions(baseOf(version), baseOf(wanted)) === 0;
  if (wanted.post === undefined && version.post !== undefined && sameBase) return false;
  return version.local === undefined || !sameBase;
}

function equals(version: Version, wanted: Version, prefix: boolean): boolean {
  if (prefix) return startsWith(version, wanted);
  // "If the specified version identifier is a public version identifier …, then the local version … MUST be ignored"
  return compareVersions(wanted.local ? version : publicOf(version), wanted) === 0;
}

/** The version padded with zeros, cut to the prefix's length, is the prefix. */
function startsWith(version: Version, prefix: Version): boolean {
  if (version.epoch !== prefix.epoch) return false;
  const release = prefix.release.map((_, index) => version.release[index] ?? 0);
  if (release.some((part, index) => part !== prefix.release[index])) return false;
  if (prefix.pre === undefined && prefix.post === undefined && prefix.dev === undefined) return true;
  const same = {
    ...prefix,
    post: prefix.post === undefined ? undefined : version.post,
    pre: version.pre,
    dev: prefix.dev === undefined ? undefined : version.dev,
  };
  return compareVersions({ ...same, local: undefined }, prefix) === 0 && compareRest(version, prefix);
}

function compareRest(version: Version, prefix: Version): boolean {
  return (
    prefix.release.length >= version.release.length ||
    version.release.slice(prefix.release.length).every((part) => part === 0)
  );
}

function publicOf(version: Version): Version {
  return { ...version, local: undefined };
}

function baseOf(version: Version): Version {
  return {
    epoch: version.epoch,
    release: version.release,
    pre: undefined,
    post: undefined,
    dev: undefined,
    local: undefined,
  };
}
