/** Bytes that one growing file may have here. */
const MOST = 16 << 20;
/** Bytes of all of them. */
const MOST_OF_ALL = 64 << 20;
let kept = 0;

/**
 * The last bytes of a growing file, as they came. Readers that keep up with it are all at the same place, and are given
 * the very same buffers: nothing is read from the disk once for each of them (measured; `npm run bench oci-cold`).
 */
export class RecentBytes {
  /** In their order; `at` is where in the file each begins. */
  #chunks: { at: number; bytes: Buffer }[] = [];
  #end = 0;

  /** Adds what follows in the file, at `offset`. The buffers must never be written to again. */
  add(buffers: readonly Buffer[], offset: number): void {
    if (offset !== this.#end) this.clear();
    this.#end = offset;
    for (const bytes of buffers) {
      this.#chunks.push({ at: this.#end, bytes });
      this.#end += bytes.length;
      kept += bytes.length;
    }
    while (this.#chunks.length > 0 && (this.#length > MOST || kept > MOST_OF_ALL))
      kept -= this.#chunks.shift()!.bytes.length;
  }

  get #length(): number {
    return this.#end - (this.#chunks[0]?.at ?? this.#end);
  }

  /** Bytes from `offset` on, at most `length` of them and often fewer; undefined when they are not here. */
  at(offset: number, length: number): Buffer | undefined {
    if (offset >= this.#end || offset < this.#end - this.#length) return undefined;
    let [low, high] = [0, this.#chunks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#chunks[middle]!.at <= offset) low = middle;
      else high = middle - 1;
    }
    const { at, bytes } = this.#chunks[low]!;
    return bytes.subarray(offset - at, offset - at + length);
  }

  clear(): void {
    kept -= this.#length;
    this.#chunks = [];
    this.#end = 0;
  }
}
