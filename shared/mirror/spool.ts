import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { MirrorError } from '../model/errors.ts';
import { FLUSH } from '../storage/disk-files.ts';
import { RecentBytes } from './recent-bytes.ts';

const CHUNK = 1 << 20;
/** Bytes from the start that are kept in memory: whoever asks first has them without the way over the disk. */
const HEAD = 256 << 10;
/** Bytes that may wait for the disk before the origin is held back. */
const MOST_WAITING = 4 << 20;

/**
 * A growing file that is written at one end and read by many, each at its own pace. Writes are gathered while the disk
 * is busy; readers see what is written, up to where they are allowed.
 */
export class Spool {
  readonly path: string;
  readonly #file: FileHandle;
  #head = Buffer.alloc(0);
  readonly #recent = new RecentBytes();
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #flushing: Promise<void> | undefined;
  #failed: unknown;
  #written = 0;
  #synced = 0;
  #syncing: Promise<void> | undefined;
  #users = 1;
  #sleepers: (() => void)[] = [];

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** @param expected bytes to come, when known: refused at once when they cannot fit */
  static async open(path: string, expected: number | undefined, subject: string): Promise<Spool> {
    if (expected !== undefined) {
      const { bavail, bsize } = await statfs(dirname(path));
      if (expected > bavail * bsize) {
        throw new MirrorError(
          'out-of-space',
          subject,
          `${expected} bytes do not fit into the ${bavail * bsize} that the store has left`,
        );
      }
    }
    return new Spool(path, await open(path, 'wx+', 0o600));
  }

  /** Bytes that are on disk. */
  get written(): number {
    return this.#written;
  }

  /** Bytes that can be read. */
  get readable(): number {
    return Math.max(this.#written, this.#head.length);
  }

  /** Takes bytes; waits when the disk is behind. */
  async write(chunk: Buffer): Promise<void> {
    if (this.#failed) throw this.#failed;
    this.#keepHead(chunk);
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#flushing ??= this.#flush();
    if (this.#waitingBytes > MOST_WAITING) await this.#flushing;
  }

  #keepHead(chunk: Buffer): void {
    const missing = HEAD - this.#head.length;
    if (missing <= 0) return;
    this.#head = Buffer.concat([this.#head, chunk.subarray(0, missing)]);
    this.wake();
  }

  /** Waits until all is on disk. */
  async flushed(): Promise<void> {
    await this.#flushing;
    if (this.#failed) throw this.#failed;
    // an error of the disk is told once: it must be heard
    await this.#syncing;
  }

  /** Throws away what was written: the download starts over. */
  async restart(): Promise<void> {
    await this.flushed();
    await this.#file.truncate(0);
    this.#written = 0;
    this.#synced = 0;
    this.#head = Buffer.alloc(0);
    this.#recent.clear();
  }

  async #flush(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const chunks = this.#waiting;
        const length = this.#waitingBytes;
        this.#waiting = [];
        this.#waitingBytes = 0;
        await this.#writeAll(chunks, length);
        this.wake();
        await this.#sync();
      }
    } catch (error) {
      this.#failed = error;
      this.wake();
    } finally {
      this.#flushing = undefined;
    }
  }

  /** Sets the disk to work now and then, beside the writing, so that little is left to wait for at the end. */
  async #sync(): Promise<void> {
    if (this.#written - this.#synced < FLUSH) return;
    await this.#syncing;
    this.#synced = this.#written;
    this.#syncing = this.#file.datasync();
    this.#syncing.catch(() => undefined);
  }

  async #writeAll(chunks: Buffer[], length: number): Promise<void> {
    let { bytesWritten: done } = await this.#file.writev(chunks, this.#written);
    if (done < length) {
      const whole = Buffer.concat(chunks);
      while (done < length)
        done += (await this.#file.write(whole, done, length - done, this.#written + done)).bytesWritten;
    }
    // one reader alone has enough of the disk
    if (this.#users > 2) this.#recent.add(chunks, this.#written);
    else this.#recent.clear();
    this.#written += length;
  }

  /** Lets readers look again: more is there, or it is over. */
  wake(): void {
    const sleepers = this.#sleepers;
    this.#sleepers = [];
    for (const wake of sleepers) wake();
  }

  /**
   * A reader of bytes `start` to `end` (unset: to the end).
   * @param visible bytes that may be seen so far, and whether no more will come; throws when the download failed
   */
  read(start: number, end: number | undefined, visible: () => { bytes: number; over: boolean }): Readable {
    this.#users += 1;
    const stream = Readable.from(this.#bytes(start, end ?? Number.POSITIVE_INFINITY, visible), {
      objectMode: false,
      highWaterMark: CHUNK,
    });
    stream.once('close', () => void this.release());
    return stream;
  }

  async *#bytes(start: number, end: number, visible: () => { bytes: number; over: boolean }): AsyncGenerator<Buffer> {
    for (let offset = start; offset <= end; ) {
      const { bytes, over } = visible();
      const length = Math.min(CHUNK, Math.min(bytes, this.readable) - offset, end + 1 - offset);
      const near = length > 0 ? this.#inMemory(offset, length) : undefined;
      if (near) {
        offset += near.length;
        yield near;
      } else if (length > 0) {
        const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, offset);
        offset += bytesRead;
        yield buffer.subarray(0, bytesRead);
      } else if (over) {
        return;
      } else {
        await new Promise<void>((resolve) => this.#sleepers.push(resolve));
      }
    }
  }

  #inMemory(offset: number, length: number): Buffer | undefined {
    if (offset < this.#head.length) return this.#head.subarray(offset, offset + length);
    return this.#recent.at(offset, length);
  }

  /** One user fewer; the last one closes the file. The name is the owner's to remove. */
  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#recent.clear();
    await this.#file.close().catch(() => undefined);
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}
