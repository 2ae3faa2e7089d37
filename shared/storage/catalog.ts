import type { Digest } from '../model/digest.ts';
import { type Entry, entrySchema } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { CatalogIndex, Page } from './catalog-index.ts';
import type { ObjectStore } from './object-store.ts';
import { catalogPath } from './paths.ts';
import { RecentCatalog } from './recent-catalog.ts';

/** Documents that are written side by side when many names come at once. */
const AT_ONCE = 16;

/**
 * The names of one service. A document per name is the truth; the index beside it lists and finds; what was read a
 * moment ago is remembered. One name is looked up in that order backwards.
 */
export class Catalog {
  readonly service: string;
  readonly #objects: ObjectStore;
  readonly #index: CatalogIndex;
  readonly #shared: boolean;
  readonly #recent = new RecentCatalog();

  /** @param options.shared others write to the store without writing to this index: an S3 engine with replicas */
  constructor(service: string, objects: ObjectStore, index: CatalogIndex, options: { shared: boolean }) {
    this.service = service;
    this.#objects = objects;
    this.#index = index;
    this.#shared = options.shared;
  }

  async get(key: string): Promise<Entry | undefined> {
    const recent = this.#recent.get(key, this.generation());
    if (recent) return recent;
    const indexed = this.#shared ? undefined : this.#index.get(this.service, key);
    const entry = indexed ?? (await this.#fromDocument(key));
    if (entry) this.#recent.set(key, entry);
    return entry;
  }

  async #fromDocument(key: string): Promise<Entry | undefined> {
    const entry = await readEntry(this.#objects, catalogPath(this.service, key));
    if (!entry || entry.key !== key) return undefined;
    const known = this.#index.get(this.service, key);
    if (!known || known.checkedAt !== entry.checkedAt || known.digest !== entry.digest)
      this.#index.put(this.service, entry);
    return entry;
  }

  /** False when `ifAbsent` was asked for and the name is there. */
  async put(entry: Entry, options: { ifAbsent?: boolean } = {}): Promise<boolean> {
    const written = await this.#objects.put(catalogPath(this.service, entry.key), documentOf(entry), options);
    if (!written.stored) return false;
    this.#index.put(this.service, entry);
    this.#recent.set(entry.key, entry);
    return true;
  }

  /** Many names, none of them conditional: what an import brings. */
  async putMany(entries: readonly Entry[]): Promise<void> {
    for (let first = 0; first < entries.length; first += AT_ONCE) {
      const some = entries.slice(first, first + AT_ONCE);
      await Promise.all(
        some.map((entry) => this.#objects.put(catalogPath(this.service, entry.key), documentOf(entry))),
      );
    }
    this.#index.putMany(this.service, entries);
  }

  async delete(key: string): Promise<void> {
    await this.#objects.delete(catalogPath(this.service, key));
    this.#index.delete(this.service, key);
    this.#recent.delete(key);
  }

  /** Names that start with `prefix`, in byte order. */
  async keys(prefix = '', page?: Page): Promise<string[]> {
    return this.#index.keys(this.service, prefix, page);
  }

  async list(prefix = '', page?: Page): Promise<Entry[]> {
    return this.#index.list(this.service, prefix, page);
  }

  /** Distinct names between `prefix` and the next slash. */
  async segments(prefix: string, page?: Page): Promise<string[]> {
    return this.#index.segments(this.service, prefix, page);
  }

  async search(text: string, limit: number): Promise<Entry[]> {
    return this.#index.search(this.service, text, limit);
  }

  async referrers(digest: Digest): Promise<Entry[]> {
    return this.#index.referrers(this.service, digest);
  }

  /** Changes whenever a name may have changed, also by another process; costs microseconds. */
  generation(): string {
    return this.#index.generation();
  }

  close(): void {
    this.#recent.close();
  }
}

function documentOf(entry: Entry): Buffer {
  return Buffer.from(`${JSON.stringify(entry)}\n`);
}

/** Reads one name's document. Throws `corrupt` when it is not what we write. */
export async function readEntry(objects: ObjectStore, path: string): Promise<Entry | undefined> {
  const found = await objects.get(path);
  if (!found) return undefined;
  const text = Buffer.concat(await found.body.toArray()).toString('utf8');
  try {
    return entrySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new MirrorError('corrupt', 'name', `the document ${path} in the store is damaged; delete it and ask again`, {
      cause,
    });
  }
}
