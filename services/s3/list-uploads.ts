import { type Asked, has, numberIn, param, sendXml } from './asked.ts';
import { fieldOf } from './body/checksums.ts';
import { checkBucket, ownerOf } from './buckets.ts';
import { uploadPrefix } from './keys.ts';
import { encoderOf } from './lists.ts';
import { checksumOf, findUpload, keyOf, MOST_PARTS, partsOf } from './uploads.ts';
import { element, s3Document, type Xml } from './xml.ts';

const MOST = 1000;

/** GET `?uploadId` (API_ListParts.html). */
export async function listParts(asked: Asked): Promise<void> {
  const { bucket, key } = asked;
  const id = param(asked, 'uploadId')!;
  const { algorithm, type, isSaid } = checksumOf(await findUpload(asked, id));
  const after = numberIn(asked, 'part-number-marker', MOST_PARTS) ?? 0;
  const limit = numberIn(asked, 'max-parts', MOST) ?? MOST;
  const all = [...(await partsOf(asked, id))].filter(([number]) => number > after);
  const page = all.slice(0, limit);
  const parts = page.map(([number, { etag, size, storedAt, headers }]) =>
    element('Part', [
      ...[element('PartNumber', number), element('LastModified', storedAt)],
      ...[element('ETag', etag!), element('Size', size)],
      ...(headers[fieldOf(algorithm)] ? [element(`Checksum${algorithm}`, headers[fieldOf(algorithm)]!)] : []),
    ]),
  );
  const checksum = isSaid ? [element('ChecksumAlgorithm', algorithm), element('ChecksumType', type)] : [];
  const document: Xml[] = [
    ...[element('Bucket', bucket), element('Key', key), element('UploadId', id)],
    ...[ownerOf('Initiator'), ownerOf(), element('StorageClass', 'STANDARD')],
    ...[element('PartNumberMarker', after), element('NextPartNumberMarker', page.at(-1)?.[0] ?? after)],
    ...[element('MaxParts', limit), element('IsTruncated', all.length > page.length)],
    ...checksum,
    ...parts,
  ];
  sendXml(asked, s3Document('ListPartsResult', document));
}

/** GET of a bucket `?uploads` (API_ListMultipartUploads.html): by key, then by age. */
export async function listUploads(asked: Asked): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(asked);
  const shown = encoderOf(asked);
  const [prefix, marker] = [param(asked, 'prefix') ?? '', param(asked, 'key-marker') ?? ''];
  const idMarker = has(asked, 'upload-id-marker') ? param(asked, 'upload-id-marker')! : '';
  const limit = numberIn(asked, 'max-uploads', MOST) ?? MOST;
  const all = (await context.catalog.list(uploadPrefix(bucket)))
    .map((entry) => ({
      id: entry.key.slice(uploadPrefix(bucket).length),
      key: keyOf(entry),
      at: entry.storedAt,
      checksum: checksumOf(entry),
    }))
    .filter(({ key }) => key.startsWith(prefix))
    .sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)) || (one.at < other.at ? -1 : 1));
  const seen = all.findIndex(({ key, id }) => key === marker && id === idMarker);
  const rest =
    seen >= 0
      ? all.slice(seen + 1)
      : all.filter(({ key }) => marker === '' || Buffer.compare(Buffer.from(key), Buffer.from(marker)) > 0);
  const page = rest.slice(0, limit);
  const uploads = page.map(({ id, key, at, checksum }) =>
    element('Upload', [
      ...[element('Key', shown(key)), element('UploadId', id), ownerOf('Initiator'), ownerOf()],
      ...[element('StorageClass', 'STANDARD'), element('Initiated', at)],
      ...(checksum.isSaid
        ? [element('ChecksumAlgorithm', checksum.algorithm), element('ChecksumType', checksum.type)]
        : []),
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
