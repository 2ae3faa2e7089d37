import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { applyUntilAgreed, tell } from './catalog-documents.ts';
import type { CatalogIndex } from './catalog-index.ts';
import type { ObjectStore } from './object-store.ts';
import { reindex } from './reindex.ts';

export interface UpkeepOptions {
  /**
   * Everybody who writes to the store writes to this index too (a directory); else others write elsewhere (an engine
   * with replicas), and what they wrote is looked for.
   */
  sharedIndex: boolean;
  /** How often, in milliseconds, the store is listed again (an engine) or the index looked after (a directory). */
  every: number;
  log?: Logger;
}

/** Which start of the machine this is: after a power loss the last writes of an index may be missing. */
const COMPLETE = 'complete since boot';

/**
 * Keeps the index true to the documents: builds it where there is none, looks again at what a killed process was
 * writing, finds what other replicas wrote. Owns the only timer of a store, until `stop`.
 */
export class CatalogUpkeep {
  readonly #objects: ObjectStore;
  readonly #index: CatalogIndex;
  readonly #options: UpkeepOptions;
  readonly #stopping = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #ready: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #tick: Promise<void> | undefined;
  /** The file was deleted: what others put in its place may lack what we wrote to the old one. */
  #replaced = false;

  constructor(objects: ObjectStore, index: CatalogIndex, options: UpkeepOptions) {
    this.#objects = objects;
    this.#index = index;
    this.#options = options;
    this.#timer = setInterval(() => this.#begin(), options.every).unref();
  }

  /** Resolves when lists may be answered. Throws when the documents could not be read; the next call tries again. */
  ready(): Promise<void> {
    this.#ready ??= this.#prepare().catch((error) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  /** Brings the index up to the documents, one run after another. */
  refresh(options: { thorough?: boolean; signal?: AbortSignal } = {}): Promise<void> {
    const { sharedIndex, log } = this.#options;
    const signal = AbortSignal.any([this.#stopping.signal, ...(options.signal ? [options.signal] : [])]);
    const run = () => reindex(this.#objects, this.#index, { sharedIndex, log, thorough: options.thorough, signal });
    const mine = this.#running.then(run);
    this.#running = mine.catch(() => {});
    return mine;
  }

  async #prepare(): Promise<void> {
    await this.#lookAgain();
    const boot = await bootId();
    if (this.#options.sharedIndex && this.#index.fact(COMPLETE) === boot && !this.#replaced) return;
    const began = Date.now();
    await this.refresh();
    this.#index.setFact(COMPLETE, boot);
    this.#replaced = false;
    this.#options.log?.info({ seconds: (Date.now() - began) / 1000 }, 'the index of names is up to date');
  }

  /** Names whose writer died between the document and the index. */
  async #lookAgain(): Promise<void> {
    for (const { id, service, key } of this.#index.abandoned()) {
      const told = await tell(this.#objects, service, key);
      await applyUntilAgreed(this.#objects, this.#index, service, [told], [id]);
    }
  }

  /** One round at a time, however long it takes. */
  #begin(): void {
    this.#tick ??= this.#lookAfter().finally(() => {
      this.#tick = undefined;
    });
  }

  async #lookAfter(): Promise<void> {
    try {
      if (this.#index.reopenIfGone()) {
        this.#replaced = true;
        this.#ready = undefined;
      }
      if (this.#ready === undefined) await this.ready();
      else if (!this.#options.sharedIndex) await this.refresh();
      else await this.#lookAgain();
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#options.log?.warn({ err: error }, 'names could not be read again');
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort(new Error('the store is being closed'));
    await this.#tick;
    await this.#running;
    await this.#ready?.catch(() => {});
  }
}

async function bootId(): Promise<string> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return id.trim() || 'unknown';
}
