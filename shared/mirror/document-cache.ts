import type { Digest } from '../model/digest.ts';

/** Bytes of documents that are kept in memory, and the largest that is. */
const MOST_BYTES = 24 << 20;
const LARGEST = 4 << 20;

/** Small documents by their digest: what is read for every request is read from the store once. */
export class DocumentCache {
  readonly #documents = new Map<Digest, Buffer>();
  #bytes = 0;

  get(digest: Digest): Buffer | undefined {
    const held = this.#documents.get(digest);
    if (!held) return undefined;
    // the last used stands last
    this.#documents.delete(digest);
    this.#documents.set(digest, held);
    return held;
  }

  async read(digest: Digest, read: () => Promise<Buffer>): Promise<Buffer> {
    const held = this.get(digest);
    if (held) return held;
    const bytes = await read();
    if (bytes.length <= LARGEST) this.#add(digest, bytes);
    return bytes;
  }

  #add(digest: Digest, bytes: Buffer): void {
    if (this.#documents.has(digest)) return;
    this.#documents.set(digest, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, held] of this.#documents) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#documents.delete(oldest);
      this.#bytes -= held.length;
    }
  }
}
