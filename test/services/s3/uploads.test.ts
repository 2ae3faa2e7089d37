import { createHash, randomBytes } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Site, startSite } from './support.ts';

let site: Site;
const Bucket = 'uploads';
const MIB5 = 5 << 20;
const bytes = randomBytes(2 * MIB5 + 1000);
const PARTS = [bytes.subarray(0, MIB5), bytes.subarray(MIB5, 2 * MIB5), bytes.subarray(2 * MIB5)];
const md5 = (text: Buffer) => createHash('md5').update(text).digest();
const ETAG = `"${md5(Buffer.concat(PARTS.map(md5))).toString('hex')}-3"`;

beforeAll(async () => {
  site = await startSite();
  await site.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => site?.close());

async function begin(Key: string, more: object = {}): Promise<{ Bucket: string; Key: string; UploadId: string }> {
  const { UploadId } = await site.s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }));
  return { Bucket, Key, UploadId: UploadId! };
}

const part = async (upload: object, PartNumber: number, Body: Buffer) => {
  const wish = { ...(upload as { Bucket: string; Key: string; UploadId: string }), PartNumber, Body };
  return { PartNumber, ETag: (await site.s3.send(new UploadPartCommand(wish))).ETag };
};

const complete = (upload: object, Parts: { PartNumber: number; ETag?: string }[], more: object = {}) =>
  site.s3.send(
    new CompleteMultipartUploadCommand({
      ...(upload as { Bucket: string; Key: string; UploadId: string }),
      MultipartUpload: { Parts },
      ...more,
    }),
  );

async function read(Key: string, more: object = {}): Promise<Buffer> {
  const { Body } = await site.s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await Body!.transformToByteArray());
}

const allParts = (upload: object) => Promise.all(PARTS.map((body, index) => part(upload, index + 1, body)));

describe('an upload in parts', () => {
  test('becomes an object when it is completed, and not before; parts may come in any order', async () => {
    const upload = await begin('object', { ContentType: 'a/b', Metadata: { one: '1' } });
    const parts = await allParts(upload);
    await expect(read('object')).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect((await complete(upload, parts)).ETag).toBe(ETAG);
    expect((await read('object')).equals(bytes)).toBe(true);
    const head = await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'object' }));
    expect(head).toMatchObject({ ETag: ETAG, ContentLength: bytes.length, ContentType: 'a/b', Metadata: { one: '1' } });
  });

  test.each([
    [`bytes=${MIB5 - 10}-${MIB5 + 9}`, MIB5 - 10, MIB5 + 10],
    ['bytes=-1500', bytes.length - 1500, bytes.length],
    [`bytes=5-${2 * MIB5 + 5}`, 5, 2 * MIB5 + 6],
  ])('is read over the borders of its parts: %s', async (Range, start, end) => {
    expect((await read('object', { Range })).equals(bytes.subarray(start, end))).toBe(true);
  });

  test('is read by the numbers of its parts', async () => {
    for (const [index, body] of PARTS.entries())
      expect((await read('object', { PartNumber: index + 1 })).equals(body)).toBe(true);
    const head = await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'object', PartNumber: 3 }));
    expect([head.ContentLength, head.PartsCount]).toEqual([1000, 3]);
    await expect(read('object', { PartNumber: 4 })).rejects.toMatchObject({ $metadata: { httpStatusCode: 416 } });
  });

  test('answers a completion that is asked for again as it did, also at the same moment', async () => {
    const upload = await begin('again');
    const parts = await allParts(upload);
    const answers = await Promise.all([complete(upload, parts), complete(upload, parts), complete(upload, parts)]);
    expect(answers.map((answer) => answer.ETag)).toEqual([ETAG, ETAG, ETAG]);
    expect((await complete(upload, parts)).ETag).toBe(ETAG);
  });

  test('takes a part again in place of the one before', async () => {
    const upload = await begin('replaced');
    await Promise.all([part(upload, 1, PARTS[1]!), part(upload, 1, PARTS[1]!)]);
    const last = await part(upload, 1, PARTS[0]!);
    await complete(upload, [last]);
    expect((await read('replaced')).equals(PARTS[0]!)).toBe(true);
  });

  test('takes parts of what is here', async () => {
    await site.s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: bytes }));
    const upload = await begin('copied');
    const parts = [];
    for (const [index, range] of [`bytes=0-${MIB5 - 1}`, `bytes=${MIB5}-${bytes.length - 1}`].entries()) {
      const wish = { ...upload, PartNumber: index + 1, CopySource: `${Bucket}/source`, CopySourceRange: range };
      const { CopyPartResult } = await site.s3.send(new UploadPartCopyCommand(wish));
      parts.push({ PartNumber: index + 1, ETag: CopyPartResult!.ETag });
    }
    await complete(upload, parts);
    expect((await read('copied')).equals(bytes)).toBe(true);
    const beyond = {
      ...(await begin('x')),
      PartNumber: 1,
      CopySource: `${Bucket}/source`,
      CopySourceRange: 'bytes=0-99999999',
    };
    await expect(site.s3.send(new UploadPartCopyCommand(beyond))).rejects.toMatchObject({ name: 'InvalidArgument' });
  });

  test('is listed with its parts, page by page, until it ends', async () => {
    const uploads = [await begin('list/a'), await begin('list/b')];
    for (const number of [1, 2, 10]) await part(uploads[0]!, number, Buffer.from(`${number}`));
    const { Parts, IsTruncated, NextPartNumberMarker } = await site.s3.send(
      new ListPartsCommand({ ...uploads[0]!, MaxParts: 2 }),
    );
    expect([Parts!.map(({ PartNumber }) => PartNumber), IsTruncated, NextPartNumberMarker]).toEqual([
      [1, 2],
      true,
      '2',
    ]);
    const rest = await site.s3.send(new ListPartsCommand({ ...uploads[0]!, PartNumberMarker: '2' }));
    expect(rest.Parts!.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([[10, 2]]);
    const none = await site.s3.send(new ListPartsCommand({ ...uploads[0]!, PartNumberMarker: '10' }));
    expect([none.Parts, none.IsTruncated, none.NextPartNumberMarker]).toEqual([undefined, false, undefined]);
    const list = async () =>
      (await site.s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'list/' }))).Uploads?.map(({ Key }) => Key);
    expect(await list()).toEqual(['list/a', 'list/b']);
    for (const upload of uploads) await site.s3.send(new AbortMultipartUploadCommand(upload));
    expect(await list()).toBeUndefined();
    await expect(part(uploads[0]!, 3, Buffer.from('x'))).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  test('is not completed with parts that are not there, too small, out of order, or under a condition that fails', async () => {
    const upload = await begin('refused');
    const parts = await allParts(upload);
    const refused = (wish: { PartNumber: number; ETag?: string }[], name: string, more: object = {}) =>
      expect(complete(upload, wish, more)).rejects.toMatchObject({ name });
    await refused([parts[1]!, parts[0]!], 'InvalidPartOrder');
    await refused([parts[0]!, { PartNumber: 7, ETag: parts[0]!.ETag }], 'InvalidPart');
    await refused([{ ...parts[0]!, ETag: '"0"' }], 'InvalidPart');
    await refused([parts[2]!, await part(upload, 4, Buffer.from('x'))], 'EntityTooSmall');
    await refused([], 'MalformedXML');
    await site.s3.send(new PutObjectCommand({ Bucket, Key: 'refused', Body: 'held' }));
    await refused(parts, 'PreconditionFailed', { IfNoneMatch: '*' });
    expect((await read('refused')).toString()).toBe('held');
    await complete(upload, parts);
    expect((await read('refused')).equals(bytes)).toBe(true);
  });
});
