import NodeCache from 'node-cache';
import type { Entry } from '../model/entry.ts';

/** Names are looked up for every request; what was just read is not read again for this many seconds. */
const SECONDS = 3;
const MOST = 20_000;

/** The names of one service that were read or written a moment ago. Absence is never remembered. */
export class RecentCatalog {
  readonly #cache: NodeCache;
  /** What is remembered was true at this generation of the index. */
  #generation = -1;

  /** @param seconds how long another replica's write may go unnoticed */
  constructor(seconds = SECONDS) {
    this.#cache = new NodeCache({ stdTTL: seconds, useClones: false, checkperiod: 0 });
  }

  /** @param generation of the index now: when it moved on, what is remembered may be wrong */
  get(key: string, generation: number): Entry | undefined {
    if (generation === this.#generation) return this.#cache.get<Entry>(key);
    this.#cache.flushAll();
    this.#generation = generation;
    return undefined;
  }

  /** Remembers what was looked up at that generation; nothing when the index has moved on since. */
  set(key: string, entry: Entry, generation: number): void {
    if (generation !== this.#generation) return;
    if (this.#cache.getStats().keys >= MOST) this.#cache.flushAll();
    // Everybody is given the same object.
    this.#cache.set(key, Object.freeze(entry));
  }

  /** We wrote one name ourselves: when nobody else wrote meanwhile, the others are as they were. */
  wrote(key: string, generation: number): void {
    this.#cache.del(key);
    if (generation === this.#generation + 1) this.#generation = generation;
  }

  close(): void {
    this.#cache.close();
  }
}
