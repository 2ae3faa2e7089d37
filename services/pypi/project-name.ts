/** PEP 503: "the name should be lowercased with all runs of the characters ., -, or _ replaced with a single -". */
export function normalizeName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

/** PEP 508's form of a name, before it is normalised. */
export function isName(name: string): boolean {
  return name.length <= 200 && /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name);
}

export interface ParsedFilename {
  /** Normalised. */
  project: string;
  version: string;
  kind: 'wheel' | 'sdist';
}

const SDIST = /^(?<stem>.+)\.(tar\.gz|tgz|tar\.bz2|tar\.xz|tar\.Z|tar|zip)$/;
const EGG = /^(?<stem>[^-]+-[^-]+)(-py[\d.]+)?(-.+)?\.(egg|exe)$/;

/**
 * What the name of a distribution file says. Wheels have five or six parts
 * (https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention); an sdist's
 * version begins behind the last hyphen that a digit follows, since old ones have hyphens in their names.
 * Undefined for a name that is neither, or that could be a path.
 */
export function parseFilename(filename: string): ParsedFilename | undefined {
  if (filename.length > 400 || !/^[A-Za-z0-9][\w.+!-]*$/.test(filename) || filename.includes('..')) return undefined;
  if (filename.endsWith('.whl')) {
    const parts = filename.slice(0, -'.whl'.length).split('-');
    // six parts with a build tag; longer names may come (PEP 825), and are let through
    if (parts.length < 5 || parts.length > 7) return undefined;
    return { project: normalizeName(parts[0]!), version: parts[1]!, kind: 'wheel' };
  }
  const stem = (SDIST.exec(filename) ?? EGG.exec(filename))?.groups?.stem;
  if (stem === undefined) return undefined;
  const split =
    /^(?<name>.+?)-(?<version>v?\d[^-]*(-\d+|-(alpha|beta|rc|dev|post)[^-]*)?)$/i.exec(stem) ??
    /^(?<name>.+)-(?<version>[^-]+)$/.exec(stem);
  if (!split?.groups) return undefined;
  return { project: normalizeName(split.groups.name!), version: split.groups.version!, kind: 'sdist' };
}
