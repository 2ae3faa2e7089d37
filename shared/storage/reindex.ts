import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AT_ONCE, applyUntilAgreed, listed, type Told, toldOf } from './catalog-documents.ts';
import type { CatalogIndex } from './catalog-index.ts';
import type { ObjectStore } from './object-store.ts';
import { CATALOG, catalogPath, serviceOfPath } from './paths.ts';
import { sideBySide } from './side-by-side.ts';

/** Documents that go into the index in one transaction. */
const BATCH = 512;
/** A document as young as this (ms) when it was listed may be written again within the same tick of an engine's clock. */
const YOUNG = 2_000;

export interface ReindexOptions {
  /** Other processes write to this index too. */
  sharedIndex: boolean;
  /** Reads every document, also those that look as they did. */
  thorough?: boolean;
  log?: Logger;
  signal?: AbortSignal;
}

interface Seen {
  path: string;
  modified: number | undefined;
}

/**
 * Brings the index up to the documents: those that are new or look otherwise than the index remembers are read, names
 * whose document is gone are taken out. Over an empty index, that is all of them.
 */
export async function reindex(objects: ObjectStore, index: CatalogIndex, options: ReindexOptions): Promise<void> {
  const work = new Reindexing(objects, index, options);
  const waiting = new Set(index.services());
  for await (const { key: path, modified } of objects.list(CATALOG)) {
    options.signal?.throwIfAborted();
    const service = serviceOfPath(path);
    if (service === undefined) continue;
    waiting.delete(service);
    await work.see(service, path, modified.getTime());
  }
  await work.endService();
  for (const service of waiting) {
    await work.beginService(service);
    await work.endService();
  }
}

class Reindexing {
  readonly #objects: ObjectStore;
  readonly #index: CatalogIndex;
  readonly #options: ReindexOptions;
  #service = '';
  /** By path: names of this service that the listing has not met yet. */
  readonly #known = new Map<string, number | null>();
  #unread: Seen[] = [];

  constructor(objects: ObjectStore, index: CatalogIndex, options: ReindexOptions) {
    this.#objects = objects;
    this.#index = index;
    this.#options = options;
  }

  async see(service: string, path: string, modified: number): Promise<void> {
    if (service !== this.#service) {
      await this.endService();
      await this.beginService(service);
    }
    const known = this.#known.get(path);
    this.#known.delete(path);
    if (known === modified && !this.#options.thorough) return;
    this.#unread.push({ path, modified: Date.now() - modified > YOUNG ? modified : undefined });
    if (this.#unread.length >= BATCH) await this.#read();
  }

  async beginService(service: string): Promise<void> {
    this.#service = service;
    this.#known.clear();
    for (let after: string | undefined; ; await breathe()) {
      const rows = this.#index.dated(service, { after, limit: 2_000 });
      for (const { key, modified } of rows) this.#known.set(catalogPath(service, key), modified);
      after = rows.at(-1)?.key;
      if (after === undefined) return;
    }
  }

  /** What the listing did not meet is gone, or came while we listed: its document says. */
  async endService(): Promise<void> {
    if (this.#service === '') return;
    const missing = new Set(this.#known.keys());
    await this.#read();
    if (missing.size > 0) await this.#takeOut(missing);
    this.#service = '';
  }

  async #takeOut(missing: ReadonlySet<string>): Promise<void> {
    for (let after: string | undefined; ; ) {
      const keys = this.#index.keys(this.#service, '', { after, limit: 2_000 });
      const gone = keys.filter((key) => missing.has(catalogPath(this.#service, key)));
      const found = await sideBySide(gone, AT_ONCE, async (key) => ({
        key,
        ...(await listed(this.#objects, catalogPath(this.#service, key))),
      }));
      await this.#apply(found.filter(({ damage }) => !damage).map(({ key, document }) => toldOf(key, document)));
      after = keys.at(-1);
      if (after === undefined) return;
    }
  }

  async #read(): Promise<void> {
    const unread = this.#unread;
    this.#unread = [];
    this.#options.signal?.throwIfAborted();
    const found = await sideBySide(unread, AT_ONCE, ({ path }) => listed(this.#objects, path));
    const changed: Told[] = [];
    const same: { key: string; modified: number }[] = [];
    for (const [place, { document, damage, path }] of found.entries()) {
      if (damage) this.#options.log?.error({ err: damage, path }, 'a name cannot be read and is left out');
      if (!document) continue;
      const { key } = document.entry;
      const { modified } = unread[place]!;
      if (this.#index.text(this.#service, key) !== document.text) {
        changed.push({ ...toldOf(key, document), modified });
      } else if (modified !== undefined) {
        same.push({ key, modified });
      }
    }
    await this.#index.confirm(this.#service, same);
    await this.#apply(changed);
    await breathe();
  }

  async #apply(told: Told[]): Promise<void> {
    if (told.length === 0) return;
    if (this.#options.sharedIndex) await applyUntilAgreed(this.#objects, this.#index, this.#service, told);
    else await this.#index.apply(this.#service, told);
  }
}
