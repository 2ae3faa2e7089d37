import type { ObjectStore } from './object-store.ts';

interface Listed {
  key: string;
  /** Bytes. */
  size: number;
  modified: Date;
}

/** An object of one store, and what stands under its key in another. */
export interface Pair extends Listed {
  there?: Listed;
}

/**
 * The objects below `prefix`, each beside its counterpart in another store: two listings are read in step, and neither
 * is held. They are compared folder by folder, since only within a folder do all engines keep to the order of keys.
 */
export async function* beside(from: ObjectStore, to: ObjectStore, prefix: string): AsyncGenerator<Pair> {
  let folder: string | undefined;
  let others: Others | undefined;
  try {
    for await (const found of from.list(prefix)) {
      const its = found.key.slice(0, found.key.lastIndexOf('/') + 1);
      if (its !== folder) {
        await others?.close();
        others = new Others(to.list(its));
        folder = its;
      }
      yield { ...found, there: await others!.at(found.key) };
    }
  } finally {
    await others?.close();
  }
}

/** A listing that is looked through for keys in ascending order. */
class Others {
  readonly #listing: AsyncIterator<Listed>;
  #next: Listed | undefined;
  #over = false;

  constructor(listing: AsyncIterable<Listed>) {
    this.#listing = listing[Symbol.asyncIterator]();
  }

  async at(key: string): Promise<Listed | undefined> {
    while (!this.#over && (this.#next === undefined || this.#next.key < key)) {
      const { value, done } = await this.#listing.next();
      this.#over = done === true;
      this.#next = done ? undefined : value;
    }
    return this.#next?.key === key ? this.#next : undefined;
  }

  async close(): Promise<void> {
    await this.#listing.return?.();
  }
}
