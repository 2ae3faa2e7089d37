import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { ByteRange } from '../model/byte-range.ts';
import { type Measured, PromiseCheck } from '../model/digest.ts';
import type { Facts } from '../model/entry.ts';
import { fromSystemError, isKind, MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { temporaryName } from '../storage/owned-files.ts';
import type { Fresh, Upstream } from '../upstream/upstream.ts';
import { Spool } from './spool.ts';

/** Bytes at the end that no reader gets before the whole was checked. */
const WITHHELD = 64 * 1024;
/** A reader that starts this far ahead of the download is served from the origin by a request of its own. */
export const FAR_AHEAD = 4 << 20;
/** Connections that may break during one download. */
const MOST_BREAKS = 6;

export interface FillOptions {
  upstream: Upstream;
  spoolDir: string;
  signal: AbortSignal;
  /** Milliseconds before the first attempt to go on; doubled each time. */
  pause: number;
  resumed(at: number, reason: string): void;
}

/**
 * One download with many readers. It goes at the origin's pace and goes on when readers leave; it is continued by Range
 * when the origin breaks off; it is measured as it comes, and its last bytes are withheld until every promise held.
 */
export class Fill {
  readonly ref: Ref;
  readonly facts: Facts;
  /** The bytes are on disk and are what was promised. Rejects when the download failed; nothing is kept then. */
  readonly measured: Promise<Measured>;
  readonly #options: FillOptions;
  readonly #spool: Spool;
  readonly #first: Fresh;
  #state: 'running' | 'over' | 'failed' = 'running';
  #error: MirrorError | undefined;
  #check: PromiseCheck;
  #handedOut = false;

  private constructor(ref: Ref, first: Fresh, spool: Spool, check: PromiseCheck, options: FillOptions) {
    this.ref = ref;
    this.#first = first;
    this.#spool = spool;
    this.#options = options;
    this.facts = { ...first.facts, size: first.facts.size ?? ref.promised?.size };
    this.#check = check;
    this.measured = this.#run();
    this.measured.catch(() => undefined);
  }

  /** Starts on what an origin has begun to send. */
  static async start(ref: Ref, first: Fresh, options: FillOptions): Promise<Fill> {
    // until somebody reads it, an error of the body is nobody's; it comes up again when it is read
    first.body.on('error', () => undefined);
    try {
      const path = join(options.spoolDir, temporaryName('.spool'));
      const check = await PromiseCheck.start(ref.promised, first.promised);
      const spool = await Spool.open(path, first.facts.size ?? ref.promised?.size, ref.subject);
      return new Fill(ref, first, spool, check, options);
    } catch (error) {
      first.body.destroy();
      throw fromSystemError(error, ref.subject);
    }
  }

  get spoolPath(): string {
    return this.#spool.path;
  }

  /** Bytes that readers may have by now. */
  get arrived(): number {
    return this.#visible().bytes;
  }

  /** True when a reader that starts there would wait long. */
  isFarBehind(start: number): boolean {
    return this.#state === 'running' && start > this.#spool.written + FAR_AHEAD;
  }

  open(range?: ByteRange): Readable {
    this.#handedOut = true;
    return this.#spool.read(range?.start ?? 0, range?.end, () => this.#visible());
  }

  /** The bytes are kept, under their name: nothing is withheld any more, and the spool may go. */
  async finish(): Promise<void> {
    this.#state = 'over';
    await this.#leave();
  }

  /** Ends the readers with an error; what was spooled goes. */
  async fail(error: MirrorError): Promise<void> {
    this.#state = 'failed';
    this.#error = error;
    await this.#leave();
  }

  async #leave(): Promise<void> {
    this.#spool.wake();
    await this.#spool.release();
    await this.#spool.remove();
  }

  #visible(): { bytes: number; over: boolean } {
    if (this.#state === 'failed') throw this.#error!;
    if (this.#state === 'over') return { bytes: this.#spool.written, over: true };
    const { readable } = this.#spool;
    const size = this.facts.size ?? readable;
    return { bytes: Math.min(readable, Math.max(0, size - WITHHELD)), over: false };
  }

  async #run(): Promise<Measured> {
    try {
      let body: Readable | undefined = this.#first.body;
      for (let breaks = 0; body; breaks += 1) {
        const reason = await this.#take(body);
        if (reason === undefined) break;
        if (breaks >= MOST_BREAKS) throw reason;
        await this.#wait(breaks);
        this.#options.resumed(this.#check.size, reason.message);
        body = await this.#goOn(reason);
      }
      await this.#spool.flushed();
      return this.#check.finish(this.ref.subject);
    } catch (error) {
      throw fromSystemError(error, this.ref.subject);
    }
  }

  /** Takes what comes. @returns why it ended too early, or undefined when all is there */
  async #take(body: Readable): Promise<MirrorError | undefined> {
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        await this.#keep(chunk);
      }
    } catch (error) {
      body.destroy();
      this.#options.signal.throwIfAborted();
      if (error instanceof MirrorError && error.kind !== 'upstream-failed') throw error;
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
      return new MirrorError(
        'upstream-failed',
        this.ref.subject,
        `the origin broke off (${(error as Error).message})`,
        { cause: error },
      );
    }
    const { size } = this.facts;
    if (size === undefined || this.#check.size >= size) return undefined;
    return new MirrorError(
      'upstream-failed',
      this.ref.subject,
      `the origin ended after ${this.#check.size} of ${size} bytes`,
    );
  }

  async #keep(chunk: Buffer): Promise<void> {
    const { size } = this.facts;
    this.#check.update(chunk);
    if (size !== undefined && this.#check.size > size) {
      throw new MirrorError('corrupt', this.ref.subject, `${size} bytes were promised and more arrived`);
    }
    await this.#spool.write(chunk);
  }

  async #wait(breaks: number): Promise<void> {
    const { signal, pause } = this.#options;
    await setTimeout(pause * 2 ** breaks, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }

  /** Asks for the rest. An origin that cannot give a part is read again from the start, without what is here. */
  async #goOn(reason: MirrorError): Promise<Readable> {
    const { etag, lastModified } = this.#first.facts;
    const start = this.#check.size;
    const range = start > 0 ? { start } : undefined;
    const arrival = await this.#ask(range, range && { etag, lastModified }, reason);
    if (arrival.range?.start === start) return arrival.body;
    if (this.#isSame(arrival.facts)) return skip(arrival.body, start);
    if (this.#handedOut) {
      arrival.body.destroy();
      throw new MirrorError(
        'upstream-failed',
        this.ref.subject,
        'it changed at the origin while it was being downloaded; ask again',
      );
    }
    await this.#spool.restart();
    this.#check = await PromiseCheck.start(this.ref.promised, this.#first.promised);
    return arrival.body;
  }

  async #ask(
    range: { start: number } | undefined,
    validators: { etag?: string; lastModified?: string } | undefined,
    reason: MirrorError,
  ): Promise<Fresh> {
    const { upstream, signal } = this.#options;
    try {
      const arrival = await upstream.fetch(this.ref, { range, validators, signal });
      if (arrival.outcome === 'fresh') return arrival;
    } catch (error) {
      if (!isKind(error, 'upstream-failed')) throw error;
      // no connection now: as if it had broken at once, so that it is tried again
      return {
        outcome: 'fresh',
        facts: this.#first.facts,
        range: { start: this.#check.size, end: 0 },
        body: broken(error),
      };
    }
    throw reason;
  }

  #isSame(facts: Facts): boolean {
    if (this.ref.promised?.sha256 !== undefined) return true;
    return facts.etag !== undefined && facts.etag === this.#first.facts.etag;
  }
}

/** A body that fails at its first byte. */
function broken(error: Error): Readable {
  return new Readable({
    read() {
      this.destroy(error);
    },
  });
}

/** A body without its first `count` bytes. */
function skip(body: Readable, count: number): Readable {
  async function* rest(): AsyncGenerator<Buffer> {
    let left = count;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (left < chunk.length) yield chunk.subarray(left);
      left = Math.max(0, left - chunk.length);
    }
  }
  return Readable.from(rest(), { objectMode: false });
}
