import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { hexOf } from '../../../shared/model/digest.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import { checkUnchanged, readFolder } from '../folder.ts';
import type { LocalStore } from '../local-store.ts';
import {
  type AddedFile,
  type LocalFile,
  nameFiles,
  nameVersion,
  type PreparedVersion,
  prepareVersion,
} from '../local-versions.ts';
import { type KeptFile, type ReadOptions, readArchive } from './archive.ts';
import { readEntries, wrongEntry } from './entries.ts';
import { keepEntries } from './kept-list.ts';
import { DATASETS, hubPrefix, METADATA_FILE, MOST_METADATA } from './keys.ts';
import { findRoots, type Plan, type PlannedFile, planImport, type Roots } from './plan.ts';
import { versionFacts } from './version-facts.ts';

export interface ImportOptions extends ReadOptions {
  /** Leave entries out whose files are not there, instead of refusing all. */
  skipIncomplete?: boolean;
}

export interface Imported {
  entries: number;
  /** Of NGC, with their ids. */
  versions: { target: PreparedVersion['version']; files: number }[];
  /** Folders of models of the hub. */
  hub: string[];
  datasets: number;
  bytes: number;
  /** Files that no entry tells of. */
  leftOut: string[];
  incomplete: Plan['incomplete'];
  /** False where there was no .sha256 beside an archive; undefined for folders. */
  checked: boolean | undefined;
}

/**
 * Brings what TAO's `pretrained_models` downloaded into the store: a folder of models, or the assets of its guide, packed
 * or not. First all bytes, then every check, then names, and TAO's own list last: what is wrong leaves nothing behind
 * but bytes without a name.
 */
export async function importTao(store: LocalStore, path: string, options: ImportOptions = {}): Promise<Imported> {
  const facts = await stat(path).catch((cause) => {
    const { code } = cause as NodeJS.ErrnoException;
    throw new MirrorError('bad-request', 'import', `${path} cannot be read (${code})`, { cause });
  });
  const { plan, kept, checked } = facts.isDirectory()
    ? await fromFolder(store, path, options)
    : await fromArchive(store, path, options);
  for (const { entries, files } of plan.versions) checkDigests(entries[0]!.id, files, kept);
  const prepared: PreparedVersion[] = [];
  for (const { target, entries, files } of plan.versions)
    prepared.push(
      await prepareVersion(store, {
        ...target,
        ...versionFacts(entries.map(({ fields }) => fields)),
        files: files.map((file) => localFile(file, kept)),
      }),
    );
  for (const version of prepared) await nameVersion(store, version);
  for (const { folder, files } of plan.hub)
    await nameFiles(
      store,
      hubPrefix(folder),
      files.map((file) => addedFile(file, kept)),
    );
  await nameFiles(
    store,
    DATASETS,
    plan.datasets.map((file) => addedFile(file, kept)),
  );
  await keepEntries(store, plan.entries);
  const all = [...plan.versions, ...plan.hub, { files: plan.datasets }].flatMap(({ files }) => files);
  return {
    entries: plan.entries.length,
    versions: prepared.map(({ version, files }) => ({ target: version, files: files.length })),
    hub: plan.hub.map(({ folder }) => folder),
    datasets: plan.datasets.length,
    bytes: all.reduce((sum, { from }) => sum + kept.get(from)!.size, 0),
    leftOut: plan.leftOut,
    incomplete: plan.incomplete,
    checked,
  };
}

type Kept = ReadonlyMap<string, KeptFile>;
interface Read {
  plan: Plan;
  kept: Kept;
  checked: boolean | undefined;
}

/** The list is read first: what is wrong is told before any byte is brought. */
async function fromFolder(store: LocalStore, path: string, options: ImportOptions): Promise<Read> {
  const { signal, read } = options;
  const files = await readFolder(path);
  const byPath = new Map(files.map((file) => [file.path, file]));
  const roots = findRoots(byPath.keys(), basename(path));
  const list = byPath.get(roots.models + METADATA_FILE)!;
  checkListSize(list.size);
  const plan = planOf(await readFile(list.place), byPath.keys(), roots, options);
  const kept = new Map<string, KeptFile>();
  const wish = { subject: 'file', more: [{ name: 'md5', algorithm: 'md5' }], signal };
  for (const { files: planned } of [...plan.versions, ...plan.hub, { files: plan.datasets }])
    for (const { from } of planned) {
      if (kept.has(from)) continue;
      signal?.throwIfAborted();
      const body = createReadStream(byPath.get(from)!.place, { highWaterMark: 1 << 20 });
      const { digest, size, hashes } = await store.blobs.ingest(body, wish);
      kept.set(from, { digest, size, md5: hashes.get('md5')! });
      read?.(from, size);
    }
  await checkUnchanged(path, files);
  return { plan, kept, checked: undefined };
}

/** An archive is read once, and its list stands anywhere in it. */
async function fromArchive(store: LocalStore, path: string, options: ImportOptions): Promise<Read> {
  const { files, checked } = await readArchive(store.blobs, path, options);
  const roots = findRoots(files.keys(), basename(path));
  const list = files.get(roots.models + METADATA_FILE)!;
  checkListSize(list.size);
  const bytes = await store.blobs.read(list.digest, MOST_METADATA);
  return { plan: planOf(bytes, files.keys(), roots, options), kept: files, checked };
}

function planOf(list: Buffer, paths: Iterable<string>, roots: Roots, { skipIncomplete = false }: ImportOptions): Plan {
  return planImport(paths, roots, readEntries(list), skipIncomplete);
}

function checkListSize(size: number): void {
  if (size > MOST_METADATA)
    throw new MirrorError('too-large', 'import', `${METADATA_FILE} has ${size} bytes, more than ${MOST_METADATA}`);
}

function checkDigests(id: string, files: readonly PlannedFile[], kept: Kept): void {
  for (const { from, path, sha256 } of files) {
    const found = hexOf(kept.get(from)!.digest);
    if (sha256 !== undefined && sha256 !== found)
      throw wrongEntry(id, `"${path}" is damaged: its sha256 is to be ${sha256}, and is ${found}`);
  }
}

function addedFile({ from, path }: PlannedFile, kept: Kept): AddedFile {
  return { path, ...kept.get(from)! };
}

function localFile(file: PlannedFile, kept: Kept): LocalFile {
  const { path, size, ...bytes } = addedFile(file, kept);
  return { path, size, kept: bytes };
}
