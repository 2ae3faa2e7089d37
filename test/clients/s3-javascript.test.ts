import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { npmPackages, printedJson, projectWith } from '../support/npm-clients.ts';
import { type S3Site, startS3Site } from '../support/s3-site.ts';

const SDK = ['@aws-sdk/client-s3', '@aws-sdk/lib-storage', '@aws-sdk/s3-request-presigner'];
const HEX_64 = /^[0-9a-f]{64}$/;
const MD5 = /^"[0-9a-f]{32}"$/;
const STREAMED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

let site: S3Site;
let outcomes: Record<string, unknown>;

beforeAll(async () => {
  site = await startS3Site({ LARDER_S3_DOMAINS: '["s3.localhost"]' });
  const script = await projectWith(await npmPackages('aws-sdk', SDK), 's3-calls.mjs', site.folder);
  outcomes = printedJson(await site.attempt(process.execPath, [script], { AWS_REGION: 'eu-odd-7' }));
});
afterAll(() => site?.close());

const md5 = (text: string) => `"${createHash('md5').update(text).digest('hex')}"`;

describe('@aws-sdk/client-s3 with its own defaults', () => {
  test('makes a bucket in any region and waits for it', () => {
    expect(outcomes.bucket).toBe('SUCCESS');
  });

  test('puts a buffer: signed by its hash, with the CRC32 that it checks when it reads it', () => {
    expect(outcomes.buffer).toEqual({
      ...{ isSame: true, isChecked: true, hash: expect.stringMatching(HEX_64), ETag: expect.stringMatching(MD5) },
      ...{ Metadata: { one: '1' }, ContentType: 'text/x-odd' },
    });
    expect(outcomes.empty).toEqual({ size: 0, ETag: md5('') });
  });

  test('streams in chunks with the checksum behind, and neither coding nor frames are kept', () => {
    expect(outcomes.stream).toEqual({
      ...{ hash: STREAMED, trailer: 'x-amz-checksum-crc32', coding: 'aws-chunked', isSame: true },
      ...{ ETag: expect.stringMatching(MD5), ChecksumCRC32: expect.stringMatching(/^\S{6}==$/) },
    });
    expect(outcomes['stream with a coding of its own']).toEqual({
      coding: expect.stringContaining('aws-chunked'),
      kept: 'gzip',
    });
  });

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'])(
    '%s in front and behind; what is wrong is refused',
    (one) => {
      expect(outcomes[`algorithm ${one}`]).toEqual({ isEqual: true, isSet: true, isSame: true, wrong: 'BadDigest' });
    },
  );

  test('uploads in parts by lib-storage, with a checksum of the whole or of the parts', () => {
    const uploaded = { isSame: true, ETag: expect.stringMatching(/^"[0-9a-f]{32}-4"$/), isListed: true, parts: 4 };
    expect(outcomes['upload by default']).toMatchObject({ ...uploaded, checksum: expect.any(String) });
    expect(outcomes['upload CRC64NVME']).toMatchObject({ ...uploaded, type: 'FULL_OBJECT' });
    expect(outcomes['upload SHA256']).toMatchObject({
      ...uploaded,
      ...{ type: 'COMPOSITE', checksum: expect.stringMatching(/=-4$/) },
    });
  });

  test('reads parts by their numbers and ranges, of which no checksum of the whole is told', () => {
    expect(outcomes.parts).toEqual({
      count: 4,
      first: true,
      last: 17_000_000 - 15 * (1 << 20),
      range: true,
      checksum: null,
    });
  });

  test('presigns what to get and to look at, also a range of it, and nothing else by that', () => {
    expect(outcomes.presigned).toEqual({ type: 'text/plain', isSame: true, range: [206, 10], head: 200, wrong: 403 });
  });

  test('presigns what to put, with the checksum of an empty body in the address', () => {
    expect(outcomes['presigned PUT']).toEqual({
      ...{ ofEmpty: 'AAAAAA==', status: 200, other: 200, isSame: true, asGet: 403 },
    });
  });

  test('pages through keys of all kinds, each once, and reads each', () => {
    expect(outcomes.pages).toEqual({ pages: 4, isAll: true, isOnce: true });
    expect(outcomes['parts that are listed']).toEqual([1, 2, 3]);
  });

  test('copies, waits, and clears away', () => {
    expect(outcomes.copies).toBe('odd');
    expect(outcomes.waits).toEqual(['SUCCESS', 'SUCCESS']);
    expect(outcomes['the end']).toBe('SUCCESS');
  });

  test.each([
    ['no key', 'NoSuchKey', 404],
    ['no bucket', 'NoSuchBucket', 404],
    ['nothing to look at', 'NotFound', 404],
    ['there already', 'PreconditionFailed', 412],
    ['of another ETag', 'PreconditionFailed', 412],
    ['beyond the end', 'InvalidRange', 416],
    ['full bucket', 'BucketNotEmpty', 409],
  ])('is told in its own exceptions: %s', (name, failed, status) => {
    expect(outcomes[name]).toMatchObject({ failed, status });
  });

  test('finds buckets by host', () => {
    expect(outcomes['by host']).toEqual({
      ...{ text: 'by its host', found: ['ä + %2F//x'], host: 'hosted.s3.localhost', followed: 200, isListed: true },
    });
  });
});
