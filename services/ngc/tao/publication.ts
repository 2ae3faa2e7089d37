import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Digest, digestOf } from '../../../shared/model/digest.ts';
import type { Entry } from '../../../shared/model/entry.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { ArtifactVersion } from '../artifact.ts';
import { fileKey, filesKey, WORDS } from '../keys.ts';
import { type Json, type LocalStore, readHeld } from '../local-store.ts';
import { isLocal } from '../refs.ts';
import { mergeEntries, type PtmEntry, readEntries } from './entries.ts';
import { DATASETS, hubPrefix, METADATA, METADATA_FILE, MOST_METADATA } from './keys.ts';
import { hubFolder, hubName, versionFolder } from './tree.ts';

/** An object of the bucket that TAO works with: bytes that are held, under the key where it looks for them. */
export interface PublishedObject {
  key: string;
  digest: Digest;
  size: number;
  /** Hex; unset for what came from NGC, whose ETags are not known to be one. */
  md5?: string;
  mediaType?: string;
}

export interface PublicationWish {
  /** Where keys of models begin, with its last slash: `shared-storage/ptm/airgapped-models/`. */
  registry: string;
  /** Where keys of datasets begin: `data/`. */
  data: string;
  skipIncomplete?: boolean;
}

export interface Publication {
  entries: number;
  incomplete: { id: string; why: string }[];
  /** Files first, TAO's list last: who reads it finds all that it tells of. */
  objects: AsyncIterable<PublishedObject>;
}

const PAGE = 1000;

/**
 * The tree that TAO's guide has uploaded (reference ngc.md §1.3, §1.4), of what is held. Throws `not-found` before
 * anything is imported, and `not-held`, naming the entry, when a file of one is not there.
 */
export async function publicationOf(store: LocalStore, wish: PublicationWish): Promise<Publication> {
  const list = await store.catalog.get(METADATA, { fresh: true });
  if (!list)
    throw new MirrorError(
      'not-found',
      'metadata',
      `no ${METADATA_FILE} is held: bring one with "larder tao import", or make one with "larder tao metadata --keep"`,
    );
  const all = readEntries(await store.blobs.read(list.digest, MOST_METADATA));
  const files = new Map<string, PublishedObject>();
  const entries: PtmEntry[] = [];
  const incomplete: Publication['incomplete'] = [];
  for (const entry of all) {
    const found = await filesOf(store, entry);
    if ('lacks' in found) {
      const why = `${entry.fields.ngc_path}: ${found.lacks} is not held`;
      if (!wish.skipIncomplete)
        throw new MirrorError('not-held', 'metadata', `entry "${entry.id}": ${why}. Nothing was published`);
      incomplete.push({ id: entry.id, why });
      continue;
    }
    entries.push(entry);
    for (const file of found.files) files.set(file.key, { ...file, key: wish.registry + file.key });
  }
  const kept = incomplete.length === 0 ? objectOf(METADATA_FILE, list) : await keptList(store, entries);
  const objects = inOrder(store, files.values(), wish.data, {
    ...kept,
    key: wish.registry + METADATA_FILE,
    mediaType: 'application/json',
  });
  return { entries: entries.length, incomplete, objects };
}

async function* inOrder(
  store: LocalStore,
  files: Iterable<PublishedObject>,
  data: string,
  list: PublishedObject,
): AsyncGenerator<PublishedObject> {
  yield* files;
  for await (const { key, object } of held(store, DATASETS)) yield { ...object, key: data + key };
  yield list;
}

async function filesOf(
  store: LocalStore,
  { target, fields }: PtmEntry,
): Promise<{ files: PublishedObject[] } | { lacks: string }> {
  const files: PublishedObject[] = [];
  if (!target) {
    const folder = hubFolder(fields.ngc_path);
    for await (const { key, object } of held(store, hubPrefix(hubName(fields.ngc_path))))
      files.push({ ...object, key: folder + key });
    return files.length > 0 ? { files } : { lacks: folder };
  }
  const paths = await pathsOf(store, target);
  if (!paths) return { lacks: 'its list of files' };
  for (const path of paths) {
    const entry = await store.catalog.get(fileKey(target, path));
    if (!entry) return { lacks: path };
    files.push(objectOf(versionFolder(target) + path, entry));
  }
  return { files };
}

/** What the list of a version's files names; undefined where none is held. */
export async function pathsOf(store: LocalStore, target: ArtifactVersion): Promise<string[] | undefined> {
  const list = await readHeld(store, filesKey(target));
  const files = list?.json[WORDS[target.artifact.kind].files] as Json[] | undefined;
  return files?.map(({ path }) => String(path));
}

async function* held({ catalog }: LocalStore, prefix: string) {
  for (let after: string | undefined; ; ) {
    const page = await catalog.list(prefix, { after, limit: PAGE });
    for (const entry of page) yield { key: entry.key.slice(prefix.length), object: objectOf(entry.key, entry) };
    if (page.length < PAGE) return;
    after = page.at(-1)!.key;
  }
}

function objectOf(key: string, entry: Entry): PublishedObject {
  const md5 = isLocal(entry) ? /^"([0-9a-f]{32})"$/.exec(entry.etag ?? '')?.[1] : undefined;
  return { key, digest: entry.digest, size: entry.size, md5 };
}

/** A list of some entries alone. */
async function keptList({ blobs }: LocalStore, entries: readonly PtmEntry[]): Promise<PublishedObject> {
  const bytes = mergeEntries(undefined, entries);
  const digest = digestOf(bytes);
  await blobs.put(digest, bytes.length, Readable.from([bytes], { objectMode: false }));
  return { key: METADATA_FILE, digest, size: bytes.length, md5: createHash('md5').update(bytes).digest('hex') };
}
