import type { Catalog } from './catalog.ts';

/** Milliseconds for which a list is not made again although names changed: a busy mirror changes some all the time. */
const TRUSTED = 1000;

/** What tells whether names may have changed, and what time it is. */
export interface HeldPlace {
  catalog: Pick<Catalog, 'generation'>;
  now(): number;
}

/** What is held, as a list in memory: made again when names have changed, once a second at most, for all who ask. */
export class HeldList<T> {
  readonly #place: HeldPlace;
  readonly #make: () => Promise<readonly T[]>;
  #known: { list: readonly T[]; generation: number; at: number } | undefined;
  #making: Promise<readonly T[]> | undefined;

  /** @param make reads what is held; not called again before it is done, unless the list was forgotten meanwhile */
  constructor(place: HeldPlace, make: () => Promise<readonly T[]>) {
    this.#place = place;
    this.#make = make;
  }

  async list(): Promise<readonly T[]> {
    const { catalog, now } = this.#place;
    const generation = catalog.generation();
    const known = this.#known;
    if (known && (known.generation === generation || Math.abs(now() - known.at) < TRUSTED)) return known.list;
    return this.#making ?? this.#begin(generation);
  }

  /** Whoever asks next is given nothing that was read before: something was made here, and is looked for now. */
  forget(): void {
    this.#known = undefined;
    this.#making = undefined;
  }

  #begin(generation: number): Promise<readonly T[]> {
    const making = this.#make()
      .then((list) => {
        if (this.#making === making) this.#known = { list, generation, at: this.#place.now() };
        return list;
      })
      .finally(() => {
        if (this.#making === making) this.#making = undefined;
      });
    this.#making = making;
    return making;
  }
}
