import { randomUUID } from 'node:crypto';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, field, has, numberIn, param, sendEmpty, sendXml } from './asked.ts';
import { openObject } from './bodies.ts';
import { algorithmOf, fieldOf } from './body/checksums.ts';
import { type Received, receive } from './body/receive.ts';
import { checkBucket, markOf, ownerOf } from './buckets.ts';
import { copySource } from './copy.ts';
import { S3Error } from './errors.ts';
import { partKey, partPrefix, uploadKey, uploadPrefix } from './keys.ts';
import { encoderOf } from './lists.ts';
import { metadataOf } from './metadata.ts';
import { stamped, unquoted } from './objects.ts';
import { element, s3Document, type Xml } from './xml.ts';

/** The key that an upload is for, and the checksum that its client chose; kept among its headers. */
const KEY = '#key';
const ALGORITHM = '#checksum';
const MOST = 1000;
export const MOST_PARTS = 10_000;

/** POST `?uploads` (API_CreateMultipartUpload.html). */
export async function createUpload(asked: Asked): Promise<void> {
  const { context, bucket, key } = asked;
  await checkBucket(context, bucket);
  const { mediaType, headers } = metadataOf(asked);
  const id = randomUUID();
  const algorithm = algorithmOf(field(asked, 'x-amz-checksum-algorithm') ?? '');
  const own = { [KEY]: key, ...(algorithm ? { [ALGORITHM]: algorithm } : {}) };
  const mark = await markOf(context);
  const name = uploadKey(bucket, id);
  await context.catalog.put(
    stamped(context.now(), { ...mark, key: name, mediaType, etag: '"upload"', headers: { ...headers, ...own } }),
  );
  const document = [element('Bucket', bucket), element('Key', key), element('UploadId', id)];
  const told = algorithm ? { 'x-amz-checksum-algorithm': algorithm } : undefined;
  sendXml(asked, s3Document('InitiateMultipartUploadResult', document), 200, told);
}

/** Throws `NoSuchUpload`. */
export async function findUpload({ context, bucket, key }: Asked, id: string): Promise<Entry> {
  const held = /^[0-9a-f-]{36}$/.test(id) ? await context.catalog.get(uploadKey(bucket, id)) : undefined;
  if (held?.headers[KEY] === key) return held;
  await checkBucket(context, bucket);
  throw new S3Error(
    'not-found',
    'NoSuchUpload',
    'there is no such upload: it was completed, aborted or given up, or it is for another key',
  );
}

/** PUT `?partNumber&uploadId` (API_UploadPart.html, API_UploadPartCopy.html): the same number again replaces the part. */
export async function putPart(asked: Asked): Promise<void> {
  const { context } = asked;
  const id = param(asked, 'uploadId')!;
  const number = numberIn(asked, 'partNumber', MOST_PARTS + 1) ?? 0;
  if (number < 1 || number > MOST_PARTS)
    throw new S3Error('bad-request', 'InvalidArgument', `a part has a number from 1 to ${MOST_PARTS}`);
  await findUpload(asked, id);
  if (field(asked, 'x-amz-copy-source') !== undefined) return copyPart(asked, id, number);
  const received = await receive(asked, context.config.putBytes);
  await keepPart(asked, id, number, received);
  const { checksum } = received;
  sendEmpty(asked, 200, {
    etag: `"${received.md5}"`,
    ...(checksum ? { [fieldOf(checksum.algorithm)]: checksum.value } : {}),
  });
}

async function keepPart(asked: Asked, id: string, number: number, received: Received): Promise<Entry> {
  const { context } = asked;
  const { digest, size, md5, checksum } = received;
  const headers = checksum ? { [fieldOf(checksum.algorithm)]: checksum.value } : {};
  const entry = { key: partKey(id, number), digest, size, mediaType: 'part', etag: `"${md5}"`, headers };
  const part = stamped(context.now(), entry);
  // the upload may have ended while these bytes were on their way
  await findUpload(asked, id);
  await context.catalog.put(part);
  return part;
}

async function copyPart(asked: Asked, id: string, number: number): Promise<void> {
  const { context } = asked;
  const { entry: source } = await copySource(asked);
  const said = field(asked, 'x-amz-copy-source-range');
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(said ?? `bytes=0-${Math.max(0, source.size - 1)}`) ?? [];
  const range = { start: Number(start), end: Number(end) };
  if (start === undefined || range.end < range.start || (said !== undefined && range.end >= source.size))
    throw new S3Error(
      'bad-request',
      'InvalidArgument',
      'x-amz-copy-source-range has to be bytes=<first>-<last>, within the object',
    );
  const body = await openObject(context.blobs, source, source.size > 0 ? range : undefined);
  // what is copied is measured like what is sent: its ETag is that of these bytes
  const payload = { kind: 'unsigned' } as const;
  const length = source.size > 0 ? range.end - range.start + 1 : 0;
  const req = Object.assign(body, { headers: { 'content-length': String(length) }, complete: true });
  const received = await receive({ ...asked, payload, req: req as unknown as Asked['req'] }, context.config.putBytes);
  const part = await keepPart(asked, id, number, received);
  const document = [element('LastModified', part.storedAt), element('ETag', part.etag!)];
  sendXml(asked, s3Document('CopyPartResult', document));
}

/** DELETE `?uploadId` (API_AbortMultipartUpload.html). */
export async function abortUpload(asked: Asked): Promise<void> {
  const id = param(asked, 'uploadId')!;
  await findUpload(asked, id);
  await forgetUpload(asked, id);
  sendEmpty(asked, 204);
}

/** Its names go; bytes that no object needs go with the next collection of the store. */
export async function forgetUpload({ context, bucket }: Pick<Asked, 'context' | 'bucket'>, id: string): Promise<void> {
  await context.catalog.delete(uploadKey(bucket, id));
  for (const name of await context.catalog.keys(partPrefix(id))) await context.catalog.delete(name);
}

export async function partsOf({ context }: Pick<Asked, 'context'>, id: string): Promise<Map<number, Entry>> {
  const parts = await context.catalog.list(partPrefix(id));
  return new Map(parts.map((part) => [numberOf(part), part]));
}

const numberOf = ({ key }: Entry) => Number(key.slice(key.lastIndexOf('/') + 1));

/** GET `?uploadId` (API_ListParts.html). */
export async function listParts(asked: Asked): Promise<void> {
  const { bucket, key } = asked;
  const id = param(asked, 'uploadId')!;
  await findUpload(asked, id);
  const after = numberIn(asked, 'part-number-marker', MOST_PARTS) ?? 0;
  const limit = numberIn(asked, 'max-parts', MOST) ?? MOST;
  const all = [...(await partsOf(asked, id))].filter(([number]) => number > after);
  const page = all.slice(0, limit);
  const parts = page.map(([number, { etag, size, storedAt }]) =>
    element('Part', [
      ...[element('PartNumber', number), element('LastModified', storedAt)],
      ...[element('ETag', etag!), element('Size', size)],
    ]),
  );
  const document: Xml[] = [
    ...[element('Bucket', bucket), element('Key', key), element('UploadId', id)],
    ...[ownerOf('Initiator'), ownerOf(), element('StorageClass', 'STANDARD')],
    ...[element('PartNumberMarker', after), element('NextPartNumberMarker', page.at(-1)?.[0] ?? after)],
    ...[element('MaxParts', limit), element('IsTruncated', all.length > page.length), ...parts],
  ];
  sendXml(asked, s3Document('ListPartsResult', document));
}

/** GET of a bucket `?uploads` (API_ListMultipartUploads.html): by key, then by age. */
export async function listUploads(asked: Asked): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(context, bucket);
  const shown = encoderOf(asked);
  const [prefix, marker] = [param(asked, 'prefix') ?? '', param(asked, 'key-marker') ?? ''];
  const idMarker = has(asked, 'upload-id-marker') ? param(asked, 'upload-id-marker')! : '';
  const limit = numberIn(asked, 'max-uploads', MOST) ?? MOST;
  const all = (await context.catalog.list(uploadPrefix(bucket)))
    .map((entry) => ({
      id: entry.key.slice(uploadPrefix(bucket).length),
      key: entry.headers[KEY]!,
      at: entry.storedAt,
    }))
    .filter(({ key }) => key.startsWith(prefix))
    .sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)) || (one.at < other.at ? -1 : 1));
  const seen = all.findIndex(({ key, id }) => key === marker && id === idMarker);
  const rest =
    seen >= 0
      ? all.slice(seen + 1)
      : all.filter(({ key }) => marker === '' || Buffer.compare(Buffer.from(key), Buffer.from(marker)) > 0);
  const page = rest.slice(0, limit);
  const uploads = page.map(({ id, key, at }) =>
    element('Upload', [
      ...[element('Key', shown(key)), element('UploadId', id), ownerOf('Initiator'), ownerOf()],
      ...[element('StorageClass', 'STANDARD'), element('Initiated', at)],
    ]),
  );
  const isTruncated = rest.length > page.length;
  const last = page.at(-1);
  const next =
    isTruncated && last ? [element('NextKeyMarker', shown(last.key)), element('NextUploadIdMarker', last.id)] : [];
  const document: Xml[] = [
    ...[element('Bucket', bucket), element('KeyMarker', shown(marker)), element('UploadIdMarker', idMarker), ...next],
    ...[
      element('Prefix', shown(prefix)),
      element('MaxUploads', limit),
      element('IsTruncated', isTruncated),
      ...uploads,
    ],
  ];
  sendXml(asked, s3Document('ListMultipartUploadsResult', document));
}

/** Metadata of the object that an upload becomes, and the checksum its client chose. */
export function wishOf(upload: Entry): { headers: Record<string, string>; mediaType: string; algorithm?: string } {
  const { [KEY]: _key, [ALGORITHM]: algorithm, ...headers } = upload.headers;
  return { headers, mediaType: upload.mediaType, algorithm };
}

export const sameEtag = (one: string, other: string) => unquoted(one) === unquoted(other);
