import { type HashWish, type RunningHash, startHash } from '../model/running-hash.ts';
import { PIECE, SideHashes } from './side-hashes.ts';

/**
 * Passes a body on to where it is written, and hashes it. What is short is hashed in place; what is long beside, in
 * threads, as long as there are any to be had. One per body: `pass`, then `finish`, and in the end always `release`.
 */
export class HashedBody {
  readonly #wishes: readonly HashWish[];
  #side: SideHashes | undefined;
  readonly #hashes: [name: string, hash: RunningHash][] = [];
  #size = 0;

  constructor(wishes: readonly HashWish[]) {
    this.#wishes = wishes;
  }

  /** For `writeStream`: it writes to the end what it is given, and is done with a piece when it asks for the next but one. */
  async *pass(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const chunks = source[Symbol.asyncIterator]();
    const head: Buffer[] = [];
    let more = true;
    while (more && this.#size <= PIECE) {
      const { done, value } = await chunks.next();
      more = !done;
      if (value) {
        head.push(value);
        this.#size += value.length;
      }
    }
    // one hash alone takes no longer than the disk does
    this.#side = more && this.#wishes.length > 1 ? SideHashes.lease(this.#wishes) : undefined;
    const all = joined(head, chunks, more);
    yield* this.#side ? this.#aside(all, this.#side) : this.#inPlace(all);
  }

  async *#inPlace(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for (const wish of this.#wishes) this.#hashes.push([wish.name, await startHash(wish)]);
    this.#size = 0;
    for await (const chunk of chunks) {
      this.#size += chunk.length;
      for (const [, hash] of this.#hashes) hash.update(chunk);
      yield chunk;
    }
  }

  /** Fills pieces of shared memory in turn; one is filled again when it is hashed and, by the time, written. */
  async *#aside(chunks: AsyncIterable<Buffer>, side: SideHashes): AsyncGenerator<Buffer> {
    const hashing: Promise<void>[] = [];
    let turn = 0;
    let filled = 0;
    this.#size = 0;
    for await (const chunk of chunks) {
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

  release(): void {
    this.#side?.release();
    this.#side = undefined;
  }
}

/** An error of it is met when it is awaited, which may be some chunks away. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

async function* joined(head: Buffer[], rest: AsyncIterator<Buffer>, more: boolean): AsyncGenerator<Buffer> {
  yield* head.splice(0);
  while (more) {
    const { done, value } = await rest.next();
    if (done) return;
    yield value;
  }
}
