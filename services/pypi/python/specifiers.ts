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

const CLAUSE = /^(~=|===|==|!=|<=|>=|<|>)\s*([^\s;)]*)$/;

/**
 * Reads version specifiers (PEP 440,
 * https://packaging.python.org/en/latest/specifications/version-specifiers/#version-specifiers), by commas.
 * Undefined when a clause is none.
 */
export function parseSpecifiers(text: string): SpecifierSet | undefined {
  const parts = text.split(',').map((part) => part.trim());
  const clauses = parts.filter((part) => part !== '').map(parseClause);
  return clauses.every((clause) => clause !== undefined) ? { clauses } : undefined;
}

function parseClause(part: string): Clause | undefined {
  const match = CLAUSE.exec(part);
  if (!match) return undefined;
  const [, operator, text] = match as unknown as [string, Clause['operator'], string];
  if (operator === '===') return { operator, text, prefix: false };
  const isEquality = operator === '==' || operator === '!=';
  const prefix = isEquality && text.endsWith('.*');
  const version = parseVersion(prefix ? text.slice(0, -2) : text);
  if (!version) return undefined;
  // "Local version identifiers are NOT permitted" with other operators, nor is a prefix of anything but a release
  if (version.local && (!isEquality || prefix)) return undefined;
  if (prefix && (version.pre || version.post !== undefined || version.dev !== undefined)) return undefined;
  // "This operator MUST NOT be used with a single segment version number"
  if (operator === '~=' && version.release.length < 2) return undefined;
  return { operator, text, version, prefix };
}

/**
 * True when a version satisfies every clause.
 * @param options.prereleases take pre-releases although no clause names one
 */
export function satisfies(text: string, set: SpecifierSet, options: { prereleases?: boolean } = {}): boolean {
  const version = parseVersion(text);
  if (version && isPrerelease(version) && !(options.prereleases ?? namesPrerelease(set))) return false;
  return set.clauses.every((clause) => holds(clause, text, version));
}

/**
 * The versions that an installer would consider: "Pre-releases … are implicitly excluded from all version specifiers,
 * unless they are already present on the system, explicitly requested by the user, or if the only available version
 * that satisfies the version specifier is a pre-release."
 */
export function filterVersions(texts: readonly string[], set: SpecifierSet): string[] {
  const all = texts.filter((text) => satisfies(text, set, { prereleases: true }));
  if (namesPrerelease(set)) return all;
  const final = all.filter((text) => {
    const version = parseVersion(text);
    return !version || !isPrerelease(version);
  });
  return final.length > 0 ? final : all;
}

function namesPrerelease(set: SpecifierSet): boolean {
  return set.clauses.some(({ operator, text, version }) => {
    const named = operator === '===' ? parseVersion(text) : version;
    return operator !== '!=' && named !== undefined && isPrerelease(named);
  });
}

function holds(clause: Clause, text: string, version: Version | undefined): boolean {
  if (clause.operator === '===') return text.toLowerCase() === clause.text.toLowerCase();
  if (!version) return false;
  const wanted = clause.version!;
  switch (clause.operator) {
    case '==':
      return equals(version, wanted, clause.prefix);
    case '!=':
      return !equals(version, wanted, clause.prefix);
    case '~=':
      return compareVersions(publicOf(version), wanted) >= 0 && startsWith(version, wanted, wanted.release.length - 1);
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

function equals(version: Version, wanted: Version, prefix: boolean): boolean {
  if (prefix) return startsWith(version, wanted, wanted.release.length);
  // "If the specified version identifier is a public version identifier …, then the local version … MUST be ignored"
  return compareVersions(wanted.local ? version : publicOf(version), wanted) === 0;
}

/** The first `length` parts of the release, padded with zeros, are those wanted. */
function startsWith(version: Version, wanted: Version, length: number): boolean {
  if (version.epoch !== wanted.epoch) return false;
  return wanted.release.slice(0, length).every((part, index) => (version.release[index] ?? 0) === part);
}

/** "<V MUST NOT allow a pre-release of the specified version unless the specified version is itself a pre-release." */
function isBefore(version: Version, wanted: Version): boolean {
  if (compareVersions(version, wanted) >= 0) return false;
  if (isPrerelease(wanted) || !isPrerelease(version)) return true;
  // those of a post-release are its development releases alone
  if (wanted.post !== undefined && (version.pre || version.post !== wanted.post)) return true;
  return compareVersions(releaseOf(version), releaseOf(wanted)) !== 0;
}

/**
 * ">V MUST NOT allow a post-release of the given version unless V itself is a post release", and "MUST NOT match a
 * local version of the specified version".
 */
function isAfter(version: Version, wanted: Version): boolean {
  if (compareVersions(publicOf(version), wanted) <= 0) return false;
  if (wanted.post !== undefined || version.post === undefined) return true;
  return compareVersions({ ...publicOf(version), post: undefined, dev: undefined }, wanted) !== 0;
}

function publicOf(version: Version): Version {
  return { ...version, local: undefined };
}

function releaseOf({ epoch, release }: Version): Version {
  return { epoch, release, pre: undefined, post: undefined, dev: undefined, local: undefined };
}
