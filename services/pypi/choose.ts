import { parseFilename } from './project-name.ts';
import { type FileRecord, isWheel } from './project-page.ts';
import { compareVersions, normalizeVersion, parseVersion } from './python/pep440.ts';
import { parseSpecifiers, satisfies } from './python/specifiers.ts';
import { fitOf, type Target } from './python/target.ts';

/** True when a file may be installed by the target's Python. */
export function fitsPython(file: FileRecord, target: Target): boolean {
  const set = file['requires-python'] ? parseSpecifiers(file['requires-python']) : undefined;
  // what cannot be read does not keep a file away: installers do the same
  return set === undefined || satisfies(target.environment.values.python_full_version!, set, { prereleases: true });
}

/** The wheel that an installer of this target would take; of equals the one with the higher build tag. */
export function bestWheel(files: readonly FileRecord[], target: Target): FileRecord | undefined {
  let best: { file: FileRecord; fit: number; build: number } | undefined;
  for (const file of files) {
    if (!isWheel(file.filename) || !fitsPython(file, target)) continue;
    const fit = fitOf(file.filename, target);
    if (fit === undefined) continue;
    const build = buildOf(file.filename);
    if (!best || fit < best.fit || (fit === best.fit && build > best.build)) best = { file, fit, build };
  }
  return best?.file;
}

/** The best wheel of the newest version that has one. */
export function bestFile(files: readonly FileRecord[], target: Target): FileRecord | undefined {
  const versions = [...new Set(files.map((file) => parseFilename(file.filename)?.version))].filter(
    (text) => text !== undefined && parseVersion(text),
  ) as string[];
  versions.sort((one, other) => compareVersions(parseVersion(other)!, parseVersion(one)!));
  for (const version of versions) {
    const wheel = bestWheel(filesOf(files, version), target);
    if (wheel && wheel.yanked === false) return wheel;
  }
  return undefined;
}

/** Files of one version, however it is written. */
export function filesOf(files: readonly FileRecord[], version: string): FileRecord[] {
  const wanted = normalizeVersion(version);
  return files.filter((file) => {
    const found = parseFilename(file.filename)?.version;
    return found !== undefined && isSameVersion(normalizeVersion(found), wanted);
  });
}

function isSameVersion(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [parseVersion(one), parseVersion(other)];
  return a !== undefined && b !== undefined && compareVersions(a, b) === 0;
}

export function sdistOf(files: readonly FileRecord[]): FileRecord | undefined {
  const sdists = files.filter((file) => parseFilename(file.filename)?.kind === 'sdist');
  return sdists.find((file) => file.filename.endsWith('.tar.gz')) ?? sdists[0];
}

function buildOf(filename: string): number {
  const parts = filename.slice(0, -'.whl'.length).split('-');
  return parts.length === 6 ? Number(/^\d+/.exec(parts[2]!)?.[0] ?? 0) : 0;
}
