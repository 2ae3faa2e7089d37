import { createHash, randomBytes } from 'node:crypto';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Site, startSite } from './support.ts';

let site: Site;
const Bucket = 'objects';
const md5 = (bytes: Buffer | string) => createHash('md5').update(bytes).digest('hex');

beforeAll(async () => {
  site = await startSite();
  await site.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => site?.close());

const put = (Key: string, Body: PutObjectCommandInput['Body'], more: Partial<PutObjectCommandInput> = {}) =>
  site.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));

async function get(Key: string, more: object = {}) {
  const answer = await site.s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return { ...answer, bytes: Buffer.from(await answer.Body!.transformToByteArray()) };
}

const refused = async (work: Promise<unknown>) => {
  const error = (await work.then(
    () => undefined,
    (thrown) => thrown,
  )) as { name: string; $metadata: { httpStatusCode: number } } | undefined;
  return error && [error.$metadata.httpStatusCode, error.name];
};

describe('buckets', () => {
  test('are made, looked at, listed and deleted', async () => {
    await site.s3.send(new CreateBucketCommand({ Bucket: 'made' }));
    await site.s3.send(new HeadBucketCommand({ Bucket: 'made' }));
    const { Buckets } = await site.s3.send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toEqual(['made', Bucket]);
    expect((await site.s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBeUndefined();
    await site.s3.send(new DeleteBucketCommand({ Bucket: 'made' }));
    expect(await refused(site.s3.send(new HeadBucketCommand({ Bucket: 'made' })))).toEqual([404, 'NotFound']);
  });

  test('are not deleted while something is in them, nor made twice', async () => {
    await put('held', 'x');
    expect(await refused(site.s3.send(new DeleteBucketCommand({ Bucket })))).toEqual([409, 'BucketNotEmpty']);
    const again = site.s3.send(new CreateBucketCommand({ Bucket }));
    expect(await refused(again)).toEqual([409, 'BucketAlreadyOwnedByYou']);
    const none = site.s3.send(new GetObjectCommand({ Bucket: 'none', Key: 'a' }));
    expect(await refused(none)).toEqual([404, 'NoSuchBucket']);
  });

  test.each(['ab', 'UPPER', 'a_b', '192.168.0.1', 'a..b', '-ab'])('called %s are refused', async (name) => {
    const answer = await fetch(`${site.url}/${name}`, { method: 'PUT' });
    expect(answer.status).toBe(403);
    const signed = site.s3.send(new CreateBucketCommand({ Bucket: name }));
    expect(await refused(signed)).toEqual([400, 'InvalidBucketName']);
  });
});

describe('an object', () => {
  const bytes = randomBytes(3_000_000);

  test('is put, looked at and got, with what is said of it', async () => {
    const Metadata = { owner: 'lab', mtime: '1700000000.5' };
    const more = { ContentType: 'text/x', CacheControl: 'no-store', ContentDisposition: 'inline', Metadata };
    const { ETag } = await put('plain', bytes, { ...more, ContentEncoding: 'gzip' });
    expect(ETag).toBe(`"${md5(bytes)}"`);
    const found = await get('plain');
    expect(found.bytes.equals(bytes)).toBe(true);
    expect(found).toMatchObject({ ...more, ContentEncoding: 'gzip', ETag, ContentLength: bytes.length });
    const head = await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'plain' }));
    expect(head).toMatchObject({ ...more, ETag, ContentLength: bytes.length, LastModified: found.LastModified });
  });

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('is held to its %s', async (algorithm) => {
    const field = `Checksum${algorithm}` as 'ChecksumCRC32';
    const { [field]: value } = await put(`sum-${algorithm}`, bytes, { ChecksumAlgorithm: algorithm });
    expect(value).toMatch(/=$|^[\w+/]+$/);
    const found = await get(`sum-${algorithm}`, { ChecksumMode: 'ENABLED' });
    expect(found[field]).toBe(value);
    expect((await get(`sum-${algorithm}`, { ChecksumMode: 'ENABLED', Range: 'bytes=0-9' }))[field]).toBeUndefined();
    const wrong = put(`sum-${algorithm}`, Buffer.from('other'), { [field]: value });
    expect(await refused(wrong)).toEqual([400, 'BadDigest']);
    expect((await get(`sum-${algorithm}`)).bytes.equals(bytes)).toBe(true);
  });

  test('is held to its MD5', async () => {
    const ContentMD5 = createHash('md5').update(bytes).digest('base64');
    await put('md5', bytes, { ContentMD5 });
    expect(await refused(put('md5', 'other', { ContentMD5 }))).toEqual([400, 'BadDigest']);
    const CalculatedDigest = createHash('md5').update('other').digest('base64');
    await expect(put('md5', 'other', { ContentMD5 })).rejects.toMatchObject({ CalculatedDigest });
    expect(await refused(put('md5', 'other', { ContentMD5: 'AAAA' }))).toEqual([400, 'InvalidDigest']);
  });

  const KEYS = [
    'a//b',
    'x/../y',
    '/',
    'k',
    'k/x',
    ' blanks ',
    'a+b',
    'a%2Fb',
    'ü/😀',
    '?#&=',
    "'()*!~",
    'é'.repeat(512),
  ];
  test.each(KEYS)('may be called %j', async (key) => {
    await put(key, key);
    expect((await get(key)).bytes.toString()).toBe(key);
    await site.s3.send(new DeleteObjectCommand({ Bucket, Key: key }));
    expect(await refused(get(key))).toEqual([404, 'NoSuchKey']);
  });

  test('is not called by more than 1024 bytes', async () => {
    expect(await refused(put('é'.repeat(513), 'x'))).toEqual([400, 'KeyTooLongError']);
  });

  test.each([
    ['bytes=0-0', [0, 1]],
    ['bytes=-5', [2_999_995, 3_000_000]],
    ['bytes=2999999-', [2_999_999, 3_000_000]],
    ['bytes=10-99999999', [10, 3_000_000]],
  ])('is got in part: %s', async (Range, [start, end]) => {
    await put('ranges', bytes);
    const found = await get('ranges', { Range });
    expect(found.bytes.equals(bytes.subarray(start, end))).toBe(true);
    expect(found.ContentRange).toBe(`bytes ${start}-${end! - 1}/3000000`);
    expect(found.$metadata.httpStatusCode).toBe(206);
  });

  test('has no part behind its end', async () => {
    await put('ranges', bytes);
    expect(await refused(get('ranges', { Range: 'bytes=3000000-' }))).toEqual([416, 'InvalidRange']);
  });

  test('of no bytes is one', async () => {
    await put('empty', '');
    expect((await get('empty')).bytes).toHaveLength(0);
    expect((await get('empty')).ETag).toBe(`"${md5('')}"`);
  });

  test.each([
    ['deflate, gzip', 'deflate, gzip'],
    ['aws-chunked, gzip', 'gzip'],
    ['gzip,aws-chunked', 'gzip'],
    ['aws-chunked', undefined],
  ])('that is coded as "%s" is given as "%s"', async (ContentEncoding, given) => {
    await put('coded', 'x', { ContentEncoding });
    expect((await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'coded' }))).ContentEncoding).toBe(given);
  });

  test('is got under conditions', async () => {
    const { ETag } = await put('conditions', 'x');
    expect(await refused(get('conditions', { IfMatch: '"other"' }))).toEqual([412, 'PreconditionFailed']);
    expect(await refused(get('conditions', { IfNoneMatch: ETag }))).toEqual([304, 'Unknown']);
    expect((await get('conditions', { IfMatch: ETag })).bytes.toString()).toBe('x');
  });

  test('is put under conditions, and of ten at once one wins', async () => {
    expect(await refused(put('new', 'x', { IfMatch: '*' }))).toEqual([404, 'NoSuchKey']);
    const tries = await Promise.all(
      Array.from({ length: 10 }, (_, turn) => refused(put('new', `${turn}`, { IfNoneMatch: '*' }))),
    );
    expect(tries.filter((one) => one === undefined)).toHaveLength(1);
    expect(tries.filter(Boolean).every((one) => one![1] === 'PreconditionFailed')).toBe(true);
    const { ETag } = await get('new');
    expect(await refused(put('new', 'y', { IfMatch: '"other"' }))).toEqual([412, 'PreconditionFailed']);
    await put('new', 'y', { IfMatch: ETag });
    expect((await get('new')).bytes.toString()).toBe('y');
  });

  test('may be answered as the address says', async () => {
    await put('said', 'x');
    const found = await get('said', { ResponseContentType: 'a/b', ResponseContentDisposition: 'attachment' });
    expect([found.ContentType, found.ContentDisposition]).toEqual(['a/b', 'attachment']);
  });
});

describe('a copy', () => {
  test('is one more name of the same bytes, with what is said of them, or something else', async () => {
    await put('source', 'copied', { ContentType: 'a/b', Metadata: { one: '1' }, Tagging: 'x=1' });
    const CopySource = `${Bucket}/source`;
    await site.s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }));
    expect(await get('copy')).toMatchObject({ ContentType: 'a/b', Metadata: { one: '1' }, TagCount: 1 });
    const replaced = { MetadataDirective: 'REPLACE', ContentType: 'c/d', Metadata: { two: '2' } } as const;
    await site.s3.send(new CopyObjectCommand({ Bucket, Key: 'source', CopySource, ...replaced }));
    const { bytes, ContentType, Metadata } = await get('source');
    expect([bytes.toString(), ContentType, Metadata]).toEqual(['copied', 'c/d', { two: '2' }]);
    const itself = site.s3.send(new CopyObjectCommand({ Bucket, Key: 'source', CopySource }));
    expect(await refused(itself)).toEqual([400, 'InvalidRequest']);
    const failed = new CopyObjectCommand({ Bucket, Key: 'c', CopySource, CopySourceIfMatch: '"x"' });
    expect(await refused(site.s3.send(failed))).toEqual([412, 'PreconditionFailed']);
  });
});

describe('tags', () => {
  test('are set, got, counted, and refused when they are none', async () => {
    await put('tagged', 'x', { Tagging: 'a=1&b=%20' });
    const read = async () => (await site.s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'tagged' }))).TagSet;
    expect(await read()).toEqual([
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: ' ' },
    ]);
    const tag = (TagSet: { Key: string; Value: string }[]) =>
      site.s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging: { TagSet } }));
    await tag([{ Key: 'ö:@', Value: 'ü' }]);
    expect(await read()).toEqual([{ Key: 'ö:@', Value: 'ü' }]);
    expect(await refused(tag([{ Key: '<&>', Value: 'x' }]))).toEqual([400, 'InvalidTag']);
    await tag([]);
    expect(await read()).toEqual([]);
    const many = Array.from({ length: 11 }, (_, index) => ({ Key: `${index}`, Value: '' }));
    expect(await refused(tag(many))).toEqual([400, 'BadRequest']);
  });
});

test('many are deleted at once, those that are not there as well', async () => {
  const keys = ['d/1', 'd/2 <&>', 'd/ü'];
  for (const key of keys) await put(key, 'x');
  const Delete = { Objects: [...keys, 'd/none'].map((Key) => ({ Key })) };
  const { Deleted, Errors } = await site.s3.send(new DeleteObjectsCommand({ Bucket, Delete }));
  expect(Deleted?.map(({ Key }) => Key)).toEqual([...keys, 'd/none']);
  expect(Errors).toBeUndefined();
  for (const key of keys) expect(await refused(get(key))).toEqual([404, 'NoSuchKey']);
});
