import { setImmediate as breathe } from 'node:timers/promises';
import type { Digest } from '../model/digest.ts';
import type { Entry } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import { AT_ONCE, applyUntilAgreed, documentOf, readDocument, type Told, tell, toldOf } from './catalog-documents.ts';
import type { CatalogIndex, Page } from './catalog-index.ts';
import type { CatalogUpkeep } from './catalog-upkeep.ts';
import type { DeleteOptions, ObjectStore, PutOptions, PutOutcome } from './object-store.ts';
import { catalogPath } from './paths.ts';
import { RecentCatalog } from './recent-catalog.ts';
import { sideBySide } from './side-by-side.ts';

/** Names that are written together: documents side by side, then one transaction. */
const BATCH = 2_000;
/** Rows that are read from the index before others may run. */
const PAGE = 5_000;
/** Likewise, where every row costs some seeks. */
const SEEKS = 1_000;

export interface CatalogParts {
  objects: ObjectStore;
  index: CatalogIndex;
  upkeep: CatalogUpkeep;
  /** See UpkeepOptions. */
  sharedIndex: boolean;
}

/**
 * The names of one service. A document per name is the truth; the index beside it lists and finds; what was read a
 * moment ago is remembered. One name is looked up in that order backwards. Entries that come out are not to be changed.
 */
export class Catalog {
  readonly service: string;
  readonly #parts: CatalogParts;
  readonly #recent = new RecentCatalog();

  constructor(service: string, parts: CatalogParts) {
    this.service = service;
    this.#parts = parts;
  }

  /**
   * On an engine, what another replica wrote over a name is noticed within a few seconds; with `fresh` at once, for one
   * more question to the engine. A name that the index lacks is looked for in the store; not with `indexed`, where all
   * who write share the index: for names that are asked for all the time, and mostly are not there.
   */
  async get(key: string, options: { fresh?: boolean; indexed?: boolean } = {}): Promise<Entry | undefined> {
    const { index, sharedIndex, upkeep } = this.#parts;
    const generation = this.generation();
    const recent = this.#recent.get(key, generation);
    if (recent && (sharedIndex || !options.fresh)) return recent;
    if (sharedIndex && options.indexed) await upkeep.ready();
    const indexed = sharedIndex ? index.get(this.service, key) : undefined;
    if (!indexed && sharedIndex && options.indexed) return undefined;
    const entry = indexed ?? (await this.current(key))?.entry;
    if (entry) this.#recent.set(key, entry, this.generation() === generation ? generation : -1);
    return entry;
  }

  /**
   * A name as its document has it now, with the etag of that: what `ifMatch` takes, so that nobody comes between a look
   * and a write, whichever process or replica they write in. Also sets the index right, where it did not know.
   */
  async current(key: string): Promise<{ entry: Entry; etag: string } | undefined> {
    const { objects, index } = this.#parts;
    const document = await readDocument(objects, catalogPath(this.service, key));
    const known = index.text(this.service, key);
    if (known !== document?.text) await this.#apply([toldOf(key, document)]);
    return document && { entry: document.entry, etag: document.etag };
  }

  /** False when `ifAbsent` or `ifMatch` did not hold. The blob is in the store already. */
  async put(entry: Entry, options: Pick<PutOptions, 'ifAbsent' | 'ifMatch'> = {}): Promise<boolean> {
    checkKey(entry.key);
    const path = catalogPath(this.service, entry.key);
    return this.#writing([entry.key], async () => {
      const text = JSON.stringify(entry);
      const outcome = await this.#parts.objects.put(path, documentOf(text), options);
      return { told: outcome.stored ? [toldBy(entry, text, outcome)] : [], result: outcome.stored };
    });
  }

  /** Many names, none of them conditional: what an import brings. What was written before a failure stays. */
  async putMany(entries: readonly Entry[]): Promise<void> {
    const latest = [...new Map(entries.map((entry) => [entry.key, entry])).values()];
    for (const { key } of latest) checkKey(key);
    for (let first = 0; first < latest.length; first += BATCH) {
      await this.#putBatch(latest.slice(first, first + BATCH));
      await breathe();
    }
  }

  async #putBatch(entries: readonly Entry[]): Promise<void> {
    const { objects } = this.#parts;
    const keys = entries.map(({ key }) => key);
    await this.#writing(keys, async () => {
      const told = await sideBySide(entries, AT_ONCE, async (entry) => {
        const text = JSON.stringify(entry);
        return toldBy(entry, text, await objects.put(catalogPath(this.service, entry.key), documentOf(text)));
      });
      return { told, result: undefined };
    });
  }

  /** False when `ifMatch` did not hold. */
  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#writing([key], async () => {
      const result = await this.#parts.objects.delete(catalogPath(this.service, key), options);
      return { told: result ? [{ key, entry: undefined, etag: undefined }] : [], result };
    });
  }

  /** Documents first, then the index; what is about to be written is written down, for the case that we die between. */
  async #writing<R>(keys: readonly string[], act: () => Promise<{ told: Told[]; result: R }>): Promise<R> {
    const intended = await this.#parts.index.intend(this.service, keys);
    const { told, result } = await act().catch(async (error) => {
      await this.#lookAgain(keys, intended);
      throw error;
    });
    await this.#apply(told, intended);
    return result;
  }

  async #apply(told: readonly Told[], intended: readonly number[] = []): Promise<void> {
    const { objects, index, sharedIndex } = this.#parts;
    const generation = sharedIndex
      ? await applyUntilAgreed(objects, index, this.service, told, intended)
      : await index.apply(this.service, told, intended);
    for (const { key } of told) this.#recent.wrote(key, generation ?? -1);
  }

  /** After a failure nobody knows what was written: the documents do. */
  async #lookAgain(keys: readonly string[], intended: readonly number[]): Promise<void> {
    const told = sideBySide(keys, AT_ONCE, (key) => tell(this.#parts.objects, this.service, key));
    // When even that fails, what was intended stays written down, and is looked at when the store is opened again.
    await told.then((found) => this.#apply(found, intended)).catch(() => {});
  }

  /** Names that start with `prefix`, in byte order. */
  async keys(prefix = '', page: Page = {}): Promise<string[]> {
    return this.#paged(
      page,
      (next) => this.#parts.index.keys(this.service, prefix, next),
      (key) => key,
    );
  }

  async list(prefix = '', page: Page = {}): Promise<Entry[]> {
    return this.#paged(
      page,
      (next) => this.#parts.index.list(this.service, prefix, next),
      ({ key }) => key,
    );
  }

  async #paged<T>(page: Page, read: (page: Page) => T[], keyOf: (row: T) => string, most = PAGE): Promise<T[]> {
    await this.#parts.upkeep.ready();
    const found: T[] = [];
    let after = page.after;
    for (let left = page.limit ?? Number.POSITIVE_INFINITY; left > 0; await breathe()) {
      const rows = read({ after, limit: Math.min(left, most) });
      if (rows.length === 0) break;
      for (const row of rows) found.push(row);
      if (rows.length < Math.min(left, most)) break;
      left -= rows.length;
      after = keyOf(rows.at(-1)!);
    }
    return found;
  }

  /** Resolves when lists know what other replicas wrote before now: on an engine, when all its names were listed. */
  async upToDate(): Promise<void> {
    if (!this.#parts.sharedIndex) await this.#parts.upkeep.refresh();
  }

  /** Distinct names between `prefix` and the next slash, in byte order. */
  async segments(prefix: string, page: Page = {}): Promise<string[]> {
    const read = (next: Page) => this.#parts.index.segments(this.service, prefix, next);
    return this.#paged(page, read, (segment) => segment, SEEKS);
  }

  /** Entries whose key holds every word of `text`, best first. */
  async search(text: string, limit: number): Promise<Entry[]> {
    await this.#parts.upkeep.ready();
    return this.#parts.index.search(this.service, text, limit);
  }

  /** Entries that need this blob. */
  async referrers(digest: Digest): Promise<Entry[]> {
    await this.#parts.upkeep.ready();
    return this.#parts.index.referrers(this.service, digest);
  }

  /** How many names there are, and the bytes they stand for, each name counted for itself. */
  async count(): Promise<{ names: number; bytes: number }> {
    await this.#parts.upkeep.ready();
    return this.#parts.index.count(this.service);
  }

  /** Changes whenever a name may have changed, also by another process; costs microseconds. */
  generation(): number {
    return this.#parts.index.generation(this.service);
  }

  close(): void {
    this.#recent.close();
  }
}

function toldBy(entry: Entry, text: string, outcome: PutOutcome): Told {
  const { etag, modified } = outcome as PutOutcome & { stored: true };
  return { key: entry.key, entry, text, etag, modified: modified?.getTime() };
}

/** NUL ends a text in too many places, and half a surrogate pair is no text: neither is part of any protocol's names. */
function checkKey(key: string): void {
  if (key.length > 0 && key.length <= 4096 && !key.includes('\0') && key.isWellFormed()) return;
  throw new MirrorError('bad-request', 'name', 'a name has 1 to 4096 characters, none of them NUL');
}
