import { SingleFlight } from '../mirror/single-flight.ts';
import type { CodedBody } from './coded-body.ts';

/** Milliseconds for which nothing is looked up again while no name has changed. */
const TRUSTED = 1000;

interface Kept<T> {
  document: T;
  stamp: string;
  checkedAt: number;
  generation: number;
}

/**
 * Documents as they go out: rendered and compressed when they change, never per request. A key says which document in which
 * form, a stamp what it is made of, and a generation of the catalog that no name has changed.
 */
export class RenderedDocuments<T extends CodedBody> {
  readonly #kept = new Map<string, Kept<T>>();
  readonly #rendering = new SingleFlight<T>();
  readonly #now: () => number;
  readonly #mostBytes: number;
  #weight = 0;

  /** @param mostBytes that are kept in memory, all codings together */
  constructor(now: () => number, mostBytes: number) {
    this.#now = now;
    this.#mostBytes = mostBytes;
  }

  /** The document, when nothing can have changed since it was last looked at. */
  trusted(key: string, generation: number): T | undefined {
    const kept = this.#kept.get(key);
    const age = kept ? this.#now() - kept.checkedAt : Number.POSITIVE_INFINITY;
    return kept && kept.generation === generation && age >= 0 && age < TRUSTED ? kept.document : undefined;
  }

  /** The document, if it is the one with this stamp. */
  known(key: string, stamp: string, generation: number): T | undefined {
    const kept = this.#kept.get(key);
    return kept?.stamp === stamp ? this.#keep(key, stamp, generation, kept.document) : undefined;
  }

  /** The document with this stamp, rendered now, once for all who ask, if it is another than the one before. */
  async current(key: string, stamp: string, generation: number, render: () => Promise<T>): Promise<T> {
    const known = this.known(key, stamp, generation);
    if (known) return known;
    const { answer } = await this.#rendering.run(`${key}\n${stamp}`, render);
    return this.#keep(key, stamp, generation, answer);
  }

  #keep(key: string, stamp: string, generation: number, document: T): T {
    // the last used stands last
    this.#weight += document.weight - (this.#kept.get(key)?.document.weight ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, { document, stamp, checkedAt: this.#now(), generation });
    for (const [oldest, kept] of this.#kept) {
      if (this.#weight <= this.#mostBytes || oldest === key) break;
      this.#kept.delete(oldest);
      this.#weight -= kept.document.weight;
    }
    return document;
  }
}
