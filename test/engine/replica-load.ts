import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { expect } from 'vitest';
import type { Replica } from '../support/replicas.ts';

export const Bucket = 'load';

/** No answer came: the replica died. What was asked for may have been done, and may yet be. */
export const UNHEARD = Symbol('unheard');
const BROKEN = /^(ECONNREFUSED|ECONNRESET|EPIPE|UND_ERR_SOCKET)$|socket hang up|^aborted$|other side closed/;

/** What was answered. Throws what is no broken connection: that is a wrong answer. */
export async function heard<T>(work: Promise<T>): Promise<T | typeof UNHEARD> {
  try {
    return await work;
  } catch (error) {
    const { code, message, cause, $metadata } = error as NodeJS.ErrnoException & {
      $metadata?: { httpStatusCode?: number };
    };
    const told = [code, message, (cause as NodeJS.ErrnoException | undefined)?.code];
    const isBroken = told.some((one) => one !== undefined && BROKEN.test(one));
    if ($metadata?.httpStatusCode === undefined && isBroken) return UNHEARD;
    throw error;
  }
}

/** The status of an answer without a body that matters. */
export async function statusOf(work: Promise<unknown>): Promise<number | typeof UNHEARD> {
  try {
    return (await heard(work)) === UNHEARD ? UNHEARD : 200;
  } catch (error) {
    const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
    if ($metadata?.httpStatusCode === undefined) throw error;
    return $metadata.httpStatusCode;
  }
}

/** The object's text, undefined when there is none. */
export async function textOf({ s3 }: Replica, Key: string): Promise<string | undefined | typeof UNHEARD> {
  const read = async () => (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();
  return heard(
    read().catch((error: Error) => {
      if (error.name === 'NoSuchKey') return undefined;
      throw error;
    }),
  );
}

type Text = string | undefined;

/** One client: it writes names of its own, one after another, each time through whichever replica comes up. */
export class Writer {
  /** What names may hold: one thing, or, where an answer was not heard, one of two. */
  readonly names = new Map<string, Text[]>();
  readonly #any: () => Replica;
  #name = randomUUID();

  constructor(any: () => Replica) {
    this.#any = any;
  }

  /** Writes, deletes or completes, and reads what must stand now. @returns how many answers were heard */
  async turn(): Promise<number> {
    const [name, held] = [this.#name, this.names.get(this.#name)?.[0]];
    const body = randomBytes(randomInt(1, 16_000)).toString('hex');
    const kind = randomInt(10);
    const wanted = kind === 0 ? undefined : body;
    const done = await (kind === 0
      ? this.#delete(name)
      : kind === 1
        ? this.#upload(name, body)
        : this.#put(name, body));
    if (!done) {
      // the engine may do late what a dead replica asked for last: this name is left alone until the end
      this.names.set(name, [held, wanted]);
      this.#name = randomUUID();
      return 0;
    }
    this.names.set(name, [wanted]);
    const text = await textOf(this.#any(), name);
    if (text === UNHEARD) return 1;
    expect(text === wanted, `${name} is what was written last`).toBe(true);
    return 2;
  }

  async #put(Key: string, Body: string): Promise<boolean> {
    return (await heard(this.#any().s3.send(new PutObjectCommand({ Bucket, Key, Body })))) !== UNHEARD;
  }

  async #delete(Key: string): Promise<boolean> {
    return (await heard(this.#any().s3.send(new DeleteObjectCommand({ Bucket, Key })))) !== UNHEARD;
  }

  /** Begun, sent and completed wherever it happens to be. */
  async #upload(Key: string, Body: string): Promise<boolean> {
    const begun = await heard(this.#any().s3.send(new CreateMultipartUploadCommand({ Bucket, Key })));
    if (begun === UNHEARD) return false;
    const { UploadId } = begun;
    const part = await heard(
      this.#any().s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body })),
    );
    if (part === UNHEARD) return false;
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
    const complete = new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload });
    // "CompleteMultipartUpload may be repeated": who did not hear the answer asks another one
    for (let attempt = 0; attempt < 20; attempt += 1)
      if ((await heard(this.#any().s3.send(complete))) !== UNHEARD) return true;
    return false;
  }
}

/** All replicas are asked at once to write a name that is not there, or one with the same etag: one at most may. */
export async function contest(replicas: readonly Replica[], condition: 'absent' | 'etag'): Promise<number> {
  const Key = `contest/${randomUUID()}`;
  const any = () => replicas[randomInt(replicas.length)]!;
  let conditions: object = { IfNoneMatch: '*' };
  if (condition === 'etag') {
    const first = await heard(any().s3.send(new PutObjectCommand({ Bucket, Key, Body: 'first' })));
    if (first === UNHEARD) return 0;
    conditions = { IfMatch: first.ETag };
  }
  const bodies = replicas.flatMap((_, index) => [`${index} a`, `${index} b`]);
  const told = await Promise.all(
    bodies.map((Body, index) => {
      const { s3 } = replicas[index >> 1]!;
      return statusOf(s3.send(new PutObjectCommand({ Bucket, Key, Body, ...conditions })));
    }),
  );
  const winners = bodies.filter((_, index) => told[index] === 200);
  expect(winners.length, `winners of ${told.map(String)}`).toBeLessThanOrEqual(1);
  expect(
    told.every((one) => one === 200 || one === 412 || one === UNHEARD),
    `${told.map(String)}`,
  ).toBe(true);
  if (!told.includes(UNHEARD)) expect(winners).toHaveLength(1);
  const text = await textOf(any(), Key);
  if (winners.length === 1 && text !== UNHEARD) expect(text).toBe(winners[0]);
  return told.filter((one) => one !== UNHEARD).length;
}
