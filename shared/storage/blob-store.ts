import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ByteRange } from '../model/byte-range.ts';
import { type Digest, digestOfHex, hexOf, type Measured, PromiseCheck, type Promised } from '../model/digest.ts';
import { fromSystemError, MirrorError } from '../model/errors.ts';
import type { ObjectStore } from './object-store.ts';
import { temporaryName } from './owned-files.ts';
import { BLOBS, blobPath } from './paths.ts';

/**
 * Bytes under their own sha256. What is put is measured on its way in, so a name in here can be believed; what became
 * of it since, `larder store verify` says.
 */
export class BlobStore {
  /** Where bytes wait until they are measured: on the store's own file system where it has one. */
  readonly spoolDir: string;
  readonly #objects: ObjectStore;

  constructor(objects: ObjectStore, options: { spoolDir: string }) {
    this.#objects = objects;
    this.spoolDir = options.spoolDir;
  }

  /** Bytes of a blob; undefined when it is not held. */
  async size(digest: Digest): Promise<number | undefined> {
    return (await this.#objects.head(blobPath(digest)))?.size;
  }

  /** The bytes in chunks of up to 1 MiB. Throws `corrupt` when they are gone: a name points at them. */
  async open(digest: Digest, range?: ByteRange): Promise<Readable> {
    const found = await this.#objects.get(blobPath(digest), range);
    if (found) return found.body;
    throw new MirrorError(
      'corrupt',
      'blob',
      `${digest} is not in the store although a name points at it; run "larder store verify"`,
    );
  }

  /** A small blob whole. Throws `too-large` beyond `maxBytes`. */
  async read(digest: Digest, maxBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of (await this.open(digest)) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) throw new MirrorError('too-large', 'blob', `${digest} is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }

  /** Keeps `body` under `digest`. Throws `corrupt`, and keeps nothing, when it is something else. */
  async put(digest: Digest, size: number, body: Readable): Promise<void> {
    if ((await this.size(digest)) === size) {
      body.destroy();
      return;
    }
    const check = new PromiseCheck({ sha256: hexOf(digest), size });
    await this.#objects.put(
      blobPath(digest),
      Readable.from(checked(body, check), { objectMode: false, highWaterMark: 1 << 20 }),
      { size },
    );
  }

  /** Takes over a local file that the caller has measured; it is gone afterwards. */
  async putFile(digest: Digest, size: number, path: string): Promise<void> {
    if ((await this.size(digest)) === size) await rm(path, { force: true });
    else await this.#objects.putFile(blobPath(digest), path, size);
  }

  /**
   * Measures what arrives, checks it against `promised`, and keeps it. Throws `corrupt` and keeps nothing when a
   * promise is broken.
   */
  async ingest(
    body: Readable,
    options: { subject: string; promised?: Promised[]; signal?: AbortSignal },
  ): Promise<Measured> {
    const path = join(this.spoolDir, temporaryName('.ingest'));
    const check = new PromiseCheck(...(options.promised ?? []));
    try {
      await mkdir(this.spoolDir, { recursive: true });
      await pipeline(body, (source: AsyncIterable<Buffer>) => measured(source, check), createWriteStream(path), {
        signal: options.signal,
      });
      const found = check.finish(options.subject);
      await this.putFile(found.digest, found.size, path);
      return found;
    } catch (error) {
      throw fromSystemError(error, options.subject);
    } finally {
      await rm(path, { force: true });
    }
  }

  async delete(digest: Digest): Promise<void> {
    await this.#objects.delete(blobPath(digest));
  }

  async *list(): AsyncGenerator<{ digest: Digest; size: number; modified: Date }> {
    for await (const { key, size, modified } of this.#objects.list(BLOBS)) {
      const hex = key.slice(BLOBS.length);
      if (/^[0-9a-f]{64}$/.test(hex)) yield { digest: digestOfHex(hex), size, modified };
    }
  }
}

/** Passes bytes on, and fails at their end when they are not what was promised: what waits for the end keeps nothing. */
async function* checked(body: AsyncIterable<Buffer>, check: PromiseCheck): AsyncGenerator<Buffer> {
  yield* measured(body, check);
  check.finish('blob');
}

async function* measured(body: AsyncIterable<Buffer>, check: PromiseCheck): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    check.update(chunk);
    yield chunk;
  }
}
