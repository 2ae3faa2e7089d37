import { compare } from '../../shared/storage/segments.ts';
import { type Asked, numberIn, param, sendXml } from './asked.ts';
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
    element('PartNumberMarker', after),
    // AWS says it of a last page, too; of one without parts it would have the SDK for JavaScript ask without an end
    ...page.slice(-1).map(([number]) => element('NextPartNumberMarker', number)),
    ...[element('MaxParts', limit), element('IsTruncated', all.length > page.length)],
    ...checksum,
    ...parts,
  ];
  sendXml(asked, s3Document('ListPartsResult', document));
}

interface Listed {
  id: string;
  key: string;
  at: string;
  checksum: ReturnType<typeof checksumOf>;
}

/** What stands in one place of the list: an upload, or all whose keys share a beginning. */
type Row = { key: string; upload: Listed } | { key: string; prefix: string };

/** GET of a bucket `?uploads` (API_ListMultipartUploads.html): by key, then by age. */
export async function listUploads(asked: Asked): Promise<void> {
  await checkBucket(asked);
  const shown = encoderOf(asked);
  const [prefix, delimiter] = [param(asked, 'prefix') ?? '', param(asked, 'delimiter') ?? ''];
  const [marker, idMarker] = [param(asked, 'key-marker') ?? '', param(asked, 'upload-id-marker') ?? ''];
  const limit = numberIn(asked, 'max-uploads', MOST) ?? MOST;
  const rows = rowsOf(await uploadsOf(asked, prefix), prefix, delimiter);
  const rest = rows.slice(placeBehind(rows, marker, idMarker));
  const page = rest.slice(0, limit);
  const isTruncated = rest.length > page.length;
  const document: Xml[] = [
    ...[element('Bucket', asked.bucket), element('KeyMarker', shown(marker)), element('UploadIdMarker', idMarker)],
    ...(isTruncated && page.length > 0 ? nextOf(page.at(-1)!, shown) : []),
    ...[element('Prefix', shown(prefix)), ...(delimiter ? [element('Delimiter', shown(delimiter))] : [])],
    ...[element('MaxUploads', limit), element('IsTruncated', isTruncated)],
    ...page.flatMap((row) => ('upload' in row ? [uploadElement(row.upload, shown)] : [])),
    ...page.flatMap((row) =>
      'prefix' in row ? [element('CommonPrefixes', [element('Prefix', shown(row.prefix))])] : [],
    ),
  ];
  sendXml(asked, s3Document('ListMultipartUploadsResult', document));
}

async function uploadsOf({ context, bucket }: Asked, prefix: string): Promise<Listed[]> {
  const base = uploadPrefix(bucket);
  return (await context.catalog.list(base))
    .map((entry) => ({
      id: entry.key.slice(base.length),
      ...{ key: keyOf(entry), at: entry.storedAt, checksum: checksumOf(entry) },
    }))
    .filter(({ key }) => key.startsWith(prefix))
    .sort((one, other) => compare(one.key, other.key) || (one.at < other.at ? -1 : 1));
}

function rowsOf(uploads: readonly Listed[], prefix: string, delimiter: string): Row[] {
  const rows: Row[] = [];
  for (const upload of uploads) {
    const end = delimiter ? upload.key.indexOf(delimiter, prefix.length) : -1;
    if (end < 0) rows.push({ key: upload.key, upload });
    else {
      const common = upload.key.slice(0, end + delimiter.length);
      if (rows.at(-1)?.key !== common) rows.push({ key: common, prefix: common });
    }
  }
  return rows;
}

/** "If upload-id-marker is not specified, only the keys lexicographically greater than the specified key-marker" are listed. */
function placeBehind(rows: readonly Row[], marker: string, idMarker: string): number {
  if (marker === '') return 0;
  const named = rows.findIndex((row) => 'upload' in row && row.upload.id === idMarker && row.key === marker);
  if (named >= 0) return named + 1;
  const behind = rows.findIndex(({ key }) => compare(key, marker) > 0);
  return behind < 0 ? rows.length : behind;
}

function nextOf(last: Row, shown: (text: string) => string): Xml[] {
  const id = 'upload' in last ? [element('NextUploadIdMarker', last.upload.id)] : [];
  return [element('NextKeyMarker', shown(last.key)), ...id];
}

function uploadElement({ key, id, at, checksum }: Listed, shown: (text: string) => string): Xml {
  const { algorithm, type, isSaid } = checksum;
  return element('Upload', [
    ...[element('Key', shown(key)), element('UploadId', id), ownerOf('Initiator'), ownerOf()],
    ...[element('StorageClass', 'STANDARD'), element('Initiated', at)],
    ...(isSaid ? [element('ChecksumAlgorithm', algorithm), element('ChecksumType', type)] : []),
  ]);
}
