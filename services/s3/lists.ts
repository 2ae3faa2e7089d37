import type { Entry } from '../../shared/model/entry.ts';
import { encodePath } from '../../shared/storage/sigv4.ts';
import { type Asked, has, numberIn, param, sendXml } from './asked.ts';
import { checksumIn } from './body/checksums.ts';
import { checkBucket, ownerOf } from './buckets.ts';
import { S3Error } from './errors.ts';
import { element, escapeXml, s3Document, type Xml } from './xml.ts';

const MOST = 1000;
const FEW = 20;
/** Comes behind every key that begins with what stands before it: a key has 1,024 bytes, and this one four of them. */
const LAST = '\u{10ffff}'.repeat(256);

interface Wish {
  prefix: string;
  delimiter: string;
  /** Keys and common prefixes behind this one. */
  after: string;
  limit: number;
}

interface Listed {
  key: string;
  entry: Entry;
}

interface Page {
  objects: Listed[];
  prefixes: string[];
  /** Of the last key or common prefix that was given; set when there is more. */
  next?: string;
}

/** Objects of a bucket in the order of their keys' bytes; with a delimiter, what shares a beginning as one. */
async function pageOf({ view }: Asked, { prefix, delimiter, after, limit }: Wish): Promise<Page> {
  const page: Page = { objects: [], prefixes: [] };
  let last = '';
  let cursor = skip(after, prefix, delimiter);
  if (limit === 0) return page;
  for (;;) {
    const given = page.objects.length + page.prefixes.length;
    // one more, to know whether there is any; few where the next of them may be passed over
    const size = Math.min(delimiter ? FEW : MOST, limit - given) + 1;
    const rows = await view.list(prefix, { after: cursor || undefined, limit: size });
    let skipped = false;
    for (const row of rows) {
      const { key } = row;
      if (page.objects.length + page.prefixes.length === limit) return { ...page, next: last };
      const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      if (end < 0) {
        page.objects.push(row);
        last = key;
        cursor = key;
        continue;
      }
      last = key.slice(0, end + delimiter.length);
      page.prefixes.push(last);
      cursor = last + LAST;
      skipped = true;
      break;
    }
    if (!skipped && rows.length < size) return page;
  }
}

/** A page that ended with a common prefix goes on behind all that has it. */
function skip(after: string, prefix: string, delimiter: string): string {
  const isPrefix = delimiter && after.endsWith(delimiter) && after.startsWith(prefix);
  const first = isPrefix ? after.indexOf(delimiter, prefix.length) + delimiter.length : 0;
  return isPrefix && first === after.length ? after + LAST : after;
}

/** GET of a bucket (API_ListObjects.html, API_ListObjectsV2.html, API_ListObjectVersions.html). */
export async function listObjects(asked: Asked): Promise<void> {
  await checkBucket(asked);
  // Ceph's word for lists in whatever order is quickest: ours are always in order
  if (param(asked, 'allow-unordered') === 'true' && param(asked, 'delimiter'))
    throw new S3Error('bad-request', 'InvalidArgument', 'a list without order cannot have a delimiter');
  if (has(asked, 'versions')) return listVersions(asked);
  if (param(asked, 'list-type') === '2') return listV2(asked);
  return listV1(asked);
}

async function listV1(asked: Asked): Promise<void> {
  const wish = wishOf(asked, param(asked, 'marker') ?? '');
  const page = await pageOf(asked, wish);
  const shown = encoderOf(asked);
  // AWS says it only where there is a delimiter; all other servers say it always, and it harms nobody
  const next = page.next !== undefined ? [element('NextMarker', shown(page.next))] : [];
  const head = [element('Marker', shown(param(asked, 'marker') ?? '')), ...next];
  sendXml(
    asked,
    s3Document('ListBucketResult', [...common(asked, wish, page, true), ...head, ...contents(page, shown, true)]),
  );
}

async function listV2(asked: Asked): Promise<void> {
  const token = param(asked, 'continuation-token');
  const startAfter = param(asked, 'start-after');
  const wish = wishOf(asked, token ? readToken(token) : (startAfter ?? ''));
  const page = await pageOf(asked, wish);
  const shown = encoderOf(asked);
  const head = [element('KeyCount', page.objects.length + page.prefixes.length)];
  if (token !== undefined) head.push(element('ContinuationToken', token));
  if (startAfter !== undefined) head.push(element('StartAfter', shown(startAfter)));
  if (page.next !== undefined) head.push(element('NextContinuationToken', tokenOf(page.next)));
  const withOwner = param(asked, 'fetch-owner') === 'true';
  sendXml(
    asked,
    s3Document('ListBucketResult', [...common(asked, wish, page), ...head, ...contents(page, shown, withOwner)]),
  );
}

/** Every object has one version, which is "null". */
async function listVersions(asked: Asked): Promise<void> {
  const wish = wishOf(asked, param(asked, 'key-marker') ?? '');
  const page = await pageOf(asked, wish);
  const shown = encoderOf(asked);
  const head = [element('KeyMarker', shown(param(asked, 'key-marker') ?? '')), element('VersionIdMarker', '')];
  if (page.next !== undefined)
    head.push(element('NextKeyMarker', shown(page.next)), element('NextVersionIdMarker', 'null'));
  const versions = page.objects.map((listed) =>
    element('Version', [factsOf(listed, shown), element('VersionId', 'null'), element('IsLatest', true), ownerOf()]),
  );
  sendXml(
    asked,
    s3Document('ListVersionsResult', [...common(asked, wish, page), ...head, ...versions, ...prefixesOf(page, shown)]),
  );
}

function wishOf(asked: Asked, after: string): Wish {
  return {
    prefix: param(asked, 'prefix') ?? '',
    delimiter: param(asked, 'delimiter') ?? '',
    after,
    limit: numberIn(asked, 'max-keys', MOST) ?? MOST,
  };
}

/** @param plainPrefix boto3 decodes all names of version 1 but this one */
function common(asked: Asked, { prefix, delimiter, limit }: Wish, page: Page, plainPrefix = false): Xml[] {
  const shown = encoderOf(asked);
  const coding = param(asked, 'encoding-type');
  return [
    element('Name', asked.bucket),
    element('Prefix', plainPrefix ? prefix : shown(prefix)),
    ...(delimiter ? [element('Delimiter', shown(delimiter))] : []),
    ...(coding ? [element('EncodingType', coding)] : []),
    element('MaxKeys', limit),
    element('IsTruncated', page.next !== undefined),
  ];
}

function contents(page: Page, shown: (text: string) => string, withOwner: boolean): Xml[] {
  const owner = ownerOf();
  const objects = page.objects.map((listed) =>
    element('Contents', withOwner ? [factsOf(listed, shown), owner] : [factsOf(listed, shown)]),
  );
  return [...objects, ...prefixesOf(page, shown)];
}

function prefixesOf({ prefixes }: Page, shown: (text: string) => string): Xml[] {
  return prefixes.map((prefix) => element('CommonPrefixes', [element('Prefix', shown(prefix))]));
}

/** Written out, and not of elements: a page has a thousand of them. */
function factsOf({ key, entry }: Listed, shown: (text: string) => string): Xml {
  const checksum = checksumIn(entry.headers);
  const sum = checksum
    ? `<ChecksumAlgorithm>${checksum.algorithm}</ChecksumAlgorithm><ChecksumType>${checksum.type}</ChecksumType>`
    : '';
  const name = `<Key>${escapeXml(shown(key))}</Key><LastModified>${entry.storedAt}</LastModified>`;
  const size = `<Size>${entry.size}</Size><StorageClass>STANDARD</StorageClass>`;
  return { xml: `${name}<ETag>${escapeXml(entry.etag!)}</ETag>${sum}${size}` };
}

/** Names in the form that the client asked for: XML cannot say all that a key may be. Throws `InvalidArgument`. */
export function encoderOf(asked: Asked): (text: string) => string {
  const coding = param(asked, 'encoding-type');
  if (coding === undefined || coding === '') return (text) => text;
  if (coding === 'url') return encodePath;
  throw new S3Error('bad-request', 'InvalidArgument', 'Invalid Encoding Method specified in Request');
}

const tokenOf = (key: string) => Buffer.from(key).toString('base64url');

function readToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString('utf8');
  if (tokenOf(key) !== token || key === '')
    throw new S3Error('bad-request', 'InvalidArgument', 'The continuation token provided is incorrect');
  return key;
}
