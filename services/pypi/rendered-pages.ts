import { CodedBody } from '../../shared/http/coded-body.ts';

export { CODINGS, type Coding } from '../../shared/http/coded-body.ts';

/** Bytes of rendered pages that are kept in memory, all codings together. */
const MOST_BYTES = 64 << 20;
/** Milliseconds for which nothing is looked up again while no name has changed. */
const TRUSTED = 1000;

/** A page in one format, rendered once, compressed once per coding. */
export class RenderedPage extends CodedBody {
  readonly stamp: string;
  /** `X-PyPI-Last-Serial`, where the origin tells one. */
  readonly serial: number | undefined;
  checkedAt = 0;
  generation = -1;

  constructor(stamp: string, text: string, serial: number | undefined) {
    super(text);
    this.stamp = stamp;
    this.serial = serial;
  }
}

/** Pages as they go out: rendered and compressed when they change, never per request. */
export class RenderedPages {
  readonly #pages = new Map<string, RenderedPage>();
  readonly #now: () => number;
  readonly #mostBytes: number;
  #weight = 0;

  constructor(now: () => number, mostBytes = MOST_BYTES) {
    this.#now = now;
    this.#mostBytes = mostBytes;
  }

  /** The page, when nothing can have changed since it was last looked at. */
  trusted(key: string, generation: number): RenderedPage | undefined {
    const page = this.#pages.get(key);
    const age = page ? this.#now() - page.checkedAt : Number.POSITIVE_INFINITY;
    return page && page.generation === generation && age >= 0 && age < TRUSTED ? page : undefined;
  }

  /** The page, if it is the one with this stamp. */
  known(key: string, stamp: string, generation: number): RenderedPage | undefined {
    const page = this.#pages.get(key);
    return page?.stamp === stamp ? this.#keep(key, page, generation) : undefined;
  }

  /** The page with this stamp, rendered now if it is another than the one before. */
  current(key: string, stamp: string, generation: number, render: () => RenderedPage): RenderedPage {
    return this.known(key, stamp, generation) ?? this.#keep(key, render(), generation);
  }

  #keep(key: string, page: RenderedPage, generation: number): RenderedPage {
    page.checkedAt = this.#now();
    page.generation = generation;
    // the last used stands last
    this.#weight += page.weight - (this.#pages.get(key)?.weight ?? 0);
    this.#pages.delete(key);
    this.#pages.set(key, page);
    for (const [oldest, { weight }] of this.#pages) {
      if (this.#weight <= this.#mostBytes || oldest === key) break;
      this.#pages.delete(oldest);
      this.#weight -= weight;
    }
    return page;
  }
}
