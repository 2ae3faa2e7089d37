import { Readable } from 'node:stream';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { BlobStore } from '../../shared/storage/blob-store.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { blobId, pointerText } from './git-objects.ts';
import { factsOfFile, fileKey } from './refs.ts';
import type { TreeFile } from './tree.ts';

/** What repos that are made here stand on. */
export interface LocalStore {
  catalog: Catalog;
  blobs: BlobStore;
  now(): number;
}

/** Where a name came from that was made here. `folder`: from a folder that a client had downloaded from the hub. */
export type LocalOrigin = 'upload' | 'folder';

/** Keeps a document that was written here, under its name. */
export async function keepDocument(
  { catalog, blobs, now }: LocalStore,
  key: string,
  bytes: Buffer,
  facts: { mediaType: string; origin: LocalOrigin; headers?: Record<string, string> },
): Promise<Entry> {
  const digest = digestOf(bytes);
  await blobs.put(digest, bytes.length, Readable.from([bytes], { objectMode: false }));
  const at = new Date(now()).toISOString();
  const entry: Entry = { key, digest, size: bytes.length, headers: {}, storedAt: at, checkedAt: at, ...facts };
  await catalog.put(entry);
  return entry;
}

/** Keeps a small file, whose bytes are at hand, and says what a tree says of it. */
export async function keepSmallFile(
  store: LocalStore,
  path: string,
  bytes: Buffer,
  origin: LocalOrigin,
): Promise<TreeFile> {
  const file: TreeFile = { path, size: bytes.length, oid: blobId(bytes) };
  const { mediaType } = factsOfFile(file);
  if (bytes.length > 0) await keepDocument(store, fileKey(file), bytes, { mediaType, origin });
  return file;
}

/** What a tree says of a large file. */
export function largeFile(path: string, sha256: string, size: number): TreeFile {
  const pointer = Buffer.from(pointerText(sha256, size));
  return { path, size, oid: blobId(pointer), lfs: { oid: sha256, size, pointerSize: pointer.length } };
}

/** Names bytes that are in the store already. */
export async function nameLargeFile({ catalog, now }: LocalStore, file: TreeFile, origin: LocalOrigin): Promise<void> {
  const at = new Date(now()).toISOString();
  const { oid, size } = file.lfs!;
  const digest = `sha256:${oid}` as Entry['digest'];
  await catalog.put({ ...factsOfFile(file), key: fileKey(file), digest, size, origin, storedAt: at, checkedAt: at });
}
