import { createHash } from 'node:crypto';
import { baseUrl } from '../../shared/http/base-url.ts';
import type { Turns } from '../../shared/mirror/turns.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { encodePath } from '../../shared/storage/sigv4.ts';
import { type Asked, field, param, sendXml } from './asked.ts';
import { ALGORITHMS, type Checksum, checksumIn, fieldOf, isValue, sentChecksum } from './body/checksums.ts';
import { JOINABLE, joinChecksums } from './body/joined-checksum.ts';
import { markOf } from './buckets.ts';
import { checksumElements } from './checksum-elements.ts';
import { checkedParts, partsNamed, readParts } from './completed-parts.ts';
import { S3Error } from './errors.ts';
import { doneKey, donePrefix, objectKey } from './keys.ts';
import { stamped, writeObject } from './objects.ts';
import { readDocument } from './read-document.ts';
import { checksumOf, findUpload, forgetUpload, metadataIn } from './uploads.ts';
import { element, s3Document } from './xml.ts';

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
  checkFinalFields(asked);
  const { etag, checksum } = await turns.run(objectKey(bucket, key), async () => {
    const done = await doneBefore(asked, id);
    if (done) return done;
    try {
      const upload = await findUpload(asked, id);
      const parts = checkedParts(wanted, await partsNamed(asked, id, wanted), checksumOf(upload));
      checkSize(asked, parts);
      return await finish(asked, id, upload, parts, await checkedChecksum(asked, upload, parts));
    } catch (error) {
      // another replica may have been asked the same, and been faster
      const meanwhile = await doneBefore(asked, id);
      if (meanwhile) return meanwhile;
      throw error;
    }
  });
  await sweep(asked);
  const location = `${baseUrl(asked.req, context.publicUrl)}/${bucket}/${encodePath(key)}`;
  const document = [
    ...[element('Location', location), element('Bucket', bucket), element('Key', key), element('ETag', etag)],
    ...checksumElements(checksum),
  ];
  sendXml(asked, s3Document('CompleteMultipartUploadResult', document));
}

interface Completed {
  etag: string;
  checksum: Checksum | undefined;
}

/** What was answered the last time. */
async function doneBefore({ context, bucket, key }: Asked, id: string): Promise<Completed | undefined> {
  const done = await context.catalog.get(doneKey(bucket, id));
  return done?.headers[DONE] === key ? { etag: done.etag!, checksum: checksumIn(done.headers) } : undefined;
}

function checkSize(asked: Asked, parts: readonly Entry[]): void {
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  if (size > asked.context.config.objectBytes)
    throw new S3Error('too-large', 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed object size.');
  const said = field(asked, 'x-amz-mp-object-size');
  if (said === undefined || said === String(size)) return;
  const message = /^-\d+$/.test(said)
    ? `Value for x-amz-mp-object-size header is less than zero: '${said}'`
    : /^\d+$/.test(said)
      ? `The provided 'x-amz-mp-object-size' header value ${size} does not match what was computed: ${said}`
      : `Value for x-amz-mp-object-size header is invalid: '${said.slice(0, 40)}'`;
  throw new S3Error('bad-request', 'InvalidRequest', message);
}

function checkFinalFields(asked: Asked): void {
  const given = ALGORITHMS.filter((one) => field(asked, fieldOf(one)) !== undefined);
  if (given.length > 1)
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
}

/** The checksum of the whole from those of the parts, held to what the client says of it. */
async function checkedChecksum(asked: Asked, upload: Entry, parts: readonly Entry[]): Promise<Checksum | undefined> {
  const { algorithm, type, isSaid } = checksumOf(upload);
  const saidType = field(asked, 'x-amz-checksum-type')?.toUpperCase();
  if (saidType !== undefined && saidType !== 'FULL_OBJECT' && saidType !== 'COMPOSITE')
    throw new S3Error('bad-request', 'InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
  if (isSaid && saidType !== undefined && saidType !== type)
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      `The upload was created using the ${type} checksum mode. The complete request must use the same checksum mode.`,
    );
  // an upload whose client chose none has the checksum that all of its parts came with, if it is one that can be joined
  const common = isSaid ? algorithm : JOINABLE.find((one) => parts.every(({ headers }) => headers[fieldOf(one)]));
  if (!common) return undefined;
  const values = parts.map(({ headers, size }) => ({ value: headers[fieldOf(common)]!, size }));
  const joined = await joinChecksums(common, type, values);
  const said = field(asked, fieldOf(algorithm));
  if (!isSaid || said === undefined) return joined;
  if (!isValue(algorithm, said.replace(/-\d+$/, '')))
    throw new S3Error('bad-request', 'InvalidRequest', `Value for ${fieldOf(algorithm)} header is invalid.`);
  if (said !== joined.value && said !== joined.value.replace(/-\d+$/, ''))
    throw new S3Error(
      'bad-request',
      'BadDigest',
      `The ${algorithm} you specified did not match the calculated checksum.`,
    );
  return joined;
}

/** The object, then the word that it is done, then the upload goes: whenever we die, the same request again ends well. */
async function finish(
  asked: Asked,
  id: string,
  upload: Entry,
  parts: readonly Entry[],
  checksum: Checksum | undefined,
): Promise<Completed> {
  const { context, bucket, key } = asked;
  const sums = parts.map(({ etag }) => Buffer.from(etag!.replaceAll('"', ''), 'hex'));
  const etag = `"${createHash('md5').update(Buffer.concat(sums)).digest('hex')}-${parts.length}"`;
  const { headers, mediaType } = metadataIn(upload);
  const told = checksum ? sentChecksum(checksum) : {};
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const lists = parts.map(({ digest, size: bytes }) => ({ digest, size: bytes }));
  const { digest } = parts[0]!;
  const name = objectKey(bucket, key);
  const object = { key: name, digest, size, mediaType, etag, headers: { ...headers, ...told }, parts: lists };
  await writeObject(asked, stamped(context.now(), object));
  const mark = await markOf(context);
  const done = { ...mark, key: doneKey(bucket, id), mediaType: 'done', etag, headers: { [DONE]: key, ...told } };
  await context.catalog.put(stamped(context.now(), done));
  await forgetUpload(asked, id, parts);
  return { etag, checksum };
}

/** Forgets what was done days ago, some of it at a time. */
async function sweep({ context, bucket }: Asked): Promise<void> {
  for (const { key, storedAt } of await context.catalog.list(donePrefix(bucket), { limit: 50 }))
    if (Date.parse(storedAt) < context.now() - REMEMBERED) await context.catalog.delete(key);
}
