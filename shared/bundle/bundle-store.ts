import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ByteRange } from '../model/byte-range.ts';
import { digestOfHex } from '../model/digest.ts';
import { MirrorError } from '../model/errors.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import type { DeleteOptions, ObjectStat, ObjectStore, PutOptions, PutOutcome } from '../storage/object-store.ts';
import { blobPath, catalogPath } from '../storage/paths.ts';
import { blobMember } from './layout.ts';
import type { OpenedBundle } from './open.ts';

/**
 * "A bundle is a Store that you can carry": shows an opened bundle as an ObjectStore, so that a service can run over it
 * as it stands on its medium. Nothing is written to the medium; what a service writes meanwhile (wants, extracted
 * metadata) stays in memory and goes with it.
 */
export class BundleObjects implements ObjectStore {
  readonly #bundle: OpenedBundle;
  readonly #memory = new MemoryStore();
  readonly #blobs = new Map<string, string>();

  private constructor(bundle: OpenedBundle) {
    this.#bundle = bundle;
    for (const hex of bundle.blobs.keys()) this.#blobs.set(blobPath(digestOfHex(hex)), hex);
  }

  static async open(bundle: OpenedBundle): Promise<BundleObjects> {
    const objects = new BundleObjects(bundle);
    for await (const item of bundle.items()) {
      for (const entry of [...item.entries, ...item.refs]) {
        await objects.#memory.put(catalogPath(item.service, entry.key), Buffer.from(JSON.stringify(entry)));
      }
    }
    return objects;
  }

  async head(key: string): Promise<ObjectStat | undefined> {
    const hex = this.#blobs.get(key);
    return hex === undefined ? this.#memory.head(key) : this.#stat(hex);
  }

  async get(key: string, range?: ByteRange): Promise<{ stat: ObjectStat; body: Readable } | undefined> {
    const hex = this.#blobs.get(key);
    if (hex === undefined) return this.#memory.get(key, range);
    const path = join(this.#bundle.dir, blobMember(hex));
    return { stat: this.#stat(hex), body: createReadStream(path, { ...range, highWaterMark: 1 << 20 }) };
  }

  #stat(hex: string): ObjectStat {
    return { size: this.#bundle.blobs.get(hex)!, etag: hex, modified: new Date(this.#bundle.head.created) };
  }

  async put(key: string, body: Readable | Buffer, options?: PutOptions): Promise<PutOutcome> {
    return this.#memory.put(key, body, options);
  }

  async putFile(key: string, path: string, size: number): Promise<PutOutcome> {
    return this.#memory.putFile(key, path, size);
  }

  async copy(from: string, to: string): Promise<boolean> {
    if (!this.#blobs.has(from)) return this.#memory.copy(from, to);
    throw new MirrorError('forbidden', 'bundle', 'a bundle is read, never written to');
  }

  async delete(key: string, options?: DeleteOptions): Promise<boolean> {
    if (this.#blobs.has(key)) throw new MirrorError('forbidden', 'bundle', 'a bundle is read, never written to');
    return this.#memory.delete(key, options);
  }

  async *list(prefix: string, after = ''): AsyncIterable<{ key: string; size: number; modified: Date }> {
    const own = [...this.#blobs].filter(([key]) => key.startsWith(prefix) && key > after);
    const found = own.map(([key, hex]) => ({ key, ...this.#stat(hex) }));
    for await (const object of this.#memory.list(prefix, after)) found.push({ ...object, etag: '' });
    yield* found.sort((one, other) => (one.key < other.key ? -1 : 1));
  }

  async check(): Promise<void> {}

  async sweep(): Promise<void> {}

  async close(): Promise<void> {
    await this.#memory.close();
  }
}
