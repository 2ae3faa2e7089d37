import { createHash } from 'node:crypto';
import { baseUrl } from '../../shared/http/base-url.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, param, sendXml } from './asked.ts';
import { checkBucket, markOf } from './buckets.ts';
import { readDocument } from './delete-many.ts';
import { S3Error } from './errors.ts';
import { doneKey, donePrefix, objectKey } from './keys.ts';
import { checkWriteConditions, stamped } from './objects.ts';
import { malformed, readXml } from './read-xml.ts';
import type { Turns } from './turns.ts';
import { findUpload, forgetUpload, MOST_PARTS, partsOf, sameEtag, wishOf } from './uploads.ts';
import { element, s3Document } from './xml.ts';

/** Every part but the last has so many bytes at least (qfacts.html). */
const LEAST_PART = 5 << 20;
/** Milliseconds for which a completed upload answers again. */
const REMEMBERED = 86_400_000;
const DONE = '#done';

/**
 * POST `?uploadId` (API_CompleteMultipartUpload.html). The object is a list of its parts, so this takes as long as there
 * are parts, however large they are. Who did not hear the answer may ask again for a day.
 */
export async function completeUpload(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket, key } = asked;
  const id = param(asked, 'uploadId')!;
  const wanted = readParts(await readDocument(asked));
  const etag = await turns.run(objectKey(bucket, key), async () => {
    const done = await context.catalog.get(doneKey(bucket, id));
    if (done?.headers[DONE] === key) return done.etag!;
    const upload = await findUpload(asked, id);
    const parts = checkedParts(wanted, await partsOf(asked, id), context.config.objectBytes);
    checkWriteConditions(asked, await context.catalog.get(objectKey(bucket, key)));
    return finish(asked, id, upload, parts);
  });
  await sweep(asked);
  const location = `${baseUrl(asked.req, context.publicUrl)}/${bucket}/${encodeURI(key)}`;
  const document = [
    element('Location', location),
    element('Bucket', bucket),
    element('Key', key),
    element('ETag', etag),
  ];
  sendXml(asked, s3Document('CompleteMultipartUploadResult', document));
}

function readParts(bytes: Buffer): { number: number; etag: string }[] {
  const { Part: parts } = readXml(bytes, 'CompleteMultipartUpload');
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > MOST_PARTS) throw malformed();
  return (parts as { PartNumber?: unknown; ETag?: unknown }[]).map(({ PartNumber: number, ETag: etag }) => {
    if (typeof number !== 'string' || !/^\d{1,5}$/.test(number) || typeof etag !== 'string') throw malformed();
    return { number: Number(number), etag };
  });
}

function checkedParts(
  wanted: readonly { number: number; etag: string }[],
  held: ReadonlyMap<number, Entry>,
  mostBytes: number,
): Entry[] {
  let before = 0;
  let total = 0;
  const parts = wanted.map(({ number, etag }) => {
    if (number <= before) throw new S3Error('bad-request', 'InvalidPartOrder', 'parts have to be named in their order');
    before = number;
    const part = held.get(number);
    if (!part || !sameEtag(part.etag!, etag))
      throw new S3Error('bad-request', 'InvalidPart', 'a part is not here, or is another one than its ETag says', {
        extra: { PartNumber: number },
      });
    total += part.size;
    return part;
  });
  const small = parts.findIndex(({ size }, index) => size < LEAST_PART && index < parts.length - 1);
  if (small >= 0)
    throw new S3Error('bad-request', 'EntityTooSmall', `every part but the last has ${LEAST_PART} bytes at least`, {
      extra: { ProposedSize: parts[small]!.size, MinSizeAllowed: LEAST_PART, PartNumber: wanted[small]!.number },
    });
  if (total > mostBytes) throw new S3Error('too-large', 'EntityTooLarge', `an object has at most ${mostBytes} bytes`);
  return parts;
}

/** The object, then the word that it is done, then the upload goes: whenever we die, the same request again ends well. */
async function finish(asked: Asked, id: string, upload: Entry, parts: readonly Entry[]): Promise<string> {
  const { context, bucket, key } = asked;
  const sums = parts.map(({ etag }) => Buffer.from(etag!.replaceAll('"', ''), 'hex'));
  const etag = `"${createHash('md5').update(Buffer.concat(sums)).digest('hex')}-${parts.length}"`;
  const { headers, mediaType } = wishOf(upload);
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const lists = parts.map(({ digest, size: bytes }) => ({ digest, size: bytes }));
  const { digest } = parts[0]!;
  const name = objectKey(bucket, key);
  await context.catalog.put(
    stamped(context.now(), { key: name, digest, size, mediaType, etag, headers, parts: lists }),
  );
  const mark = await markOf(context);
  const done = { ...mark, key: doneKey(bucket, id), mediaType: 'done', etag, headers: { [DONE]: key } };
  await context.catalog.put(stamped(context.now(), done));
  await forgetUpload(asked, id);
  return etag;
}

/** Forgets what was done days ago, some of it at a time. */
async function sweep({ context, bucket }: Asked): Promise<void> {
  await checkBucket(context, bucket);
  for (const { key, storedAt } of await context.catalog.list(donePrefix(bucket), { limit: 50 }))
    if (Date.parse(storedAt) < context.now() - REMEMBERED) await context.catalog.delete(key);
}
