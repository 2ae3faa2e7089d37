import { rename, rm, stat, statfs } from 'node:fs/promises';
import { hexOf } from '../../../shared/model/digest.ts';
import { fromSystemError, MirrorError } from '../../../shared/model/errors.ts';
import { writeSynced } from '../../../shared/storage/disk-files.ts';
import { type ArtifactVersion, labelOf } from '../artifact.ts';
import { blobName, CacheTree } from './cache-tree.ts';
import { CHECKSUMS } from './checksums.ts';
import { hashesOf, hashesOfFile } from './file-hashes.ts';
import { type HeldFile, type HeldVersion, heldVersion, type NimStore } from './held-version.ts';

export interface ExportOptions {
  /** Everybody may write to what is made. */
  writable?: boolean;
  signal?: AbortSignal;
  /** Told of every file that is there and right. */
  written?(label: string, bytes: number): void;
}

export interface ExportedCache {
  versions: { version: string; files: number; bytes: number; checked: number }[];
  /** Blobs that had to be copied; the others were there. */
  copied: number;
  bytes: number;
}

/** A file, and what it is to be called in `blobs`. */
interface Planned {
  of: HeldVersion;
  file: HeldFile;
  name: string;
}

/**
 * Makes the folder of `NIM_CACHE_PATH`, or adds to one: a NIM starts on it without a network and without a key. Every
 * file is hashed as it is copied, and those that `checksums.blake3` names are held to it; a snapshot is named when all
 * its files are right. What is there and right is not copied again.
 * A folder that is new grows as `<folder>.partial` and is renamed.
 * Throws `not-held`, `corrupt`, `out-of-space`.
 */
export async function exportCache(
  store: NimStore,
  folder: string,
  versions: readonly ArtifactVersion[],
  options: ExportOptions = {},
): Promise<ExportedCache> {
  const held: HeldVersion[] = [];
  for (const of of versions) held.push(await heldVersion(store, of));
  const isThere = (await stat(folder).catch(() => undefined)) !== undefined;
  const tree = new CacheTree(isThere ? folder : `${folder}.partial`, options);
  try {
    const result = await fill(store, tree, held, options);
    if (!isThere) await rename(tree.root, folder);
    return result;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw fromSystemError(error, 'cache');
  }
}

async function fill(
  store: NimStore,
  tree: CacheTree,
  held: readonly HeldVersion[],
  options: ExportOptions,
): Promise<ExportedCache> {
  await tree.prepare(held.map(({ artifact }) => artifact));
  const plan = planned(held);
  await checkRoom(tree, plan);
  const result: ExportedCache = { versions: [], copied: 0, bytes: 0 };
  const known = new Map<string, ReadonlyMap<string, string>>();
  const algorithms = plan.some(({ file }) => file.blake3 !== undefined) ? ['sha256', 'blake3'] : ['sha256'];
  for (const one of plan) {
    options.signal?.throwIfAborted();
    const path = tree.blobPath(one.of.artifact, one.name);
    const hashes = known.get(path) ?? (await rightHashes(path, one, algorithms, options.signal));
    if (!hashes) {
      known.set(path, await copy(store, tree, { path, one, algorithms, signal: options.signal }));
      result.copied += 1;
      result.bytes += one.file.size;
    } else {
      checkBlake3(one, hashes);
      known.set(path, hashes);
    }
    options.written?.(one.file.path, one.file.size);
  }
  for (const of of held) {
    const mine = plan.filter((one) => one.of === of);
    await tree.giveSnapshot(of, new Map(mine.map(({ file, name }) => [file.path, name])));
    result.versions.push({
      version: labelOf(of.artifact, of.version),
      files: of.files.length,
      bytes: of.files.reduce((sum, { size }) => sum + size, 0),
      checked: of.files.filter(({ blake3 }) => blake3 !== undefined).length,
    });
  }
  return result;
}

/** Two different files of a model never share a name: the second is called by its sha256. */
function planned(held: readonly HeldVersion[]): Planned[] {
  const taken = new Map<string, string>();
  return held.flatMap((of) =>
    of.files.map((file) => {
      const wanted = blobName(file);
      const place = JSON.stringify([of.artifact, wanted]);
      const isFree = (taken.get(place) ?? file.digest) === file.digest;
      if (isFree) taken.set(place, file.digest);
      return { of, file, name: isFree ? wanted : hexOf(file.digest) };
    }),
  );
}

/** Throws `out-of-space` before anything is copied, when it cannot fit. */
async function checkRoom(tree: CacheTree, plan: readonly Planned[]): Promise<void> {
  const needed = new Map<string, number>();
  for (const { of, file, name } of plan) {
    const path = tree.blobPath(of.artifact, name);
    if (needed.has(path)) continue;
    const there = await stat(path).catch(() => undefined);
    needed.set(path, there?.size === file.size ? 0 : file.size);
  }
  const bytes = [...needed.values()].reduce((sum, size) => sum + size, 0);
  const { bavail, bsize } = await statfs(tree.root);
  if (bytes > bavail * bsize)
    throw new MirrorError(
      'out-of-space',
      'cache',
      `${bytes} bytes are to be written and ${bavail * bsize} are free there`,
    );
}

/** Hashes of a blob of an earlier run; undefined when it is not there, or something else. */
async function rightHashes(path: string, { file }: Planned, algorithms: readonly string[], signal?: AbortSignal) {
  const there = await stat(path).catch(() => undefined);
  if (!there?.isFile() || there.size !== file.size) return undefined;
  const hashes = await hashesOfFile(path, algorithms, signal);
  return hashes.get('sha256') === hexOf(file.digest) ? hashes : undefined;
}

async function copy(
  store: NimStore,
  tree: CacheTree,
  {
    path,
    one,
    algorithms,
    signal,
  }: { path: string; one: Planned; algorithms: readonly string[]; signal?: AbortSignal },
) {
  const { file } = one;
  const temporary = tree.temporary();
  try {
    const write = (body: AsyncIterable<Buffer> | Buffer) => writeSynced(temporary, body, file.size, tree.fileMode);
    const hashes = await hashesOf(await store.blobs.open(file.digest), algorithms, { signal, write });
    if (hashes.get('sha256') !== hexOf(file.digest))
      throw new MirrorError('corrupt', 'blob', `${file.digest} in the store is damaged; run "larder store verify"`);
    checkBlake3(one, hashes);
    await tree.giveBlob(temporary, path);
    return hashes;
  } finally {
    await rm(temporary, { force: true });
  }
}

function checkBlake3({ of, file }: Planned, hashes: ReadonlyMap<string, string>): void {
  const found = hashes.get('blake3');
  if (file.blake3 === undefined || file.blake3 === found) return;
  const label = labelOf(of.artifact, of.version);
  throw new MirrorError(
    'corrupt',
    'file',
    `${label}: "${file.path}" is not what its ${CHECKSUMS} says: ${file.blake3} was promised and ${found} is held. This version is not finished`,
  );
}
