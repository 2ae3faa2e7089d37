import { connect as connectTcp, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type ByteRange, lengthOf } from '../model/byte-range.ts';
import { MirrorError } from '../model/errors.ts';
import { type AnswerFields, HEAD_END, MOST_HEAD, readAnswer, UnfitAnswer } from './engine-answer.ts';
import type { SelfWriting } from './self-writing.ts';
import { TwoBuffers } from './two-buffers.ts';

/** Milliseconds of silence after which an engine is given up. */
const LIMIT = 60_000;

/**
 * A large part of an object as an engine sends it, over a connection of its own. node:http hands on 64 KiB at a time and
 * reaches half of this; here the socket reads into two large buffers, one of which is filled while the other is written.
 */
export class EngineBody extends Readable implements SelfWriting {
  readonly #socket: Socket;
  readonly #limit: number;
  readonly #received = new TwoBuffers();
  /** Bytes of the body that were not passed on yet; what comes before the head is read is not limited. */
  #left = Number.POSITIVE_INFINITY;
  /** All was passed on, and nobody uses the last of it any more. */
  #isOver = false;
  #isPaused = false;
  #failure: Error | undefined;
  #awaited: { resolve(): void; reject(error: Error): void } | undefined;

  private constructor(url: URL, limit: number) {
    super({ highWaterMark: 1 << 20 });
    this.#limit = limit;
    const onread = { buffer: () => this.#received.room(), callback: (bytes: number) => this.#arrived(bytes) };
    const isTls = url.protocol === 'https:';
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const where = { host, port: Number(url.port) || (isTls ? 443 : 80), onread };
    this.#socket = isTls ? connectTls({ ...where, servername: host }) : connectTcp(where);
    this.#socket.setNoDelay(true).setTimeout(limit);
    // silence is the engine's only while it is listened to: a client may take its time
    this.#socket.on('timeout', () => this.#isPaused || this.#fail(new Error(`silent for ${limit} ms`)));
    this.#socket.once('error', (error) => this.#fail(error));
    this.#socket.once('close', () => this.#fail(new Error('the connection was closed')));
  }

  /**
   * Asks for `range` of what is at a presigned URL. Throws `UnfitAnswer` when another client must be asked, and
   * `unavailable` when the engine says nothing.
   * @param limit milliseconds of silence
   */
  static async open(url: string, range: ByteRange, limit = LIMIT): Promise<{ fields: AnswerFields; body: EngineBody }> {
    const { host, origin } = new URL(url);
    const body = new EngineBody(new URL(url), limit);
    const target = url.slice(origin.length);
    const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nRange: bytes=${range.start}-${range.end}\r\nConnection: close\r\n\r\n`;
    try {
      body.#socket.write(request);
      return { fields: await body.#head(range), body };
    } catch (error) {
      body.on('error', () => undefined).destroy();
      throw error;
    }
  }

  async #head(range: ByteRange): Promise<AnswerFields> {
    let end = -1;
    while (end < 0) {
      if (this.#received.peek().length > MOST_HEAD) throw new UnfitAnswer();
      await this.#more();
      end = this.#received.peek().indexOf(HEAD_END);
    }
    const fields = readAnswer(this.#received.peek().toString('latin1', 0, end), range);
    this.#received.skip(end + HEAD_END.length);
    this.#left = lengthOf(range);
    return fields;
  }

  override _read(): void {
    this.#next().then(
      // who reads the stream may keep what it is given, and the buffer is used again
      (chunk) => this.push(chunk ? Buffer.from(chunk) : null),
      (error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    this.#fail(error ?? new Error('nobody reads on'));
    this.#received.giveBack(this.#isOver);
    done(error);
  }

  async writeTo(write: (chunk: Buffer) => Promise<void>): Promise<void> {
    try {
      for (let chunk = await this.#next(); chunk; chunk = await this.#next()) await write(chunk);
    } finally {
      this.destroy();
    }
  }

  /** The next bytes, good until the next call; undefined at the end. */
  async #next(): Promise<Buffer | undefined> {
    this.#isOver = this.#left === 0;
    if (this.#isOver) return undefined;
    let chunk = this.#take();
    while (!chunk) {
      await this.#more();
      chunk = this.#take();
    }
    this.#left -= chunk.length;
    return chunk;
  }

  #take(): Buffer | undefined {
    const chunk = this.#received.take(this.#left);
    if (this.#isPaused && !this.#received.isFull) {
      this.#isPaused = false;
      // what a pause left of its patience is no longer right
      this.#socket.setTimeout(this.#limit).resume();
    }
    return chunk;
  }

  async #more(): Promise<void> {
    if (this.#failure) throw this.#broken(this.#failure);
    await new Promise<void>((resolve, reject) => {
      this.#awaited = { resolve, reject };
    });
  }

  /** @returns false when there is no room for more */
  #arrived(bytes: number): boolean {
    this.#received.fill(bytes);
    this.#isPaused = this.#received.isFull;
    this.#awaited?.resolve();
    this.#awaited = undefined;
    return !this.#isPaused;
  }

  /** Told when what arrived before is used up. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#awaited?.reject(this.#broken(this.#failure));
    this.#awaited = undefined;
  }

  #broken(cause: Error): MirrorError {
    const what = this.#left === Number.POSITIVE_INFINITY ? 'gave no answer' : 'broke off in the middle of an object';
    return new MirrorError('unavailable', 'store', `the engine ${what} (${cause.message})`, { cause });
  }
}
