import { Readable } from 'node:stream';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { BlobStore } from '../../shared/storage/blob-store.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { isLocal } from './refs.ts';

/** What versions that are made here stand on. */
export interface LocalStore {
  catalog: Catalog;
  blobs: BlobStore;
  now(): number;
}

/** The origin of names that were made here: nobody else is asked for them. */
export const LOCAL = 'folder';

export type Json = Record<string, unknown>;

/** Largest document that is read whole, bytes. */
const MOST_DOCUMENT = 64 << 20;
/** How often others may come between a look and a write. */
const TRIES = 16;

/** A document that is held, and where it came from. */
export async function readHeld(
  { catalog, blobs }: LocalStore,
  key: string,
): Promise<{ json: Json; local: boolean } | undefined> {
  const entry = await catalog.get(key, { fresh: true });
  if (!entry) return undefined;
  return { json: parsed(await blobs.read(entry.digest, MOST_DOCUMENT), key), local: isLocal(entry) };
}

/**
 * Writes a document over the one that is there; who writes at the same time loses nothing.
 * @param make of what stands there
 */
export async function rewrite(
  store: LocalStore,
  key: string,
  make: (before: Json | undefined) => Json | Promise<Json>,
  headersOf: (made: Json) => Record<string, string> = () => ({}),
): Promise<void> {
  await rewriteBytes(store, key, async (before) => {
    const made = await make(before && parsed(before, key));
    return { bytes: Buffer.from(JSON.stringify(made)), headers: headersOf(made) };
  });
}

/** The same for a document whose every byte counts. */
export async function rewriteBytes(
  store: LocalStore,
  key: string,
  make: (before: Buffer | undefined) => Promise<{ bytes: Buffer; headers: Record<string, string>; etag?: string }>,
): Promise<void> {
  const { catalog, blobs } = store;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const held = await catalog.current(key);
    const { bytes, ...facts } = await make(held && (await blobs.read(held.entry.digest, MOST_DOCUMENT)));
    const digest = digestOf(bytes);
    await blobs.put(digest, bytes.length, Readable.from([bytes], { objectMode: false }));
    const entry = stamped(store, { key, digest, size: bytes.length, mediaType: 'application/json', ...facts });
    if (await catalog.put(entry, held ? { ifMatch: held.etag } : { ifAbsent: true })) return;
  }
  throw new MirrorError('conflict', 'document', `${key} is being written all the time; try again`);
}

/** An entry of now, of our own making. */
export function stamped(
  { now }: Pick<LocalStore, 'now'>,
  entry: Omit<Entry, 'origin' | 'storedAt' | 'checkedAt'>,
): Entry {
  const at = new Date(now()).toISOString();
  return { ...entry, origin: LOCAL, storedAt: at, checkedAt: at };
}

function parsed(bytes: Buffer, key: string): Json {
  try {
    return JSON.parse(bytes.toString('utf8')) as Json;
  } catch (cause) {
    throw new MirrorError('corrupt', 'document', `${key} is held, and is no JSON`, { cause });
  }
}
