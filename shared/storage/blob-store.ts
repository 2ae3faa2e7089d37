import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ByteRange } from '../model/byte-range.ts';
import {
  type Digest,
  digestOfHex,
  hashesFor,
  hexOf,
  judged,
  type Measured,
  PromiseCheck,
  type Promised,
} from '../model/digest.ts';
import { fromSystemError, MirrorError } from '../model/errors.ts';
import type { HashWish } from '../model/running-hash.ts';
import { type Delivery, type Elsewhere, elsewhereOf, type Wanted } from './delivery.ts';
import { writeSynced } from './disk-files.ts';
import { HashedBody } from './hashed-body.ts';
import type { ObjectStore } from './object-store.ts';
import { temporaryName } from './owned-files.ts';
import { BLOBS, blobPath } from './paths.ts';

/** Bytes that are offered again and are older than this (ms) are touched, so that no garbage collection takes them. */
const OLD = 3_600_000;
/** Up to so many bytes need no file while they are measured. */
const SMALL = 64 * 1024;

export interface IngestOptions {
  /** What the protocol calls it: "layer", "file". */
  subject: string;
  promised?: Promised[];
  /** Further hashes of the bytes. */
  more?: HashWish[];
  /** Looks at all hashes before anything is kept; throws when they are not what they should be. */
  check?(hashes: ReadonlyMap<string, string>): void;
  signal?: AbortSignal;
  /** Nobody else has the chunks of the body, as those of a request: their memory may be given back at once. */
  owned?: boolean;
}

/** Blobs that were there a moment ago, and are believed to be. */
const MOST_RECENT = 20_000;

export interface BlobStoreOptions {
  spoolDir: string;
  delivery?: Delivery;
  now?(): number;
  believe?: number;
}

/**
 * Bytes under their own sha256. What is put is measured on its way in, so a name in here can be believed; what became
 * of it since, `larder store verify` says.
 *
 * The measuring is done in place: while one chunk is hashed, the one before is on its way to the disk, and the two
 * together take little longer than the hash alone (three times the speed of `sha256sum`; a worker thread brought
 * nothing that a bundle or a download could use). What is sent here and needs more than one hash has threads for them.
 */
export class BlobStore {
  /** Where bytes wait until they are measured: on the store's own file system where it has one. */
  readonly spoolDir: string;
  readonly #objects: ObjectStore;
  readonly #delivery: Delivery | undefined;
  readonly #now: () => number;
  readonly #believe: number;
  /** When a blob was seen. Absence is never remembered. */
  readonly #seen = new Map<Digest, number>();

  /**
   * @param options.believe milliseconds for which a blob that was there is taken to be there still: where each look is a
   * question to an engine
   */
  constructor(objects: ObjectStore, options: BlobStoreOptions) {
    this.#objects = objects;
    this.#delivery = options.delivery;
    this.#now = options.now ?? Date.now;
    this.#believe = options.believe ?? 0;
    this.spoolDir = options.spoolDir;
  }

  /** Bytes of a blob; undefined when it is not held. */
  async size(digest: Digest): Promise<number | undefined> {
    return (await this.#objects.head(blobPath(digest)))?.size;
  }

  /** Whether it is there, or was a moment ago. */
  async isHeld(digest: Digest): Promise<boolean> {
    const seen = this.#seen.get(digest);
    if (seen !== undefined && Math.abs(this.#now() - seen) < this.#believe) return true;
    this.#seen.delete(digest);
    if ((await this.size(digest)) === undefined) return false;
    if (this.#seen.size >= MOST_RECENT) this.#seen.clear();
    if (this.#believe > 0) this.#seen.set(digest, this.#now());
    return true;
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

  /** Where clients get so much of it without us; undefined when we send it ourselves. */
  async elsewhere(digest: Digest, wanted: Wanted): Promise<Elsewhere | undefined> {
    if (!this.#delivery || wanted.bytes <= this.#delivery.minBytes) return undefined;
    return elsewhereOf(await this.#objects.locate?.(blobPath(digest), wanted), this.#delivery);
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

  /**
   * Keeps `body` under `digest`. Throws `corrupt`, and keeps nothing, when it is something else. When the bytes are
   * held already `body` is closed unread: whoever sends a request's own body asks `size` first.
   */
  async put(digest: Digest, size: number, body: Readable): Promise<void> {
    if (await this.#holds(digest, size)) {
      body.destroy();
      return;
    }
    const check = await PromiseCheck.start({ sha256: hexOf(digest), size });
    const arriving = Readable.from(checked(body, check), { objectMode: false, highWaterMark: 1 << 20 });
    await this.#objects.put(blobPath(digest), arriving, { size });
  }

  /** Takes over a local file that the caller has measured; it is gone afterwards. */
  async putFile(digest: Digest, size: number, path: string): Promise<void> {
    if (await this.#holds(digest, size)) await rm(path, { force: true });
    else await this.#objects.putFile(blobPath(digest), path, size);
  }

  /**
   * Measures what arrives, checks it against `promised`, and keeps it. Throws `corrupt` and keeps nothing when a
   * promise is broken.
   * @returns also all hashes that were worked out, hex by name
   */
  async ingest(
    body: AsyncIterable<Buffer>,
    options: IngestOptions,
  ): Promise<Measured & { hashes: ReadonlyMap<string, string> }> {
    const { subject, promised = [], more = [], owned } = options;
    const path = join(this.spoolDir, temporaryName('.ingest'));
    const hashed = new HashedBody([...hashesFor(promised), ...more], owned);
    let small: Buffer | undefined;
    const spool = async (source: AsyncIterable<Buffer>) => {
      small = await hashed.whole(source, SMALL);
      if (small) return;
      await mkdir(this.spoolDir, { recursive: true });
      await writeSynced(path, hashed.rest());
    };
    try {
      // setting up a pipeline takes longer than reading a small body
      if (options.signal) await pipeline(body, spool, { signal: options.signal });
      else await spool(body);
      const { size, hashes } = await hashed.finish();
      const found = judged(hashes, size, promised, subject);
      options.check?.(hashes);
      if (!small) await this.putFile(found.digest, size, path);
      else if (!(await this.#holds(found.digest, size))) await this.#objects.put(blobPath(found.digest), small);
      return { ...found, hashes };
    } catch (error) {
      options.signal?.throwIfAborted();
      throw fromSystemError(error, subject);
    } finally {
      hashed.release();
      if (!small) await rm(path, { force: true });
    }
  }

  async delete(digest: Digest): Promise<void> {
    this.#seen.delete(digest);
    await this.#objects.delete(blobPath(digest));
  }

  async *list(): AsyncGenerator<{ digest: Digest; size: number; modified: Date }> {
    for await (const { key, size, modified } of this.#objects.list(BLOBS)) {
      const hex = key.slice(BLOBS.length);
      if (/^[0-9a-f]{64}$/.test(hex)) yield { digest: digestOfHex(hex), size, modified };
    }
  }

  /** True when the bytes are here already; a blob of another size was torn by something else, and is written again. */
  async #holds(digest: Digest, size: number): Promise<boolean> {
    const held = await this.#objects.head(blobPath(digest));
    if (held?.size !== size) return false;
    if (Date.now() - held.modified.getTime() > OLD) await this.#objects.touch?.(blobPath(digest), new Date());
    return true;
  }
}

/**
 * Passes bytes on and fails at their end when they are not what was promised. The last chunk is held back until then:
 * an engine that was told the size would take the object for whole.
 */
async function* checked(body: AsyncIterable<Buffer>, check: PromiseCheck): AsyncGenerator<Buffer> {
  let last: Buffer | undefined;
  for await (const chunk of measured(body, check)) {
    if (last) yield last;
    last = chunk;
  }
  check.finish('blob');
  if (last) yield last;
}

async function* measured(body: AsyncIterable<Buffer>, check: PromiseCheck): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    check.update(chunk);
    yield chunk;
  }
}
