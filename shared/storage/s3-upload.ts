import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { MirrorError } from '../model/errors.ts';

/** "Part numbers … 1 to 10,000" */
const MOST_PARTS = 10_000;
const SMALLEST = 8 << 20;
/** Parts on their way at once: with their size, what an upload takes in memory. */
const AT_ONCE = 3;

/** Bytes of a part, so that an object of this size has not too many. */
export function partSize(size: number | undefined): number {
  // of unknown size: room for 640 GiB
  if (size === undefined) return 64 << 20;
  return Math.max(SMALLEST, Math.ceil(size / MOST_PARTS / (1 << 20)) * (1 << 20));
}

interface Place {
  Bucket: string;
  Key: string;
}

export interface UploadOptions {
  size?: number;
  /** Conditions of the last step: `{ IfNoneMatch: '*' }`. */
  conditions: { IfNoneMatch?: string; IfMatch?: string };
}

/**
 * Sends a stream as a multipart upload, some parts side by side. The object exists only when the last step succeeds;
 * whatever fails before is taken back.
 * @returns the etag
 */
export async function upload(client: S3Client, place: Place, body: Readable, options: UploadOptions): Promise<string> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(place));
  const stop = new AbortController();
  try {
    const Parts = await sendParts(client, { ...place, UploadId: UploadId! }, body, options.size, stop);
    const done = await client.send(
      new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts }, ...options.conditions }),
    );
    return done.ETag!;
  } catch (error) {
    stop.abort();
    body.destroy();
    await client.send(new AbortMultipartUploadCommand({ ...place, UploadId })).catch(() => undefined);
    throw error;
  }
}

async function sendParts(
  client: S3Client,
  place: Place & { UploadId: string },
  body: Readable,
  size: number | undefined,
  stop: AbortController,
) {
  const parts: { PartNumber: number; ETag: string }[] = [];
  const running = new Set<Promise<void>>();
  let total = 0;
  let number = 0;
  const sendPart = async (PartNumber: number, Body: Buffer) => {
    const { ETag } = await client.send(new UploadPartCommand({ ...place, PartNumber, Body }), {
      abortSignal: stop.signal,
    });
    parts.push({ PartNumber, ETag: ETag! });
  };
  try {
    for await (const piece of cut(body, partSize(size))) {
      total += piece.length;
      number += 1;
      const part = sendPart(number, piece);
      const owned = part.finally(() => running.delete(owned));
      owned.catch(() => undefined);
      running.add(owned);
      if (running.size >= AT_ONCE) await Promise.race(running);
    }
  } finally {
    if (stop.signal.aborted) await Promise.allSettled(running);
  }
  await Promise.all(running);
  if (size !== undefined && total !== size) {
    throw new MirrorError('internal', 'store', `${size} bytes were announced and ${total} came`);
  }
  return parts.sort((one, other) => one.PartNumber - other.PartNumber);
}

/** The stream in pieces of one size, the last one excepted; at least one. */
async function* cut(body: Readable, length: number): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let held = 0;
  let given = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let rest = chunk;
    while (held + rest.length >= length) {
      const end = length - held;
      yield Buffer.concat([...chunks, rest.subarray(0, end)]);
      given += 1;
      rest = rest.subarray(end);
      chunks = [];
      held = 0;
    }
    if (rest.length > 0) {
      chunks.push(rest);
      held += rest.length;
    }
  }
  if (held > 0 || given === 0) yield Buffer.concat(chunks);
}
