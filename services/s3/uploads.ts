import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { type ByteRange, lengthOf } from '../../shared/model/byte-range.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, field, param, sendEmpty, sendXml } from './asked.ts';
import { openObject } from './bodies.ts';
import {
  ALGORITHMS,
  type Algorithm,
  algorithmOf,
  type Checksum,
  type ChecksumType,
  fieldOf,
} from './body/checksums.ts';
import { checksumType } from './body/joined-checksum.ts';
import { type Received, receive } from './body/receive.ts';
import { checkBucket, markOf } from './buckets.ts';
import { copySource } from './copy.ts';
import { S3Error } from './errors.ts';
import { partKey, partPrefix, uploadKey } from './keys.ts';
import { metadataOf } from './metadata.ts';
import { stamped } from './objects.ts';
import { partNumberOf } from './ranges.ts';
import { element, s3Document } from './xml.ts';

/** The key that an upload is for, and the checksum that its client chose; kept among its headers. */
const KEY = '#key';
const ALGORITHM = '#checksum';
const TYPE = '#checksum-type';
export const MOST_PARTS = 10_000;

/** POST `?uploads` (API_CreateMultipartUpload.html). */
export async function createUpload(asked: Asked): Promise<void> {
  const { context, bucket, key } = asked;
  await checkBucket(asked);
  const { mediaType, headers } = metadataOf(asked);
  const id = randomUUID();
  const checksum = wantedChecksum(asked);
  const own = { [KEY]: key, ...(checksum ? { [ALGORITHM]: checksum.algorithm, [TYPE]: checksum.type } : {}) };
  const mark = await markOf(context);
  const name = uploadKey(bucket, id);
  await context.catalog.put(
    stamped(context.now(), { ...mark, key: name, mediaType, etag: '"upload"', headers: { ...headers, ...own } }),
  );
  const document = [element('Bucket', bucket), element('Key', key), element('UploadId', id)];
  const told: Record<string, string> = checksum
    ? { 'x-amz-checksum-algorithm': checksum.algorithm, 'x-amz-checksum-type': checksum.type }
    : {};
  sendXml(asked, s3Document('InitiateMultipartUploadResult', document), 200, told);
}

type ChecksumWish = Pick<Checksum, 'algorithm' | 'type'>;

function wantedChecksum(asked: Asked): ChecksumWish | undefined {
  const [name, type] = [field(asked, 'x-amz-checksum-algorithm'), field(asked, 'x-amz-checksum-type')];
  if (!name) {
    if (type === undefined) return undefined;
    checksumType('CRC32', type);
    throw invalid('The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.');
  }
  const algorithm = algorithmOf(name);
  if (!algorithm)
    throw invalid(
      `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${ALGORITHMS.join(', ')}]`,
    );
  return { algorithm, type: checksumType(algorithm, type) };
}

const invalid = (message: string) => new S3Error('bad-request', 'InvalidRequest', message);

/** Throws `NoSuchUpload`. */
export async function findUpload({ context, view, bucket, key }: Asked, id: string): Promise<Entry> {
  const name = uploadKey(bucket, id);
  const held = /^[0-9a-f-]{36}$/.test(id) ? await context.catalog.get(name, { fresh: true }) : undefined;
  if (held?.headers[KEY] === key) return held;
  await checkBucket({ view, bucket });
  throw new S3Error(
    'not-found',
    'NoSuchUpload',
    'The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    { extra: { UploadId: id.slice(0, 100) } },
  );
}

/** PUT `?partNumber&uploadId` (API_UploadPart.html, API_UploadPartCopy.html): the same number again replaces the part. */
export async function putPart(asked: Asked): Promise<void> {
  const { context } = asked;
  const id = param(asked, 'uploadId')!;
  const number = partNumberOf(asked) ?? 0;
  const upload = await findUpload(asked, id);
  if (field(asked, 'x-amz-copy-source') !== undefined) return copyPart(asked, upload, id, number);
  const wish = checksumOf(upload);
  const only = wish.isSaid ? { algorithm: wish.algorithm, needed: wish.type === 'COMPOSITE' } : undefined;
  const received = await receive(asked, { mostBytes: context.config.putBytes, byDefault: wish.algorithm, only });
  await keepPart(asked, id, number, received);
  const { algorithm, value } = received.checksum;
  sendEmpty(asked, 200, { etag: `"${received.md5}"`, [fieldOf(algorithm)]: value });
}

async function keepPart(asked: Asked, id: string, number: number, received: Received): Promise<Entry> {
  const { context } = asked;
  const { digest, size, md5, checksum } = received;
  const headers = { [fieldOf(checksum.algorithm)]: checksum.value };
  const entry = { key: partKey(id, number), digest, size, mediaType: 'part', etag: `"${md5}"`, headers };
  const part = stamped(context.now(), entry);
  // the upload may have ended while these bytes were on their way
  await findUpload(asked, id);
  await context.catalog.put(part);
  return part;
}

async function copyPart(asked: Asked, upload: Entry, id: string, number: number): Promise<void> {
  const { context } = asked;
  const { entry: source } = await copySource(asked);
  const range = copiedRange(asked, source.size);
  const body = await openObject(context.blobs, source, range);
  // what is copied is measured like what is sent: its ETag is that of these bytes
  const headers = { 'content-length': String(range ? lengthOf(range) : source.size) };
  // a stream of its own: an engine's answer that is told that it is complete ends where it stands
  const copied = Readable.from(body, { objectMode: false, highWaterMark: 1 << 20 });
  const req = Object.assign(copied, { headers, complete: true }) as unknown as Asked['req'];
  const options = { mostBytes: context.config.putBytes, byDefault: checksumOf(upload).algorithm };
  const received = await receive({ ...asked, payload: { kind: 'unsigned' }, req }, options).finally(() =>
    body.destroy(),
  );
  const part = await keepPart(asked, id, number, received);
  const { algorithm, value } = received.checksum;
  const document = [
    ...[element('LastModified', part.storedAt), element('ETag', part.etag!)],
    ...(checksumOf(upload).isSaid ? [element(`Checksum${algorithm}`, value)] : []),
  ];
  sendXml(asked, s3Document('CopyPartResult', document));
}

function copiedRange(asked: Asked, size: number): ByteRange | undefined {
  const said = field(asked, 'x-amz-copy-source-range');
  if (said === undefined) return undefined;
  const [, start, end] = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(said) ?? [];
  const failed = (message: string) =>
    new S3Error('bad-request', 'InvalidArgument', message, {
      extra: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: said.slice(0, 100) },
    });
  const range = { start: Number(start), end: Number(end) };
  if (start === undefined || range.end < range.start)
    throw failed(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    );
  if (range.end >= size) throw failed(`Range specified is not valid for source object of size: ${size}`);
  return range;
}

/** DELETE `?uploadId` (API_AbortMultipartUpload.html). */
export async function abortUpload(asked: Asked): Promise<void> {
  const id = param(asked, 'uploadId')!;
  await findUpload(asked, id);
  await forgetUpload(asked, id);
  sendEmpty(asked, 204);
}

/**
 * Its names go; bytes that no object needs go with the next collection of the store. The upload's own goes last: of one
 * that was forgotten by half, the sweep would not know. A part that came meanwhile goes after it.
 * @param known parts that other replicas may have taken
 */
export async function forgetUpload(
  { context, bucket }: Pick<Asked, 'context' | 'bucket'>,
  id: string,
  known: readonly Entry[] = [],
): Promise<void> {
  const forgetParts = async () => {
    const names = new Set([...(await context.catalog.keys(partPrefix(id))), ...known.map(({ key }) => key)]);
    for (const name of names) await context.catalog.delete(name);
  };
  await forgetParts();
  await context.catalog.delete(uploadKey(bucket, id));
  await forgetParts();
}

export async function partsOf({ context }: Pick<Asked, 'context'>, id: string): Promise<Map<number, Entry>> {
  const parts = await context.catalog.list(partPrefix(id));
  return new Map(parts.map((part) => [numberOf(part), part]));
}

export const numberOf = ({ key }: Entry) => Number(key.slice(key.lastIndexOf('/') + 1));

/** The key that an upload is for. */
export const keyOf = (upload: Entry) => upload.headers[KEY]!;

/** What an upload's parts are measured by; AWS measures also where nobody asked for it. */
export function checksumOf({ headers }: Entry): ChecksumWish & { isSaid: boolean } {
  const algorithm = headers[ALGORITHM] as Algorithm | undefined;
  if (algorithm) return { algorithm, type: headers[TYPE] as ChecksumType, isSaid: true };
  return { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', isSaid: false };
}

/** Metadata of the object that an upload becomes. */
export function metadataIn(upload: Entry): { headers: Record<string, string>; mediaType: string } {
  const { [KEY]: _key, [ALGORITHM]: _algorithm, [TYPE]: _type, ...headers } = upload.headers;
  return { headers, mediaType: upload.mediaType };
}
