import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { Digest } from '../model/digest.ts';
import { isKind, type MirrorError } from '../model/errors.ts';
import type { BlobStore } from './blob-store.ts';

/** How often reading is gone on with that brings nothing further. */
const TRIES = 3;
/** Milliseconds before it is gone on with; grows with every try. */
const PAUSE = 500;

export interface CopyBlobOptions {
  signal?: AbortSignal;
  /** Tells bytes as they are read. */
  onBytes?(bytes: number): void;
}

/** What became of it. `absent`: the source does not have it (any more). */
export type CopiedBlob = { outcome: 'copied' | 'absent' } | { outcome: 'damaged'; reason: string };

/**
 * Copies one blob, hashed on its way: what is not what it is called leaves nothing at the target. A connection that
 * breaks is gone on with where it broke. Throws what is wrong with the stores themselves.
 */
export async function copyBlob(
  from: BlobStore,
  to: BlobStore,
  blob: { digest: Digest; size: number },
  options: CopyBlobOptions = {},
): Promise<CopiedBlob> {
  const source = new Source(from, blob, options);
  try {
    await to.put(blob.digest, blob.size, Readable.from(source.bytes(), { objectMode: false, highWaterMark: 1 << 20 }));
    return { outcome: 'copied' };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isKind(source.fault, 'unavailable')) throw source.fault;
    if (source.fault && (await from.size(blob.digest)) === undefined) return { outcome: 'absent' };
    if (source.fault) return { outcome: 'damaged', reason: `it cannot be read (${source.fault.message})` };
    if (isKind(error, 'corrupt')) return { outcome: 'damaged', reason: (error as MirrorError).message };
    throw error;
  }
}

/** The bytes of a blob. What goes wrong here is told apart from what goes wrong where they are written. */
class Source {
  /** Why it could not be read to its end. */
  fault: Error | undefined;
  readonly #from: BlobStore;
  readonly #blob: { digest: Digest; size: number };
  readonly #options: CopyBlobOptions;
  #body: AsyncIterator<Buffer> | undefined;
  #offset = 0;

  constructor(from: BlobStore, blob: { digest: Digest; size: number }, options: CopyBlobOptions) {
    this.#from = from;
    this.#blob = blob;
    this.#options = options;
  }

  async *bytes(): AsyncGenerator<Buffer> {
    try {
      for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
    } finally {
      await this.#close();
    }
  }

  async #next(): Promise<Buffer | undefined> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#read();
      } catch (error) {
        await this.#close();
        const isFinal = tries === TRIES || isKind(error, 'corrupt') || this.#options.signal?.aborted;
        if (isFinal) {
          this.fault = error as Error;
          throw error;
        }
        await setTimeout(tries * PAUSE, undefined, { signal: this.#options.signal });
      }
    }
  }

  async #read(): Promise<Buffer | undefined> {
    this.#options.signal?.throwIfAborted();
    const { digest, size } = this.#blob;
    // it broke behind the last byte
    if (!this.#body && this.#offset > 0 && this.#offset >= size) return undefined;
    const rest = this.#offset === 0 ? undefined : { start: this.#offset, end: size - 1 };
    this.#body ??= ((await this.#from.open(digest, rest)) as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    const { value, done } = await this.#body.next();
    if (done) return undefined;
    this.#offset += value.length;
    this.#options.onBytes?.(value.length);
    return value;
  }

  async #close(): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    await body?.return?.().catch(() => undefined);
  }
}
