import { createHash, randomBytes } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** What a completion was asked for, so that it can be asked for again. */
interface Completion {
  Key: string;
  UploadId: string;
  parts: { PartNumber: number; ETag: string | undefined }[];
  hash: string;
  /** Set when it was answered. */
  etag?: string;
}

/** Writes to a bucket, and knows what was said yes to, and what was only asked for. */
export class S3Load {
  /** By key: the sha256 of what it has to be; undefined for what has to be gone. */
  readonly acknowledged = new Map<string, string | undefined>();
  /** By key: what it may be besides. */
  readonly asked = new Map<string, Set<string | undefined>>();
  readonly completions: Completion[] = [];
  /** Requests that were under way when the server was killed. */
  cut = 0;
  readonly #bucket: string;
  #s3!: S3Client;
  #number = 0;

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  connect(endpoint: string, credentials: { accessKeyId: string; secretAccessKey: string }): S3Client {
    this.#s3?.destroy();
    this.#s3 = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 });
    return this.#s3;
  }

  /** Does one thing again and again until the server is gone. */
  async until(gone: AbortSignal, act: () => Promise<unknown>): Promise<void> {
    while (!gone.aborted) {
      try {
        await act();
      } catch (error) {
        // an answer of S3's would be a no, and nobody may say no here
        if ((error as { $response?: unknown }).$response && !gone.aborted) throw error;
        this.cut += 1;
        return;
      }
    }
  }

  async #writing(Key: string, hash: string | undefined, act: () => Promise<unknown>): Promise<void> {
    const before = this.acknowledged.get(Key);
    this.asked.set(Key, new Set([before, hash]));
    await act();
    this.acknowledged.set(Key, hash);
    this.asked.delete(Key);
  }

  #next(kind: string): string {
    this.#number += 1;
    return `${kind}/${this.#number}`;
  }

  /** @param Key an object that is there already, or a new one */
  put(bytes: number, Key = this.#next('put')): Promise<void> {
    const Body = randomBytes(bytes);
    return this.#writing(Key, sha(Body), () =>
      this.#s3.send(new PutObjectCommand({ Bucket: this.#bucket, Key, Body })),
    );
  }

  async copy(from: string): Promise<void> {
    const Key = this.#next('copy');
    const CopySource = `${this.#bucket}/${from}`;
    await this.#writing(Key, this.acknowledged.get(from)!, () =>
      this.#s3.send(new CopyObjectCommand({ Bucket: this.#bucket, Key, CopySource })),
    );
  }

  /** Puts some, and deletes them all at once. */
  async deleteMany(count: number): Promise<void> {
    const keys = Array.from({ length: count }, () => this.#next('gone'));
    for (const key of keys) await this.put(10, key);
    for (const key of keys) this.asked.set(key, new Set([this.acknowledged.get(key), undefined]));
    const Objects = keys.map((Key) => ({ Key }));
    await this.#s3.send(new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects } }));
    for (const key of keys) {
      this.asked.delete(key);
      this.acknowledged.set(key, undefined);
    }
  }

  /** @param sizes of parts, bytes */
  async upload(sizes: readonly number[]): Promise<void> {
    const Key = this.#next('upload');
    const of = { Bucket: this.#bucket, Key };
    const { UploadId = '' } = await this.#s3.send(new CreateMultipartUploadCommand(of));
    const bodies = sizes.map((size) => randomBytes(size));
    const parts: Completion['parts'] = [];
    for (const [index, Body] of bodies.entries()) {
      const PartNumber = index + 1;
      const { ETag } = await this.#s3.send(new UploadPartCommand({ ...of, UploadId, PartNumber, Body }));
      parts.push({ PartNumber, ETag });
    }
    const completion: Completion = { Key, UploadId, parts, hash: sha(Buffer.concat(bodies)) };
    this.completions.push(completion);
    await this.#writing(Key, completion.hash, async () => {
      completion.etag = await this.complete(completion);
    });
  }

  /** @returns the ETag */
  async complete({ Key, UploadId, parts }: Completion): Promise<string> {
    const wish = { Bucket: this.#bucket, Key, UploadId, MultipartUpload: { Parts: parts } };
    return (await this.#s3.send(new CompleteMultipartUploadCommand(wish))).ETag!;
  }

  /** The sha256 of an object as it is now; undefined when it is not there. */
  async read(Key: string): Promise<string | undefined> {
    try {
      const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key }));
      return sha(await Body!.transformToByteArray());
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  /**
   * Looks at all that was written. What was only asked for has happened or has not, and from now on it is that.
   * @returns what is otherwise than it has to be
   */
  async wrong(): Promise<string[]> {
    const wrong: string[] = [];
    for (const [key, hash] of this.acknowledged)
      if (!this.asked.has(key) && (await this.read(key)) !== hash) wrong.push(`${key} is not what was acknowledged`);
    for (const [key, may] of this.asked) {
      const found = await this.read(key);
      if (!may.has(found)) wrong.push(`${key} is ${found ?? 'not there'}`);
      this.acknowledged.set(key, found);
    }
    this.asked.clear();
    return wrong;
  }
}
