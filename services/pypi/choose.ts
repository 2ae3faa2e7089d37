import { parseFilename } from './project-name.ts';
import { type FileRecord, isWheel, type ProjectPage } from './project-page.ts';
import { compareVersions, isPrerelease, parseVersion } from './python/pep440.ts';
import { parseSpecifiers, satisfies } from './python/specifiers.ts';
import { fitOf, type Target } from './python/target.ts';
import { parseWheelName } from './python/wheel-name.ts';

/** Files of one project: its name settles where that of an old sdist ends. */
type Files = Pick<ProjectPage, 'name' | 'files'>;

/** True when a file may be installed by the target's Python. */
export function fitsPython(file: FileRecord, target: Target): boolean {
  const set = file['requires-python'] ? parseSpecifiers(file['requires-python']) : undefined;
  // what cannot be read does not keep a file away: installers do the same
  return set === undefined || satisfies(target.environment.values.python_full_version!, set, { prereleases: true });
}

/** The wheel that an installer of this target would take; of those that fit alike the one with the higher build tag. */
export function bestWheel(files: readonly FileRecord[], target: Target): FileRecord | undefined {
  const fitting = files
    .filter((file) => isWheel(file.filename) && fitsPython(file, target))
    .map((file) => ({ file, fit: fitOf(file.filename, target), build: parseWheelName(file.filename)?.build }))
    .filter((one): one is typeof one & { fit: number } => one.fit !== undefined);
  fitting.sort((one, other) => one.fit - other.fit || compareBuilds(other.build, one.build));
  return fitting[0]?.file;
}

/** "Acts as a tie-breaker … sort as an empty tuple if unspecified, else … the leading digits of the build tag as an int". */
function compareBuilds(one: [number, string] | undefined, other: [number, string] | undefined): number {
  if (!one || !other) return (one ? 1 : 0) - (other ? 1 : 0);
  return one[0] - other[0] || (one[1] < other[1] ? -1 : one[1] > other[1] ? 1 : 0);
}

/** The best wheel of the newest version that has one; neither yanked nor a pre-release. */
export function newestWheel(page: Files, target: Target): { file: FileRecord; version: string } | undefined {
  const settled = { name: page.name, files: page.files.filter((file) => file.yanked === false) };
  for (const version of versionsOf(settled)) {
    if (isPrerelease(parseVersion(version)!)) continue;
    const file = bestWheel(filesOf(settled, version), target);
    if (file) return { file, version };
  }
  return undefined;
}

/** The versions of files, the newest first; what is no version is left out. */
export function versionsOf({ name, files }: Files): string[] {
  const texts = new Set(files.map((file) => parseFilename(file.filename, name)?.version ?? ''));
  return [...texts]
    .filter((text) => parseVersion(text) !== undefined)
    .sort((one, other) => compareVersions(parseVersion(other)!, parseVersion(one)!));
}

/**
 * Files of one version, however it is written; those of its local versions (`2.5.1+cu121` of `2.5.1`) where there are
 * no others: so an installer reads a pin.
 */
export function filesOf({ name, files }: Files, version: string): FileRecord[] {
  const wanted = parseVersion(version);
  const versionOf = (file: FileRecord) => parseFilename(file.filename, name)?.version ?? '';
  if (!wanted) return files.filter((file) => versionOf(file) === version);
  const exact = files.filter((file) => {
    const found = parseVersion(versionOf(file));
    return found !== undefined && compareVersions(found, wanted) === 0;
  });
  if (exact.length > 0) return exact;
  const set = parseSpecifiers(`==${version.trim()}`);
  return set ? files.filter((file) => satisfies(versionOf(file), set, { prereleases: true })) : [];
}

/** The source distribution among files of one version. */
export function sdistOf(files: readonly FileRecord[]): FileRecord | undefined {
  // eggs and Windows installers are told as sdists by their names, and nobody builds from them
  const sdists = files.filter(({ filename }) => /\.(tar(\.\w+)?|tgz|zip)$/.test(filename) && parseFilename(filename));
  return sdists.find((file) => /\.(tar\.gz|tgz|zip)$/.test(file.filename)) ?? sdists[0];
}

/** True when a file has one of the hashes that a lock allows. */
export function isAllowed(file: FileRecord, hashes: ReadonlySet<string> | undefined): boolean {
  if (hashes === undefined) return true;
  return Object.entries(file.hashes).some(([kind, hex]) => hashes.has(`${kind}:${hex}`));
}
