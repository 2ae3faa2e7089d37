import { MirrorError } from '../../../shared/model/errors.ts';
import { type ArtifactVersion, labelOf } from '../artifact.ts';
import { type PtmEntry, wrongEntry } from './entries.ts';
import { METADATA_FILE } from './keys.ts';
import { hubFolder, hubName, versionFolder } from './tree.ts';

/** A file of a download: where it lies in that, and what it is called where it goes. */
export interface PlannedFile {
  from: string;
  path: string;
  /** Promised by the metadata, hex. */
  sha256?: string;
}

export interface PlannedVersion {
  target: ArtifactVersion;
  entries: PtmEntry[];
  files: PlannedFile[];
}

/** What is to become of a download. */
export interface Plan {
  /** Those whose files are there. */
  entries: PtmEntry[];
  versions: PlannedVersion[];
  hub: { folder: string; files: PlannedFile[] }[];
  datasets: PlannedFile[];
  /** Files that no entry tells of. */
  leftOut: string[];
  /** Entries that were left out, and why: only where that was asked for. */
  incomplete: { id: string; why: string }[];
}

/** Where the models lie in a download, and the datasets; with their last slash. */
export interface Roots {
  models: string;
  datasets: string | undefined;
}

/**
 * Finds ptm_metadatas.json, however much was packed around it: `airgapped-models`, `airgapped-assets` with its `models/`
 * and `datasets/`, or a folder with one of them in it. Throws `bad-request`.
 */
export function findRoots(paths: Iterable<string>, label: string): Roots {
  let found: string[] = [];
  for (const path of paths) {
    if (path !== METADATA_FILE && !path.endsWith(`/${METADATA_FILE}`)) continue;
    const depth = path.split('/').length;
    const least = found[0]?.split('/').length ?? depth;
    if (depth <= least) found = depth < least ? [path] : [...found, path];
  }
  if (found.length !== 1) {
    const what = found.length === 0 ? `there is no ${METADATA_FILE} in it` : `it has several: ${found.join(', ')}`;
    throw new MirrorError('bad-request', 'import', `${label}: ${what}; it is to be what TAO's pretrained_models wrote`);
  }
  const models = found[0]!.slice(0, -METADATA_FILE.length);
  const around = /^(|.*\/)models\/$/.exec(models)?.[1];
  return { models, datasets: around === undefined ? undefined : `${around}datasets/` };
}

/**
 * What is to become of each file. Throws `bad-request`, naming the entry, for one whose files are not there.
 * @param skipIncomplete leave such an entry out instead
 */
export function planImport(
  paths: Iterable<string>,
  { models, datasets }: Roots,
  entries: readonly PtmEntry[],
  skipIncomplete: boolean,
): Plan {
  const plan: Plan = { entries: [], versions: [], hub: [], datasets: [], leftOut: [], incomplete: [] };
  const folders = new Map<string, PlannedFile[]>();
  for (const { target, fields } of entries)
    folders.set(target ? versionFolder(target) : hubFolder(fields.ngc_path), []);
  // an archive has them in whatever order
  for (const path of [...paths].sort()) {
    if (datasets !== undefined && path.startsWith(datasets)) {
      plan.datasets.push({ from: path, path: path.slice(datasets.length) });
      continue;
    }
    const below = path.startsWith(models) ? path.slice(models.length) : undefined;
    if (below === METADATA_FILE) continue;
    const folder = below === undefined ? undefined : folderOf(below, folders);
    if (folder === undefined) plan.leftOut.push(path);
    else if (!isCache(below!.slice(folder.length)))
      folders.get(folder)!.push({ from: path, path: below!.slice(folder.length) });
  }
  const versions = new Map<string, PlannedVersion>();
  const hub = new Map<string, PlannedFile[]>();
  for (const entry of entries) {
    const folder = entry.target ? versionFolder(entry.target) : hubFolder(entry.fields.ngc_path);
    const files = folders.get(folder)!;
    const lacking = lackOf(entry, folder, files);
    if (lacking !== undefined) {
      if (!skipIncomplete) throw wrongEntry(entry.id, lacking);
      plan.incomplete.push({ id: entry.id, why: lacking });
      continue;
    }
    plan.entries.push(entry);
    if (!entry.target) hub.set(hubName(entry.fields.ngc_path), files);
    else {
      const label = labelOf(entry.target.artifact, entry.target.version);
      const known = versions.get(label) ?? { target: entry.target, entries: [], files };
      known.entries.push(entry);
      versions.set(label, known);
    }
  }
  plan.versions = [...versions.values()];
  plan.hub = [...hub].map(([folder, files]) => ({ folder, files }));
  return plan;
}

/** The folder of an entry that a path lies in: their names end at slashes. */
function folderOf(path: string, folders: ReadonlyMap<string, unknown>): string | undefined {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1))
    if (folders.has(path.slice(0, end + 1))) return path.slice(0, end + 1);
  return undefined;
}

/** What the hub's client notes of its downloads. */
const isCache = (path: string) => path.startsWith('.cache/huggingface/');

/** What an entry tells of and is not there. Also notes what it promises of its files. */
function lackOf({ fields, target }: PtmEntry, folder: string, files: PlannedFile[]): string | undefined {
  if (files.length === 0) return `the files of ${fields.ngc_path} are not there: ${folder} is missing or empty`;
  if (!target) return undefined;
  if (fields.base_experiment_metadata?.spec_file_present && !files.some(({ path }) => path === SPEC))
    return `it is said to have an experiment.yaml, and there is no ${folder}${SPEC}`;
  for (const [name, hex] of digestsOf(fields.sha256_digest)) {
    // TAO looks for the name in whatever folder
    const meant = files.filter(({ path }) => path === name || path.endsWith(`/${name}`));
    if (meant.length === 0) return `its "sha256_digest" tells of "${name}", and there is no such file in ${folder}`;
    if (meant.length === 1) meant[0]!.sha256 = hex;
  }
  return undefined;
}

const SPEC = 'experiment.yaml';

function digestsOf(value: unknown): [string, string][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value)
    .filter(([, hex]) => typeof hex === 'string' && /^[0-9a-fA-F]{64}$/.test(hex))
    .map(([name, hex]) => [name, (hex as string).toLowerCase()]);
}
