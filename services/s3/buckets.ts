import { Readable } from 'node:stream';
import { readBody } from '../../shared/http/read-body.ts';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Context } from '../../shared/service/service.ts';
import { type Asked, sendEmpty, sendXml } from './asked.ts';
import type { S3Config } from './config.ts';
import { S3Error } from './errors.ts';
import { BUCKETS, bucketKey, objectPrefix, uploadPrefix } from './keys.ts';
import { readXml } from './read-xml.ts';
import { element, s3Document, type Xml } from './xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;
const MARK = Buffer.from('{}');
const MOST_DOCUMENT = 1 << 20;

/** Entries that stand for no bytes have these, so that each points at some. */
export async function markOf({ blobs }: Pick<Context<S3Config>, 'blobs'>): Promise<Pick<Entry, 'digest' | 'size'>> {
  const kept = { digest: digestOf(MARK), size: MARK.length };
  await blobs.put(kept.digest, kept.size, Readable.from([MARK], { objectMode: false }));
  return kept;
}

export async function listBuckets(asked: Asked): Promise<void> {
  const { context } = asked;
  const buckets = (await context.catalog.list(BUCKETS)).map(({ key, storedAt }) =>
    element('Bucket', [element('Name', key.slice(BUCKETS.length)), element('CreationDate', storedAt)]),
  );
  sendXml(asked, s3Document('ListAllMyBucketsResult', [ownerOf(), element('Buckets', buckets)]));
}

/** There is one owner of all: the site. */
export function ownerOf(name = 'Owner'): Xml {
  return element(name, [element('ID', 'larder'), element('DisplayName', 'larder')]);
}

export async function createBucket(asked: Asked): Promise<void> {
  const { context, bucket, req } = asked;
  if (!NAME.test(bucket) || bucket.includes('..') || ADDRESS.test(bucket))
    throw new S3Error(
      'bad-request',
      'InvalidBucketName',
      'a bucket has 3 to 63 small letters, digits, dots and dashes, and begins and ends with a letter or digit',
      { extra: { BucketName: bucket.slice(0, 100) } },
    );
  const body = await readBody(req, MOST_DOCUMENT, 'bucket');
  if (body.length > 0) readXml(body, 'CreateBucketConfiguration');
  const at = new Date(context.now()).toISOString();
  const entry = { mediaType: 'application/json', headers: {}, origin: 'upload', storedAt: at, checkedAt: at };
  const mark = await markOf(context);
  const isNew = await context.catalog.put({ ...entry, ...mark, key: bucketKey(bucket) }, { ifAbsent: true });
  // its owner is who asks, as there is one: AWS says 200 of that in its oldest region, and others 409
  if (!isNew)
    throw new S3Error('conflict', 'BucketAlreadyOwnedByYou', 'there is such a bucket already', {
      extra: { BucketName: bucket },
    });
  context.log.info({ event: 'bucket', bucket, by: asked.identity?.name }, 'bucket made');
  sendEmpty(asked, 200, { location: `/${bucket}` });
}

/** Throws `NoSuchBucket`. */
export async function checkBucket({ catalog }: Pick<Context<S3Config>, 'catalog'>, bucket: string): Promise<void> {
  if (await catalog.get(bucketKey(bucket))) return;
  throw new S3Error('not-found', 'NoSuchBucket', 'there is no such bucket', {
    extra: { BucketName: bucket.slice(0, 100) },
  });
}

export async function headBucket(asked: Asked): Promise<void> {
  await checkBucket(asked.context, asked.bucket);
  sendEmpty(asked, 200, { 'x-amz-bucket-region': asked.context.config.region });
}

export async function deleteBucket(asked: Asked): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(context, bucket);
  const [held] = await context.catalog.keys(objectPrefix(bucket), { limit: 1 });
  if (held !== undefined)
    throw new S3Error('conflict', 'BucketNotEmpty', 'there are objects in this bucket; delete them first');
  for (const key of await context.catalog.keys(uploadPrefix(bucket))) await context.catalog.delete(key);
  await context.catalog.delete(bucketKey(bucket));
  context.log.info({ event: 'bucket-delete', bucket, by: asked.identity?.name }, 'bucket deleted');
  sendEmpty(asked, 204);
}

/** us-east-1, the oldest, is said by silence. */
export async function bucketLocation(asked: Asked): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(context, bucket);
  const { region } = context.config;
  const document = s3Document('LocationConstraint', []);
  const inner = region === 'us-east-1' ? '' : region;
  sendXml(asked, document.replace('></LocationConstraint>', `>${inner}</LocationConstraint>`));
}
