import NodeCache from 'node-cache';
import type { Entry } from '../model/entry.ts';

/** Names are looked up for every request; what was just read is not read again for this many seconds. */
const SECONDS = 3;
const MOST = 50_000;

/** The names of one service that were read or written a moment ago. Absence is never remembered. */
export class RecentCatalog {
  readonly #cache = new NodeCache({ stdTTL: SECONDS, useClones: false, checkperiod: 30, maxKeys: MOST });
  #generation = '';

  /** @param generation of the index: when it moved on, what is remembered may be wrong */
  get(key: string, generation: string): Entry | undefined {
    if (generation !== this.#generation) {
      this.#cache.flushAll();
      this.#generation = generation;
    }
    return this.#cache.get<Entry>(key);
  }

  set(key: string, entry: Entry): void {
    if (this.#cache.getStats().keys >= MOST) this.#cache.flushAll();
    this.#cache.set(key, entry);
  }

  delete(key: string): void {
    this.#cache.del(key);
  }

  close(): void {
    this.#cache.close();
  }
}
