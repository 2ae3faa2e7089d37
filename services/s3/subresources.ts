import { type Asked, has, sendEmpty, sendXml } from './asked.ts';
import { checkBucket, noSuchBucket, ownerOf } from './buckets.ts';
import { S3Error } from './errors.ts';
import { bucketKey } from './keys.ts';
import { checkTags, MOST_BUCKET_TAGS, TAGS, tagsIn } from './metadata.ts';
import { findObject } from './read-object.ts';
import { readTags, sendTags } from './tagging.ts';
import { replaceName } from './writes.ts';
import { element, s3Document } from './xml.ts';

/** What no bucket here has, and how S3 says so: tools ask for these before they do anything. */
const ABSENT: Record<string, string> = {
  policy: 'NoSuchBucketPolicy',
  cors: 'NoSuchCORSConfiguration',
  lifecycle: 'NoSuchLifecycleConfiguration',
  encryption: 'ServerSideEncryptionConfigurationNotFoundError',
  'object-lock': 'ObjectLockConfigurationNotFoundError',
  website: 'NoSuchWebsiteConfiguration',
  replication: 'ReplicationConfigurationNotFoundError',
  publicAccessBlock: 'NoSuchPublicAccessBlockConfiguration',
};
/** Settings that are there and say nothing. */
const EMPTY: Record<string, string> = {
  versioning: 'VersioningConfiguration',
  logging: 'BucketLoggingStatus',
  notification: 'NotificationConfiguration',
  accelerate: 'AccelerateConfiguration',
};
/** What AWS says of every bucket that nobody changed: lists of access are of no use. */
const OWNED = element('Rule', [element('ObjectOwnership', 'BucketOwnerEnforced')]);
const OTHERS = [
  'acl',
  'tagging',
  'ownershipControls',
  'requestPayment',
  'policyStatus',
  'analytics',
  'inventory',
  'metrics',
  'intelligent-tiering',
  'metadataConfiguration',
  'metadataTable',
  'metadataInventoryTable',
  'metadataJournalTable',
  'abac',
  'session',
];
const ALL = [...Object.keys(ABSENT), ...Object.keys(EMPTY), ...OTHERS];

/** True for a request about the settings of a bucket. */
export function isBucketSetting(asked: Asked): boolean {
  return ALL.some((name) => has(asked, name));
}

/** Of objects there is none but tags and lists of access; one that is set must not be taken for the object itself. */
const OF_OBJECTS = ['torrent', 'retention', 'legal-hold', 'restore', 'select', 'encryption', 'renameObject'];

export function isObjectSetting(asked: Asked): boolean {
  return asked.address.query.length > 0 && OF_OBJECTS.some((name) => has(asked, name));
}

export async function objectSetting(asked: Asked): Promise<never> {
  await findObject(asked);
  throw notThere();
}

export async function bucketSetting(asked: Asked): Promise<void> {
  const { req } = asked;
  await checkBucket(asked);
  // a canned one says what is so already: the site's keys are what decides
  if (has(asked, 'acl')) return req.method === 'GET' ? sendXml(asked, accessList()) : sendEmpty(asked, 200);
  if (has(asked, 'tagging')) return bucketTagging(asked);
  if (req.method !== 'GET') throw notThere();
  if (has(asked, 'ownershipControls')) return sendXml(asked, s3Document('OwnershipControls', [OWNED]));
  const absent = Object.keys(ABSENT).find((name) => has(asked, name));
  if (absent) throw new S3Error('not-found', ABSENT[absent]!, `this bucket has no such setting (${absent})`);
  const empty = Object.keys(EMPTY).find((name) => has(asked, name));
  if (empty) return sendXml(asked, s3Document(EMPTY[empty]!, []));
  if (has(asked, 'requestPayment'))
    return sendXml(asked, s3Document('RequestPaymentConfiguration', [element('Payer', 'BucketOwner')]));
  throw notThere();
}

/** GET, PUT and DELETE `?tagging` of a bucket (API_PutBucketTagging.html). */
async function bucketTagging(asked: Asked): Promise<void> {
  const { req, context, bucket } = asked;
  const entry = await context.catalog.get(bucketKey(bucket));
  if (req.method === 'GET') {
    if (entry?.headers[TAGS] !== undefined) return sendTags(asked, tagsIn(entry.headers));
    throw new S3Error('not-found', 'NoSuchTagSet', 'The TagSet does not exist.', { extra: { BucketName: bucket } });
  }
  const tags = req.method === 'PUT' ? JSON.stringify(checkTags(await readTags(asked), MOST_BUCKET_TAGS, 'Bucket')) : '';
  await replaceName(context, bucketKey(bucket), (held) => {
    if (!held) throw noSuchBucket(bucket);
    const { [TAGS]: _old, ...headers } = held.headers;
    return { ...held, headers: tags === '' ? headers : { ...headers, [TAGS]: tags } };
  });
  sendEmpty(asked, 204);
}

export async function objectAcl(asked: Asked): Promise<void> {
  await findObject(asked);
  if (asked.req.method === 'GET') sendXml(asked, accessList());
  else sendEmpty(asked, 200);
}

/** The site owns everything, and may do everything. */
function accessList(): string {
  const grantee = ownerOf('Grantee').xml.replace(
    '<Grantee>',
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">',
  );
  const grant = element('Grant', [{ xml: grantee }, element('Permission', 'FULL_CONTROL')]);
  return s3Document('AccessControlPolicy', [ownerOf(), element('AccessControlList', [grant])]);
}

export function notThere(): S3Error {
  return new S3Error(
    'unsupported',
    'NotImplemented',
    'A header you provided implies functionality that is not implemented.',
    { status: 501 },
  );
}
