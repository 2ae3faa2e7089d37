import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';

/** Codings of pages, the one that is best for its cost first. */
export const CODINGS = ['zstd', 'br', 'gzip'] as const;
export type Coding = (typeof CODINGS)[number] | 'identity';

/** Off the event loop, each of them. */
const compress = {
  gzip: promisify(gzip),
  br: (bytes: Buffer) =>
    promisify(brotliCompress)(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
  zstd: promisify(zstdCompress),
};

/** Bytes of rendered pages that are kept in memory, all codings together. */
const MOST_BYTES = 64 << 20;
/** Milliseconds for which nothing is looked up again while no name has changed. */
const TRUSTED = 1000;

/** A page in one format, rendered once, compressed once per coding. */
export class RenderedPage {
  readonly stamp: string;
  /** `X-PyPI-Last-Serial`, where the origin tells one. */
  readonly serial: number | undefined;
  readonly #identity: Buffer;
  readonly #hash: string;
  readonly #codings = new Map<Coding, Promise<Buffer>>();
  checkedAt = 0;
  generation = -1;

  constructor(stamp: string, text: string, serial: number | undefined) {
    this.stamp = stamp;
    this.serial = serial;
    this.#identity = Buffer.from(text);
    this.#hash = createHash('sha256').update(this.#identity).digest('hex').slice(0, 32);
  }

  /** About what it takes in memory: pages compress to less than a fifth. */
  get weight(): number {
    return this.#identity.length * 1.5 + 1000;
  }

  /** Strong, and another one for each coding: they are other bytes (RFC 9110 §8.8.3.3). */
  etag(coding: Coding): string {
    return coding === 'identity' ? `"${this.#hash}"` : `"${this.#hash}-${coding}"`;
  }

  async bytes(coding: Coding): Promise<Buffer> {
    if (coding === 'identity') return this.#identity;
    const known = this.#codings.get(coding) ?? compress[coding](this.#identity);
    this.#codings.set(coding, known);
    return known;
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
