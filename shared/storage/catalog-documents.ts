import { type Entry, entrySchema } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { CatalogIndex, Change } from './catalog-index.ts';
import type { ObjectStore } from './object-store.ts';
import { CATALOG, catalogPath, serviceOfPath } from './paths.ts';
import { sideBySide } from './side-by-side.ts';

/** Documents that are read or written at a time. */
export const AT_ONCE = 16;
/** How often a name that others keep writing is looked at again before it is left to them. */
const TURNS = 50;

export interface CatalogDocument {
  entry: Entry;
  /** The entry as it stands in the document. */
  text: string;
  etag: string;
  modified: Date;
}

/** What an entry looks like in the store. @param text the entry as JSON */
export function documentOf(text: string): Buffer {
  return Buffer.from(`${text}\n`);
}

/** Reads one name's document; undefined when there is none. Throws `corrupt` when it is not what we write. */
export async function readDocument(objects: ObjectStore, path: string): Promise<CatalogDocument | undefined> {
  const found = await objects.get(path);
  if (!found) return undefined;
  const text = Buffer.concat(await found.body.toArray())
    .toString('utf8')
    .trimEnd();
  try {
    const entry = entrySchema.parse(JSON.parse(text));
    if (catalogPath(serviceOfPath(path) ?? '', entry.key) !== path) throw new Error('it holds the name of another');
    return { entry, text, etag: found.stat.etag, modified: found.stat.modified };
  } catch (cause) {
    throw new MirrorError('corrupt', 'name', `the document ${path} in the store is damaged; delete it and ask again`, {
      cause,
    });
  }
}

export interface ListedDocument {
  service: string;
  path: string;
  /** Undefined when the document vanished since it was listed. */
  document?: CatalogDocument;
  /** Why it cannot be read. */
  damage?: MirrorError;
}

/** Every document of every service as the store has it: the truth, whatever the index says. */
export async function* allDocuments(objects: ObjectStore, signal?: AbortSignal): AsyncGenerator<ListedDocument> {
  let paths: string[] = [];
  for await (const { key } of objects.list(CATALOG)) {
    signal?.throwIfAborted();
    if (serviceOfPath(key) !== undefined) paths.push(key);
    if (paths.length < 16 * AT_ONCE) continue;
    yield* await sideBySide(paths, AT_ONCE, (path) => listed(objects, path));
    paths = [];
  }
  yield* await sideBySide(paths, AT_ONCE, (path) => listed(objects, path));
}

/** A document that is damaged is told of, not thrown: the others are still to be read. */
export async function listed(objects: ObjectStore, path: string): Promise<ListedDocument> {
  const service = serviceOfPath(path)!;
  try {
    return { service, path, document: await readDocument(objects, path) };
  } catch (error) {
    if (error instanceof MirrorError && error.kind === 'corrupt') return { service, path, damage: error };
    throw error;
  }
}

/** A change, and the etag of the document that says so; undefined when that is gone. */
export interface Told extends Change {
  etag: string | undefined;
}

/** What a document says, and that it is gone when there is none. */
export function toldOf(key: string, document: CatalogDocument | undefined): Told {
  const { entry, text, etag, modified } = document ?? {};
  return { key, entry, text, etag, modified: modified?.getTime() };
}

/** What the document of a name says now. */
export async function tell(objects: ObjectStore, service: string, key: string): Promise<Told> {
  const found = await readDocument(objects, catalogPath(service, key));
  return toldOf(key, found);
}

/**
 * Takes what documents say into the index, then looks whether they still say so, and takes in again what they say
 * now. Whoever writes an index that several processes share does it this way; so of two who write one name at once,
 * the one who reaches the index last has seen the document that stands.
 */
export async function applyUntilAgreed(
  objects: ObjectStore,
  index: CatalogIndex,
  service: string,
  told: readonly Told[],
  intended: readonly number[] = [],
): Promise<number | undefined> {
  let generation = await index.apply(service, told);
  let open = told;
  for (let turn = 0; turn < TURNS && open.length > 0; turn += 1) {
    const etags = await sideBySide(
      open,
      AT_ONCE,
      async ({ key }) => (await objects.head(catalogPath(service, key)))?.etag,
    );
    const moved = open.filter(({ etag }, place) => etag !== etags[place]);
    open = await sideBySide(moved, AT_ONCE, ({ key }) => tell(objects, service, key));
    if (open.length > 0) generation = await index.apply(service, open);
  }
  // Only now: whoever dies before this leaves word that the name is to be looked at again.
  if (intended.length > 0) await index.apply(service, [], intended);
  return generation;
}
