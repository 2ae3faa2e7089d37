import {
  CreateBucketCommand,
  DeleteObjectCommand,
  type DeleteObjectCommandInput,
  DeleteObjectsCommand,
  HeadObjectCommand,
  type ObjectIdentifier,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Site, startSite } from './support.ts';

let site: Site;
const Bucket = 'deletions';
const LONG_AGO = new Date('2015-01-01T00:00:00Z');

beforeAll(async () => {
  site = await startSite();
  await site.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => site?.close());

const put = (Key: string) => site.s3.send(new PutObjectCommand({ Bucket, Key, Body: 'held' }));
const head = (Key: string) => site.s3.send(new HeadObjectCommand({ Bucket, Key }));

/** @returns its status, or the code that it was refused with */
const remove = (Key: string, more: Partial<DeleteObjectCommandInput>) =>
  site.s3.send(new DeleteObjectCommand({ Bucket, Key, ...more })).then(
    ({ $metadata }) => $metadata.httpStatusCode,
    ({ name }) => name as string,
  );

async function removeMany(...Objects: ObjectIdentifier[]) {
  const { Deleted = [], Errors = [] } = await site.s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  return { deleted: Deleted.map(({ Key }) => Key), refused: Errors.map(({ Key, Code }) => `${Key}: ${Code}`) };
}

test('an object is deleted only if it is the one that is meant', async () => {
  await put('meant');
  const { ETag, LastModified } = await head('meant');
  expect(await remove('meant', { IfMatch: '"other"' })).toBe('PreconditionFailed');
  expect(await remove('meant', { IfMatchSize: 5 })).toBe('PreconditionFailed');
  expect(await remove('meant', { IfMatchLastModifiedTime: LONG_AGO })).toBe('PreconditionFailed');
  expect(await remove('meant', { IfMatch: ETag, IfMatchSize: 5 })).toBe('PreconditionFailed');
  expect((await head('meant')).ContentLength).toBe(4);
  expect(await remove('meant', { IfMatch: ETag, IfMatchSize: 4, IfMatchLastModifiedTime: LastModified })).toBe(204);
  await expect(head('meant')).rejects.toMatchObject({ name: 'NotFound' });
});

test('what is not there is deleted, whatever was meant', async () => {
  for (const IfMatch of ['*', '"other"']) expect(await remove('none', { IfMatch })).toBe(204);
  expect(await remove('none', { IfMatchSize: 1 })).toBe(204);
});

test('of many, each is deleted only if it is the one that is meant', async () => {
  for (const key of ['etag', 'size', 'time', 'right']) await put(key);
  const { ETag, LastModified } = await head('right');
  const told = await removeMany(
    { Key: 'etag', ETag: '"other"' },
    { Key: 'size', Size: 5 },
    { Key: 'time', LastModifiedTime: LONG_AGO },
    { Key: 'right', ETag, Size: 4, LastModifiedTime: LastModified },
    { Key: 'none', ETag },
  );
  expect(told.deleted).toEqual(['right', 'none']);
  expect(told.refused).toEqual(['etag', 'size', 'time'].map((key) => `${key}: PreconditionFailed`));
  for (const key of ['etag', 'size', 'time']) expect((await head(key)).ContentLength).toBe(4);
});

test('an older version of an object is not taken for the object', async () => {
  await put('version');
  expect(await remove('version', { VersionId: '3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY' })).toBe('NoSuchVersion');
  expect(await removeMany({ Key: 'version', VersionId: 'older' })).toEqual({
    deleted: [],
    refused: ['version: NoSuchVersion'],
  });
  expect((await head('version')).ContentLength).toBe(4);
  expect(await remove('version', { VersionId: 'null' })).toBe(204);
});
