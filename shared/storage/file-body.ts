import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from '../model/byte-range.ts';
import { fromSystemError, MirrorError } from '../model/errors.ts';

const CHUNK = 1 << 20;
/** With many readers at once speed is not theirs alone, but memory is. */
const SMALL_CHUNK = 128 << 10;
/** Large buffers in use at once. */
const MOST_LENT = 32;
let lent = 0;
/** Large buffers that wait for their next use. */
const idle: Buffer[] = [];

/**
 * A part of an open file. A stream like any other for those who read it; and for the writer of answers one that writes
 * itself: the next read is under way while a chunk is being sent, into buffers that are used again. That is twice as
 * fast as the stream, and ahead of sendfile for one connection (measured; `npm run bench files`).
 */
export class FileBody extends Readable {
  readonly #file: FileHandle;
  readonly #end: number;
  #offset: number;

  /** Takes over `file`, and closes it in the end. */
  constructor(file: FileHandle, range: ByteRange) {
    super({ highWaterMark: CHUNK });
    this.#file = file;
    this.#offset = range.start;
    this.#end = range.end + 1;
  }

  override _read(): void {
    const length = Math.min(CHUNK, this.#end - this.#offset);
    if (length <= 0) {
      this.push(null);
      return;
    }
    this.#readInto(Buffer.allocUnsafe(length), length).then(
      (chunk) => this.push(chunk),
      (error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#file.close().then(
      () => done(error),
      () => done(error),
    );
  }

  /**
   * Hands all bytes to `write` in their order, and destroys the stream. Not for a stream that is being read.
   * @param write resolves when the chunk is no longer needed: its buffer is used again then
   */
  async writeTo(write: (chunk: Buffer) => Promise<void>): Promise<void> {
    const first = take();
    const buffers = [first, this.#end - this.#offset > first.length ? take() : undefined];
    try {
      let next = this.#next(buffers[0]);
      for (let turn = 1; next; turn += 1) {
        const chunk = await next;
        next = this.#next(buffers[turn % 2]);
        // a read that fails while this one is sent is met when its turn comes
        next?.catch(() => undefined);
        await write(chunk);
      }
      for (const buffer of buffers) if (buffer?.length === CHUNK) idle.push(buffer);
    } finally {
      for (const buffer of buffers) if (buffer?.length === CHUNK) lent -= 1;
      this.destroy();
    }
  }

  #next(buffer: Buffer | undefined): Promise<Buffer> | undefined {
    const length = Math.min(buffer?.length ?? 0, this.#end - this.#offset);
    return buffer && length > 0 ? this.#readInto(buffer, length) : undefined;
  }

  async #readInto(buffer: Buffer, length: number): Promise<Buffer> {
    const offset = this.#offset;
    this.#offset += length;
    try {
      for (let read = 0; read < length; ) {
        const { bytesRead } = await this.#file.read(buffer, read, length - read, offset + read);
        if (bytesRead === 0) throw new MirrorError('corrupt', 'blob', 'a file of the store is shorter than it was');
        read += bytesRead;
      }
    } catch (error) {
      throw fromSystemError(error, 'store');
    }
    return buffer.length === length ? buffer : buffer.subarray(0, length);
  }
}

function take(): Buffer {
  if (lent >= MOST_LENT) return Buffer.allocUnsafeSlow(SMALL_CHUNK);
  lent += 1;
  return idle.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
}
