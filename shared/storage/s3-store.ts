import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { ByteRange } from '../model/byte-range.ts';
import { MirrorError } from '../model/errors.ts';
import type { DeleteOptions, ObjectStat, ObjectStore, PutOptions, PutOutcome } from './object-store.ts';
import { retryConflicts } from './s3-conflicts.ts';
import { engineError, isAbsent, isRefusedCondition } from './s3-errors.ts';
import { locked } from './s3-lock.ts';
import type { S3Options } from './s3-options.ts';
import { ClientAddresses, presignForClient, presignOwn } from './s3-presign.ts';
import { openUrl } from './s3-read.ts';
import { upload } from './s3-upload.ts';
import { encodePath } from './sigv4.ts';

export { parseS3Url } from './s3-options.ts';

/** Up to here one request sends it whole. */
const SINGLE = 8 << 20;
/** Uploads that nobody finished are taken back after a day: a live one is never that old. */
const STALE = 86_400_000;

/** Objects in a bucket of an S3 engine. Writes are visible whole or not at all by the protocol itself. */
export class S3Store implements ObjectStore {
  readonly #client: S3Client;
  readonly #options: S3Options;
  readonly #place: string;
  readonly #addresses = new ClientAddresses();

  private constructor(options: S3Options) {
    const { accessKeyId, secretAccessKey, endpoint, region } = options;
    this.#options = options;
    this.#place = `s3://${options.bucket}/${options.prefix}`;
    this.#client = new S3Client({
      region,
      endpoint,
      forcePathStyle: endpoint !== undefined,
      maxAttempts: 4,
      // our own sha256 says what the bytes are
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    });
    retryConflicts(this.#client);
  }

  /**
   * Throws in words for the operator when the bucket cannot be used, or keeps no conditions.
   * @param how.toRead nothing is written: keys that may only read are enough
   */
  static async open(options: S3Options, how: { toRead?: boolean } = {}): Promise<S3Store> {
    const store = new S3Store(options);
    await store.check();
    if (!how.toRead) await store.#refuseWithoutConditions();
    return store;
  }

  async head(key: string): Promise<ObjectStat | undefined> {
    const found = await this.#absent(() => this.#client.send(new HeadObjectCommand(this.#at(key))));
    return found && { size: found.ContentLength ?? 0, etag: found.ETag!, modified: found.LastModified ?? new Date(0) };
  }

  async get(key: string, range?: ByteRange): Promise<{ stat: ObjectStat; body: Readable } | undefined> {
    const url = presignOwn(this.#options, await this.#client.config.credentials(), key);
    return openUrl(url, range).catch((error) => {
      throw engineError(error, this.#place);
    });
  }

  async locate(key: string, as: { mediaType: string; disposition?: string }): Promise<{ url: string }> {
    const sign = async () => presignForClient(this.#options, await this.#client.config.credentials(), key, as);
    return { url: await this.#addresses.of(key, as, sign) };
  }

  async put(key: string, body: Readable | Buffer, options: PutOptions = {}): Promise<PutOutcome> {
    return options.ifMatch ? locked(this, key, () => this.#put(key, body, options)) : this.#put(key, body, options);
  }

  async #put(key: string, body: Readable | Buffer, options: PutOptions): Promise<PutOutcome> {
    const conditions = {
      ...(options.ifAbsent ? { IfNoneMatch: '*' } : {}),
      ...(options.ifMatch ? { IfMatch: options.ifMatch } : {}),
    };
    try {
      if (Buffer.isBuffer(body)) return await this.#putBytes(key, body, options.size, conditions);
      if (options.size !== undefined && options.size <= SINGLE) {
        return await this.#putBytes(key, await collect(body, options.size), options.size, conditions);
      }
      const etag = await upload(this.#client, this.#at(key), body, { size: options.size, conditions });
      return { stored: true, etag };
    } catch (error) {
      if (isRefusedCondition(error) || (options.ifMatch && isAbsent(error))) return { stored: false };
      throw engineError(error, this.#place);
    }
  }

  async #putBytes(key: string, bytes: Buffer, size: number | undefined, conditions: object): Promise<PutOutcome> {
    if (size !== undefined && size !== bytes.length) {
      throw new MirrorError('internal', 'store', `${size} bytes were announced and ${bytes.length} came`);
    }
    const put = new PutObjectCommand({ ...this.#at(key), Body: bytes, ContentLength: bytes.length, ...conditions });
    const { ETag } = await this.#client.send(put);
    return { stored: true, etag: ETag! };
  }

  async putFile(key: string, path: string, size: number): Promise<PutOutcome> {
    try {
      const found = (await stat(path)).size;
      if (found !== size)
        throw new MirrorError('internal', 'store', `${size} bytes were announced and ${found} are there`);
      return await this.put(key, createReadStream(path, { highWaterMark: 1 << 20 }), { size });
    } finally {
      await rm(path, { force: true });
    }
  }

  async copy(from: string, to: string): Promise<boolean> {
    const CopySource = encodePath(`${this.#options.bucket}/${this.#options.prefix}${from}`);
    return (
      (await this.#absent(() => this.#client.send(new CopyObjectCommand({ ...this.#at(to), CopySource })))) !==
      undefined
    );
  }

  async delete(key: string, { ifMatch }: DeleteOptions = {}): Promise<boolean> {
    if (ifMatch !== undefined) return locked(this, key, () => this.#deleteMatching(key, ifMatch));
    await this.#absent(() => this.#client.send(new DeleteObjectCommand(this.#at(key))));
    return true;
  }

  /** Engines that know no condition of a deletion leave it out: so it is looked at here, too. */
  async #deleteMatching(key: string, IfMatch: string): Promise<boolean> {
    if ((await this.head(key))?.etag !== IfMatch) return false;
    try {
      await this.#client.send(new DeleteObjectCommand({ ...this.#at(key), IfMatch }));
      return true;
    } catch (error) {
      if (isRefusedCondition(error) || isAbsent(error)) return false;
      throw engineError(error, this.#place);
    }
  }

  async *list(prefix: string, after?: string): AsyncGenerator<{ key: string; size: number; modified: Date }> {
    const { bucket, prefix: own } = this.#options;
    let token: string | undefined;
    do {
      const page = await this.#client
        .send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: own + prefix,
            ContinuationToken: token,
            ...(after && !token ? { StartAfter: own + after } : {}),
          }),
        )
        .catch((error) => {
          throw engineError(error, this.#place);
        });
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const key = Key!.slice(own.length);
        if (after === undefined || key > after) yield { key, size: Size ?? 0, modified: LastModified ?? new Date(0) };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token);
  }

  async check(): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#options.bucket }));
    } catch (error) {
      if (isAbsent(error))
        throw new MirrorError('internal', 'store', `${this.#place}: there is no such bucket; create it first`, {
          cause: error,
        });
      throw engineError(error, this.#place);
    }
  }

  async sweep(): Promise<void> {
    const { bucket: Bucket, prefix: Prefix } = this.#options;
    const { Uploads = [] } = await this.#client
      .send(new ListMultipartUploadsCommand({ Bucket, Prefix }))
      .catch(() => ({ Uploads: [] }));
    for (const { Key, UploadId, Initiated } of Uploads) {
      if (!Initiated || Date.now() - Initiated.getTime() < STALE) continue;
      await this.#client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  /** Names and tokens rest on conditional writes: an engine that ignores them would lose one of two writers. */
  async #refuseWithoutConditions(): Promise<void> {
    // replicas start side by side: each probes with a key of its own
    const key = `probes/${randomUUID()}`;
    await this.put(key, Buffer.from('probe'));
    const again = await this.put(key, Buffer.from('probe'), { ifAbsent: true });
    if (again.stored) {
      throw new MirrorError(
        'unsupported',
        'store',
        `${this.#place}: this engine ignores conditional writes (If-None-Match), which names rest on; use a newer one`,
      );
    }
    await this.delete(key);
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#options.bucket, Key: this.#options.prefix + key };
  }

  async #absent<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw engineError(error, this.#place);
    }
  }
}

async function collect(body: Readable, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > size) throw new MirrorError('internal', 'store', `${size} bytes were announced and more came`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
