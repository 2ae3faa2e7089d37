import { Readable } from 'node:stream';
import { RandomAccessReader } from 'yauzl';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { MirrorError } from '../../shared/model/errors.ts';

/** Bytes fetched at once: the directory of most wheels and their METADATA lie in one or two of these. */
const BLOCK = 64 * 1024;
/** A zip directory and one small member need far fewer; a hostile file is not followed for ever. */
const MOST_BLOCKS = 256;

/**
 * Reads a zip that is somewhere else by ranges of it, in blocks that are kept, the tail first: that is where a zip's
 * directory stands. A member near the end of a 700 MB wheel costs two small requests instead of a download.
 */
export class RangedZip extends RandomAccessReader {
  readonly #size: number;
  readonly #read: (range: ByteRange) => Promise<Readable>;
  readonly #blocks = new Map<number, Promise<Buffer>>();

  readonly #most: number;

  /** @param read gives the bytes of a range of a file of `size` bytes */
  constructor(size: number, read: (range: ByteRange) => Promise<Readable>, options: { mostBlocks?: number } = {}) {
    super();
    this.#most = options.mostBlocks ?? MOST_BLOCKS;
    this.#size = size;
    this.#read = read;
  }

  /** yauzl asks for bytes `start` to `end`, `end` not included. */
  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#bytes(start, end), { objectMode: false });
  }

  async *#bytes(start: number, end: number): AsyncGenerator<Buffer> {
    for (let offset = start; offset < end; ) {
      const index = this.#blockOf(offset);
      const block = await this.#block(index);
      const first = this.#startOf(index);
      const piece = block.subarray(offset - first, end - first);
      if (piece.length === 0) throw new MirrorError('corrupt', 'file', 'the zip points beyond its own end');
      yield piece;
      offset += piece.length;
    }
  }

  /** Blocks are counted from the end, so that the tail is one whole block. */
  #blockOf(offset: number): number {
    return Math.floor((this.#size - 1 - offset) / BLOCK);
  }

  #startOf(index: number): number {
    return Math.max(0, this.#size - (index + 1) * BLOCK);
  }

  #block(index: number): Promise<Buffer> {
    const held = this.#blocks.get(index);
    if (held) return held;
    if (this.#blocks.size >= this.#most) {
      throw new MirrorError('corrupt', 'file', 'the zip has an absurdly large directory');
    }
    const start = this.#startOf(index);
    const range = { start, end: this.#size - index * BLOCK - 1 };
    const block = this.#read(range).then(async (body) => Buffer.concat(await body.toArray()));
    this.#blocks.set(index, block);
    return block;
  }
}
