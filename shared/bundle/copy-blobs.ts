import { readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { digestOfHex } from '../model/digest.ts';
import { MirrorError } from '../model/errors.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { writeSynced } from '../storage/disk-files.ts';
import { type Hashed, hashFile, SegmentHasher } from './hash-file.ts';
import { blobMember } from './layout.ts';
import type { BundleProgress } from './progress.ts';

export interface CopyOptions {
  blobs: BlobStore;
  progress: BundleProgress;
  signal?: AbortSignal;
}

/** A run before this one may have had another manifest: what this one does not name has no place in the bundle. */
export async function dropStrangers(partial: string, blobs: Map<string, number>): Promise<void> {
  const folder = join(partial, 'data/blobs/sha256');
  for (const name of await readdir(folder)) {
    if (!blobs.has(name)) await rm(join(folder, name));
  }
}

/** Throws `out-of-space` before anything is copied, when it cannot fit. */
export async function checkRoom(partial: string, blobs: Map<string, number>): Promise<void> {
  const there = new Set(await readdir(join(partial, 'data/blobs/sha256')));
  let needed = 0;
  for (const [hex, size] of blobs) if (!there.has(hex)) needed += size;
  const { bavail, bsize } = await statfs(partial);
  if (needed > bavail * bsize) {
    throw new MirrorError(
      'out-of-space',
      'bundle',
      `${needed} bytes are still to be written and ${bavail * bsize} are free there`,
    );
  }
}

/** Copies every blob that is not there yet, each hashed on its way; in the order of their digests. */
export async function copyBlobs(
  partial: string,
  blobs: Map<string, number>,
  options: CopyOptions,
): Promise<Map<string, Hashed>> {
  const hashed = new Map<string, Hashed>();
  for (const hex of [...blobs.keys()].sort()) {
    options.signal?.throwIfAborted();
    const path = join(partial, blobMember(hex));
    const size = blobs.get(hex)!;
    const found = (await keptBlob(path, hex, size, options.signal)) ?? (await copyBlob(path, hex, size, options));
    hashed.set(hex, found);
    options.progress.advance({ count: 1, bytes: size, label: hex.slice(0, 12) });
  }
  return hashed;
}

async function keptBlob(path: string, hex: string, size: number, signal?: AbortSignal): Promise<Hashed | undefined> {
  const hashed = await hashFile(path, size, { signal }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return hashed?.sha256 === hex ? hashed : undefined;
}

async function copyBlob(path: string, hex: string, size: number, options: CopyOptions): Promise<Hashed> {
  const hasher = new SegmentHasher(size);
  const body = await options.blobs.open(digestOfHex(hex));
  await rm(`${path}.tmp`, { force: true });
  await writeSynced(`${path}.tmp`, hashedBy(hasher, body, options.signal), undefined, 0o644);
  const hashed = hasher.finish();
  if (hashed.sha256 !== hex) {
    throw new MirrorError(
      'corrupt',
      'blob',
      `sha256:${hex} in the store is damaged; run "larder store verify" and fetch it again`,
    );
  }
  await rename(`${path}.tmp`, path);
  return hashed;
}

async function* hashedBy(hasher: SegmentHasher, body: Readable, signal?: AbortSignal): AsyncGenerator<Buffer> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    signal?.throwIfAborted();
    hasher.update(chunk);
    yield chunk;
  }
}
