import { Readable } from 'node:stream';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Context } from '../../shared/service/service.ts';
import { type Asked, param, sendEmpty, sendXml } from './asked.ts';
import type { S3Config } from './config.ts';
import { S3Error } from './errors.ts';
import { BUCKETS, bucketKey, donePrefix, objectPrefix, partPrefix, uploadPrefix } from './keys.ts';
import { checkTags, MOST_BUCKET_TAGS, TAGS, type TagPair } from './metadata.ts';
import { checkDocument, readDocument } from './read-document.ts';
import { type Parsed, readXml, tagPairs } from './read-xml.ts';
import { OWNER } from './wishes.ts';
import { element, s3Document, type Xml } from './xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;
const MARK = Buffer.from('{}');
const MOST_DOCUMENT = 1 << 20;
const MOST_BUCKETS = 10_000;

/** Entries that stand for no bytes have these, so that each points at some. */
export async function markOf({ blobs }: Pick<Context<S3Config>, 'blobs'>): Promise<Pick<Entry, 'digest' | 'size'>> {
  const kept = { digest: digestOf(MARK), size: MARK.length };
  await blobs.put(kept.digest, kept.size, Readable.from([MARK], { objectMode: false }));
  return kept;
}

/** Those that the asker may read (API_ListBuckets.html), the ones that show what mirrors hold among them. */
export async function listBuckets(asked: Asked): Promise<void> {
  const { context } = asked;
  const [prefix, token] = [param(asked, 'prefix') ?? '', param(asked, 'continuation-token') ?? ''];
  const limit = mostBuckets(asked);
  const own = (await context.catalog.list(BUCKETS)).map(({ key, storedAt }) => ({
    name: key.slice(BUCKETS.length),
    at: storedAt,
  }));
  const shown = context.shelves.map(({ shelf }) => ({ name: shelf.bucket, at: new Date(0).toISOString() }));
  const all = [...own, ...shown]
    .filter(({ name }) => name.startsWith(prefix) && name > token && asked.mayRead(name))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const page = all.slice(0, limit);
  const buckets = page.map(({ name, at }) =>
    element('Bucket', [
      ...[element('Name', name), element('CreationDate', at)],
      ...[element('BucketRegion', context.config.region), element('BucketArn', arnOf(name))],
    ]),
  );
  const next = all.length > page.length ? [element('ContinuationToken', page.at(-1)!.name)] : [];
  const said = prefix === '' ? [] : [element('Prefix', prefix)];
  sendXml(asked, s3Document('ListAllMyBucketsResult', [ownerOf(), element('Buckets', buckets), ...next, ...said]));
}

const arnOf = (bucket: string) => `arn:aws:s3:::${bucket}`;

function mostBuckets(asked: Asked): number {
  const text = param(asked, 'max-buckets');
  if (text === undefined) return MOST_BUCKETS;
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_BUCKETS) return Number(text);
  throw new S3Error(
    'bad-request',
    'InvalidArgument',
    `Argument max-buckets must be an integer between 1 and ${MOST_BUCKETS}.`,
    { extra: { ArgumentName: 'max-buckets', ArgumentValue: text.slice(0, 40) } },
  );
}

/** There is one owner of all: the site. */
export function ownerOf(name = 'Owner'): Xml {
  return element(name, [element('ID', OWNER), element('DisplayName', OWNER)]);
}

/** No two of dots and dashes that S3 forbids, and nothing that looks like an address of the Internet. */
const isBucketName = (name: string) => NAME.test(name) && !/\.\.|\.-|-\./.test(name) && !ADDRESS.test(name);

export async function createBucket(asked: Asked): Promise<void> {
  const { context, bucket } = asked;
  checkBucketName(bucket);
  if (asked.req.headers['x-amz-bucket-object-lock-enabled']?.toString().toLowerCase() === 'true')
    throw new S3Error('unsupported', 'NotImplemented', 'Buckets whose objects are locked are not implemented here.', {
      status: 501,
    });
  const body = await checkDocument(asked, await readDocument(asked, MOST_DOCUMENT));
  const tags = body.length > 0 ? tagsIn(readXml(body, 'CreateBucketConfiguration')) : [];
  // its owner is who asks, as there is one: AWS says 200 of that in its oldest region, and others 409
  if (!(await makeBucket(context, bucket, tags)))
    throw new S3Error(
      'conflict',
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
      {
        extra: { BucketName: bucket },
      },
    );
  context.log.info({ event: 'bucket', bucket, by: asked.identity?.name }, 'bucket made');
  sendEmpty(asked, 200, { location: `/${bucket}`, 'x-amz-bucket-arn': arnOf(bucket) });
}

/** Makes a bucket. False when it is there. Throws `InvalidBucketName`. */
export async function makeBucket(
  context: Pick<Context<S3Config>, 'catalog' | 'blobs' | 'now'>,
  bucket: string,
  tags: readonly TagPair[] = [],
): Promise<boolean> {
  checkBucketName(bucket);
  const at = new Date(context.now()).toISOString();
  const headers: Record<string, string> = tags.length > 0 ? { [TAGS]: JSON.stringify(tags) } : {};
  const entry = { mediaType: 'application/json', headers, origin: 'upload', storedAt: at, checkedAt: at };
  const mark = await markOf(context);
  return context.catalog.put({ ...entry, ...mark, key: bucketKey(bucket) }, { ifAbsent: true });
}

function checkBucketName(bucket: string): void {
  if (isBucketName(bucket)) return;
  throw new S3Error('bad-request', 'InvalidBucketName', 'The specified bucket is not valid.', {
    extra: { BucketName: bucket.slice(0, 100) },
  });
}

/** Tags that a bucket is made with. */
function tagsIn({ Tags: set }: Parsed): TagPair[] {
  return set === undefined ? [] : checkTags(tagPairs(set as Parsed | ''), MOST_BUCKET_TAGS, 'Bucket');
}

/** Throws `NoSuchBucket`. */
export async function checkBucket({ view, bucket }: Pick<Asked, 'view' | 'bucket'>): Promise<void> {
  if (!(await view.exists())) throw noSuchBucket(bucket);
}

export function noSuchBucket(bucket: string): S3Error {
  return new S3Error('not-found', 'NoSuchBucket', 'The specified bucket does not exist.', {
    extra: { BucketName: bucket.slice(0, 100) },
  });
}

export async function headBucket(asked: Asked): Promise<void> {
  await checkBucket(asked);
  sendEmpty(asked, 200, {
    'x-amz-bucket-region': asked.context.config.region,
    'x-amz-bucket-arn': arnOf(asked.bucket),
  });
}

export async function deleteBucket(asked: Asked): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(asked);
  // objects that another replica took a moment ago are objects, too
  await context.catalog.upToDate();
  const [held] = await context.catalog.keys(objectPrefix(bucket), { limit: 1 });
  if (held !== undefined)
    throw new S3Error('conflict', 'BucketNotEmpty', 'The bucket you tried to delete is not empty.');
  const uploads = await context.catalog.keys(uploadPrefix(bucket));
  const parts = uploads.map((key) => partPrefix(key.slice(uploadPrefix(bucket).length)));
  // uploads last, so that who is interrupted finds their parts again
  for (const prefix of [...parts, donePrefix(bucket), uploadPrefix(bucket)])
    for (const key of await context.catalog.keys(prefix)) await context.catalog.delete(key);
  await context.catalog.delete(bucketKey(bucket));
  context.log.info({ event: 'bucket-delete', bucket, by: asked.identity?.name }, 'bucket deleted');
  sendEmpty(asked, 204);
}

/** us-east-1, the oldest, is said by silence. */
export async function bucketLocation(asked: Asked): Promise<void> {
  const { context } = asked;
  await checkBucket(asked);
  const { region } = context.config;
  const document = s3Document('LocationConstraint', []);
  const inner = region === 'us-east-1' ? '' : region;
  sendXml(asked, document.replace('></LocationConstraint>', `>${inner}</LocationConstraint>`));
}
