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
const EGG = /^(?<stem>[^-]+-[^-]+)(-py[\d.]+)?(-.+)?\.egg$/;
/** What distutils built for Windows. */
const INSTALLER = /^(?<stem>.+)\.(win32|win-amd64|win-arm32|win-arm64|win-ia64)(-py[\d.]+)?\.(exe|msi)$/;
/** A version, with the post-release and the suffixes that old tools wrote behind another hyphen. */
const VERSION = /^v?\d[^-]*(-\d+|-(alpha|beta|rc|dev|post)[^-]*)?$/i;

/**
 * What the name of a distribution file says. Wheels have five or six parts
 * (https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention); an sdist's
 * version begins behind the first hyphen from which all the rest is one, since old ones have hyphens in their names.
 * @param project normalised: which project the file belongs to, where that is known; it settles where a name like
 * `foo-3-1.tar.gz` ends
 * Undefined for a name that is neither, or that could be a path.
 */
export function parseFilename(filename: string, project?: string): ParsedFilename | undefined {
  if (filename.length > 400 || !/^[A-Za-z0-9][\w.+!-]*$/.test(filename) || filename.includes('..')) return undefined;
  if (filename.endsWith('.whl')) {
    const parts = filename.slice(0, -'.whl'.length).split('-');
    // six parts with a build tag; longer names may come (PEP 825), and are let through
    if (parts.length < 5 || parts.length > 7) return undefined;
    return { project: normalizeName(parts[0]!), version: parts[1]!, kind: 'wheel' };
  }
  const splits = splitsOf(filename);
  const chosen = splits.find((split) => split.project === project) ?? splits[0];
  return chosen && { ...chosen, kind: 'sdist' };
}

/** Projects that a file may belong to, by its name alone, the likeliest first. */
export function projectsOf(filename: string): string[] {
  const parsed = parseFilename(filename);
  if (!parsed || parsed.kind === 'wheel') return parsed ? [parsed.project] : [];
  const plausible = splitsOf(filename).filter((split) => VERSION.test(split.version));
  return [...new Set([parsed.project, ...plausible.map((split) => split.project)])];
}

/** All ways to cut the name of a source archive in two, the likeliest first. */
function splitsOf(filename: string): { project: string; version: string }[] {
  const stem = (SDIST.exec(filename) ?? EGG.exec(filename) ?? INSTALLER.exec(filename))?.groups?.stem;
  if (stem === undefined) return [];
  const cuts = [...stem.matchAll(/-/g)].map(({ index }) => index).filter((cut) => cut > 0 && cut < stem.length - 1);
  const splits = cuts.map((cut) => ({ project: normalizeName(stem.slice(0, cut)), version: stem.slice(cut + 1) }));
  const plausible = splits.find((split) => VERSION.test(split.version));
  // a version that starts with a letter is none, and stands behind the last hyphen
  const likeliest = plausible ?? splits.at(-1);
  return likeliest ? [likeliest, ...splits.filter((split) => split !== likeliest)] : [];
}
