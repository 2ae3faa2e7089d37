import type { WantedItem } from '../model/ref.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { wantPath, wantPrefix } from '../storage/paths.ts';

/** Something that was asked for and is neither held nor to be had. */
export interface Want {
  service: string;
  key: string;
  /** What a person calls it. */
  label: string;
  /** The manifest item that would bring it. */
  item: WantedItem;
  /** ISO 8601. */
  first: string;
}

/** Wants that this process has written and need not write again. */
const REMEMBERED = 10_000;

/**
 * What a site asked for and does not hold, each recorded once: the connected side turns the list into the next bundle.
 */
export class Wants {
  readonly #objects: ObjectStore;
  readonly #service: string;
  readonly #now: () => number;
  readonly #recorded = new Set<string>();

  constructor(objects: ObjectStore, options: { service: string; now(): number }) {
    this.#objects = objects;
    this.#service = options.service;
    this.#now = options.now;
  }

  async record(want: { key: string; label: string; item: WantedItem }): Promise<void> {
    if (this.#recorded.has(want.key)) return;
    const full: Want = { service: this.#service, ...want, first: new Date(this.#now()).toISOString() };
    await this.#objects.put(wantPath(this.#service, want.key), Buffer.from(`${JSON.stringify(full)}\n`), {
      ifAbsent: true,
    });
    if (this.#recorded.size >= REMEMBERED) this.#recorded.clear();
    this.#recorded.add(want.key);
  }

  async *list(): AsyncGenerator<Want> {
    for await (const { key } of this.#objects.list(wantPrefix(this.#service))) {
      const found = await this.#objects.get(key);
      if (found) yield JSON.parse(Buffer.concat(await found.body.toArray()).toString('utf8')) as Want;
    }
  }

  async clear(key: string): Promise<void> {
    this.#recorded.delete(key);
    await this.#objects.delete(wantPath(this.#service, key));
  }
}
