import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KEY, type Site, startSite } from './support.ts';

let site: Site;
const Bucket = 'wishes';
const Key = 'object';

beforeAll(async () => {
  site = await startSite();
  await site.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => site?.close());

const put = (more: Partial<PutObjectCommandInput>) =>
  site.s3.send(new PutObjectCommand({ Bucket, Key: 'wished', Body: 'x', ...more }));
const later = new Date(Date.now() + 86_400_000);

describe('what is not to be had here is refused, and nothing is kept', () => {
  const locks = [
    { ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: later },
    { ObjectLockLegalHoldStatus: 'ON' },
  ] as const;
  const ciphers = [
    { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'mine' },
    { SSECustomerAlgorithm: 'AES256', SSECustomerKey: Buffer.alloc(32, 1).toString('base64') },
  ] as const;

  test.each(locks)('locks of objects: %o', async (lock) => {
    const refused = { name: 'InvalidRequest', message: 'Bucket is missing Object Lock Configuration' };
    await expect(put(lock)).rejects.toMatchObject(refused);
    const upload = new CreateMultipartUploadCommand({ Bucket, Key: 'wished', ...lock });
    await expect(site.s3.send(upload)).rejects.toMatchObject(refused);
  });

  test.each(ciphers)('keys of clients and of key services: %o', async (cipher) => {
    await expect(put(cipher)).rejects.toMatchObject({ name: 'NotImplemented' });
  });

  test('buckets of locked objects', async () => {
    const locked = new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true });
    await expect(site.s3.send(locked)).rejects.toMatchObject({ name: 'NotImplemented' });
    await expect(site.s3.send(new HeadBucketCommand({ Bucket: 'locked' }))).rejects.toMatchObject({ name: 'NotFound' });
  });

  test('and what AWS does of itself is taken', async () => {
    await expect(site.s3.send(new HeadObjectCommand({ Bucket, Key: 'wished' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
    await put({ ServerSideEncryption: 'AES256', ObjectLockLegalHoldStatus: 'OFF' });
    expect((await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'wished' }))).ContentLength).toBe(1);
  });
});

test('a setting of an object that there is none of is not taken for the object', async () => {
  await put({ Key: 'kept' });
  const Retention = { Mode: 'COMPLIANCE', RetainUntilDate: later } as const;
  const settings = [
    new PutObjectRetentionCommand({ Bucket, Key: 'kept', Retention }),
    new PutObjectLegalHoldCommand({ Bucket, Key: 'kept', LegalHold: { Status: 'ON' } }),
  ];
  for (const setting of settings)
    await expect(site.s3.send(setting as PutObjectRetentionCommand)).rejects.toMatchObject({ name: 'NotImplemented' });
  expect((await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'kept' }))).ContentLength).toBe(1);
});

test('who says whose bucket is meant is held to it', async () => {
  await put({ Key });
  for (const ExpectedBucketOwner of ['larder', KEY.accessKeyId])
    expect((await site.s3.send(new GetObjectCommand({ Bucket, Key, ExpectedBucketOwner }))).ContentLength).toBe(1);
  const other = { ExpectedBucketOwner: '111122223333' };
  await expect(put(other)).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(site.s3.send(new GetObjectCommand({ Bucket, Key, ...other }))).rejects.toMatchObject({
    name: 'AccessDenied',
  });
  const copy = new CopyObjectCommand({
    ...{ Bucket, Key: 'copy', CopySource: `${Bucket}/${Key}` },
    ExpectedSourceBucketOwner: '111122223333',
  });
  await expect(site.s3.send(copy)).rejects.toMatchObject({ name: 'AccessDenied' });
});

test('where a website would send people is said of one object and not copied', async () => {
  await put({ Key: 'from', WebsiteRedirectLocation: '/there' });
  const copied = async (more: object) => {
    await site.s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource: `${Bucket}/from`, ...more }));
    return (await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }))).WebsiteRedirectLocation;
  };
  expect(await copied({})).toBeUndefined();
  expect(await copied({ WebsiteRedirectLocation: '/elsewhere' })).toBe('/elsewhere');
});
