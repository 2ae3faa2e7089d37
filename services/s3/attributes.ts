import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, field, param, sendXml } from './asked.ts';
import { checksumIn } from './body/checksums.ts';
import { checkBucket } from './buckets.ts';
import { checksumElements } from './checksum-elements.ts';
import { unquoted } from './conditions.ts';
import { S3Error } from './errors.ts';
import { checkVersion, findObject } from './read-object.ts';
import { element, s3Document, type Xml } from './xml.ts';

const MOST_PARTS = 1000;
const ATTRIBUTES: Record<string, (asked: Asked, entry: Entry) => Xml[]> = {
  ETag: (_asked, { etag }) => [element('ETag', unquoted(etag!))],
  Checksum: (_asked, { headers }) => {
    const elements = checksumElements(checksumIn(headers));
    return elements.length > 0 ? [element('Checksum', elements)] : [];
  },
  ObjectParts: partsOf,
  StorageClass: () => [element('StorageClass', 'STANDARD')],
  ObjectSize: (_asked, { size }) => [element('ObjectSize', size)],
};

/** GET `?attributes` (API_GetObjectAttributes.html). */
export async function getAttributes(asked: Asked): Promise<void> {
  checkVersion(param(asked, 'versionId'));
  await checkBucket(asked);
  const wanted = (field(asked, 'x-amz-object-attributes') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (wanted.length === 0)
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty',
    );
  const unknown = wanted.find((name) => !Object.hasOwn(ATTRIBUTES, name));
  if (unknown !== undefined)
    throw new S3Error('bad-request', 'InvalidArgument', 'Invalid attribute name specified.', {
      extra: { ArgumentName: 'x-amz-object-attributes', ArgumentValue: unknown.slice(0, 100) },
    });
  const entry = await findObject(asked);
  const parts = Object.entries(ATTRIBUTES).flatMap(([name, of]) => (wanted.includes(name) ? of(asked, entry) : []));
  sendXml(asked, s3Document('GetObjectAttributesResponse', parts), 200, { 'last-modified': entry.lastModified! });
}

/** Sizes of the parts that an object came in; S3 says them of those that have a checksum each, and so do we. */
function partsOf(asked: Asked, { parts }: Entry): Xml[] {
  if (!parts) return [];
  const after = Number(field(asked, 'x-amz-part-number-marker') ?? 0) || 0;
  const limit = Math.min(Number(field(asked, 'x-amz-max-parts') ?? MOST_PARTS) || MOST_PARTS, MOST_PARTS);
  const page = parts.slice(after, after + limit);
  return [
    element('ObjectParts', [
      ...[element('PartsCount', parts.length), element('PartNumberMarker', after)],
      ...[element('NextPartNumberMarker', after + page.length), element('MaxParts', limit)],
      element('IsTruncated', after + page.length < parts.length),
      ...page.map(({ size }, index) =>
        element('Part', [element('PartNumber', after + index + 1), element('Size', size)]),
      ),
    ]),
  ];
}
