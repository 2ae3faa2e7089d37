import { readFile, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from '../model/byte-range.ts';
import { MirrorError } from '../model/errors.ts';
import type { DeleteOptions, ObjectStat, ObjectStore, PutOptions, PutOutcome } from './object-store.ts';

interface Held {
  bytes: Buffer;
  etag: string;
  modified: Date;
}

/** Objects in memory: for tests, and for what is written over a bundle. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, Held>();
  #writes = 0;

  async head(key: string): Promise<ObjectStat | undefined> {
    const held = this.#objects.get(key);
    return held && { size: held.bytes.length, etag: held.etag, modified: held.modified };
  }

  async get(key: string, range?: ByteRange): Promise<{ stat: ObjectStat; body: Readable } | undefined> {
    const held = this.#objects.get(key);
    if (!held) return undefined;
    const bytes = range ? held.bytes.subarray(range.start, range.end + 1) : held.bytes;
    const stat = { size: held.bytes.length, etag: held.etag, modified: held.modified };
    return { stat, body: Readable.from(pieces(bytes), { objectMode: false }) };
  }

  async put(key: string, body: Readable | Buffer, options: PutOptions = {}): Promise<PutOutcome> {
    const bytes = Buffer.isBuffer(body) ? Buffer.from(body) : Buffer.concat(await body.toArray());
    if (options.size !== undefined && options.size !== bytes.length) {
      throw new MirrorError('internal', 'store', `${options.size} bytes were announced and ${bytes.length} came`);
    }
    return this.#set(key, bytes, options);
  }

  async putFile(key: string, path: string, size: number): Promise<PutOutcome> {
    const outcome = await this.put(key, await readFile(path), { size });
    await rm(path, { force: true });
    return outcome;
  }

  /** Nothing is awaited between the look and the write, so that of two racing puts one wins. */
  #set(key: string, bytes: Buffer, options: PutOptions): PutOutcome {
    const held = this.#objects.get(key);
    if (options.ifAbsent && held) return { stored: false };
    if (options.ifMatch !== undefined && held?.etag !== options.ifMatch) return { stored: false };
    this.#writes += 1;
    const etag = `m${this.#writes}`;
    const modified = new Date();
    this.#objects.set(key, { bytes, etag, modified });
    return { stored: true, etag, modified };
  }

  async copy(from: string, to: string): Promise<boolean> {
    const held = this.#objects.get(from);
    if (!held) return false;
    this.#set(to, held.bytes, {});
    return true;
  }

  async touch(key: string, now: Date): Promise<void> {
    const held = this.#objects.get(key);
    if (held) this.#objects.set(key, { ...held, modified: now });
  }

  async delete(key: string, { ifMatch }: DeleteOptions = {}): Promise<boolean> {
    if (ifMatch !== undefined && this.#objects.get(key)?.etag !== ifMatch) return false;
    this.#objects.delete(key);
    return true;
  }

  async *list(prefix: string, after = ''): AsyncGenerator<{ key: string; size: number; modified: Date }> {
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    for (const key of keys) {
      const held = this.#objects.get(key);
      if (held) yield { key, size: held.bytes.length, modified: held.modified };
    }
  }

  async check(): Promise<void> {}

  async sweep(): Promise<void> {}

  async close(): Promise<void> {}
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 1 << 20) yield bytes.subarray(offset, offset + (1 << 20));
}
