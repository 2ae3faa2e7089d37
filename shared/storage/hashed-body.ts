import { type HashWish, type RunningHash, startHash } from '../model/running-hash.ts';
import { PIECE, SideHashes } from './side-hashes.ts';

/**
 * Reads a body and hashes it. What is short is hashed in place; what is long beside, in threads, as long as there are
 * any to be had. One per body: `whole`, else `rest`; then `finish`, and in the end always `release`.
 */
export class HashedBody {
  readonly #wishes: readonly HashWish[];
  readonly #owned: boolean;
  readonly #hashes: [name: string, hash: RunningHash][] = [];
  #chunks: AsyncIterator<Buffer> | undefined;
  /** What was read and not yet passed on. */
  readonly #head: Buffer[] = [];
  #ended = false;
  #side: SideHashes | undefined;
  #size = 0;

  /** @param owned nobody but us has the chunks of the body: their memory is free as soon as they were copied */
  constructor(wishes: readonly HashWish[], owned = false) {
    this.#wishes = wishes;
    this.#owned = owned;
  }

  /** The body, when it has no more than `most` bytes; else undefined, and `rest` gives all of it. */
  async whole(source: AsyncIterable<Buffer>, most: number): Promise<Buffer | undefined> {
    this.#chunks = source[Symbol.asyncIterator]();
    await this.#gather(most);
    if (!this.#ended) return undefined;
    const bytes = this.#head.length === 1 ? this.#head[0]! : Buffer.concat(this.#head);
    await this.#startInPlace();
    this.#take(bytes);
    return bytes;
  }

  /** For `writeStream`: it writes to the end what it is given, and is done with a piece when it asks for the next but one. */
  async *rest(): AsyncGenerator<Buffer> {
    await this.#gather(PIECE);
    // one hash alone takes no longer than the disk does
    this.#side = !this.#ended && this.#wishes.length > 1 ? SideHashes.lease(this.#wishes) : undefined;
    yield* this.#side ? this.#aside(this.#side) : this.#inPlace();
  }

  /** Reads until there are more than `most` bytes, or it ends. */
  async #gather(most: number): Promise<void> {
    let length = this.#head.reduce((sum, chunk) => sum + chunk.length, 0);
    while (!this.#ended && length <= most) {
      const { done, value } = await this.#chunks!.next();
      this.#ended = done === true;
      if (done) return;
      this.#head.push(value);
      length += value.length;
    }
  }

  async *#all(): AsyncGenerator<Buffer> {
    yield* this.#head.splice(0);
    while (!this.#ended) {
      const { done, value } = await this.#chunks!.next();
      this.#ended = done === true;
      if (done) return;
      yield value;
    }
  }

  async *#inPlace(): AsyncGenerator<Buffer> {
    await this.#startInPlace();
    for await (const chunk of this.#all()) {
      this.#take(chunk);
      yield chunk;
    }
  }

  async #startInPlace(): Promise<void> {
    for (const wish of this.#wishes) this.#hashes.push([wish.name, await startHash(wish)]);
  }

  #take(chunk: Buffer): void {
    this.#size += chunk.length;
    for (const [, hash] of this.#hashes) hash.update(chunk);
  }

  /** Fills pieces of shared memory in turn; one is filled again when it is hashed and, by the time, written. */
  async *#aside(side: SideHashes): AsyncGenerator<Buffer> {
    const hashing: Promise<void>[] = [];
    let turn = 0;
    let filled = 0;
    for await (const chunk of this.#all()) {
      this.#size += chunk.length;
      for (let offset = 0; offset < chunk.length; ) {
        const piece = side.pieces[turn]!;
        const copied = chunk.copy(piece, filled, offset);
        offset += copied;
        filled += copied;
        if (filled < piece.length) continue;
        hashing[turn] = heard(side.add(piece));
        yield piece;
        turn = (turn + 1) % side.pieces.length;
        filled = 0;
        await hashing[turn];
      }
      if (this.#owned) free(chunk);
    }
    if (filled > 0) {
      const last = side.pieces[turn]!.subarray(0, filled);
      hashing[turn] = heard(side.add(last));
      yield last;
    }
    await Promise.all(hashing);
  }

  /** @returns hex, by the names of the wishes */
  async finish(): Promise<{ size: number; hashes: Map<string, string> }> {
    const hashes = this.#side
      ? await this.#side.finish()
      : new Map(this.#hashes.map(([name, hash]) => [name, hash.digest().toString('hex')]));
    return { size: this.#size, hashes };
  }

  /** Ends the source, too, when it was not read to its end. */
  release(): void {
    if (!this.#ended) Promise.resolve(this.#chunks?.return?.()).catch(() => undefined);
    this.#side?.release();
    this.#side = undefined;
  }
}

/**
 * Gives back the memory of a chunk that is looked at no more. V8 looks through everything for each 32 MB that lie outside
 * of its own memory, which took a fifth of the processor time of an upload.
 */
function free({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

/** An error of it is met when it is awaited, which may be some chunks away. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
