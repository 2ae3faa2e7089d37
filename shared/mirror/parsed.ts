import type { Digest } from '../model/digest.ts';

/** Bytes of documents whose parsed form is kept in memory. */
const MOST_BYTES = 64 << 20;

/** Documents that were parsed, by the digest of their bytes: whoever changes one changes its digest. */
export class Parsed<T> {
  readonly #kept = new Map<Digest, { value: T; size: number }>();
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** @param size of the document, bytes */
  async get(digest: Digest, size: number, parse: () => Promise<T>): Promise<T> {
    const known = this.#kept.get(digest);
    if (known) {
      // the last used stands last
      this.#kept.delete(digest);
      this.#kept.set(digest, known);
      return known.value;
    }
    const value = await parse();
    if (!this.#kept.has(digest)) this.#bytes += size;
    this.#kept.set(digest, { value, size });
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= this.#mostBytes || oldest === digest) break;
      this.#kept.delete(oldest);
      this.#bytes -= kept.size;
    }
    return value;
  }
}
