import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Algorithm, startChecksum } from '../../../services/s3/body/checksums.ts';
import { joinChecksums } from '../../../services/s3/body/joined-checksum.ts';
import { giveUpOld } from '../../../services/s3/upload-sweep.ts';
import { type Site, startSite } from './support.ts';

let site: Site;
const Bucket = 'sums';

beforeAll(async () => {
  site = await startSite();
  await site.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => site?.close());

async function sumOf(algorithm: Algorithm, bytes: Buffer): Promise<string> {
  const checksum = await startChecksum(algorithm);
  checksum.update(bytes);
  return checksum.digest();
}

describe('a checksum of a whole', () => {
  test.each(['CRC32', 'CRC32C', 'CRC64NVME'] as const)('comes from those of its parts: %s', async (algorithm) => {
    const bytes = randomBytes(100_000);
    for (const cuts of [[], [1], [50_000], [3, 4, 5, 99_999], [10, 20, 30, 40, 50_000, 50_000]]) {
      const ends = [...cuts, bytes.length];
      const parts = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
      const given = await Promise.all(
        parts.map(async (part) => ({ value: await sumOf(algorithm, part), size: part.length })),
      );
      const joined = await joinChecksums(algorithm, 'FULL_OBJECT', given);
      expect(joined.value).toBe(await sumOf(algorithm, bytes));
    }
  });

  test('is worked out where nobody brings one, told on a HEAD that asks, in lists and attributes, never on a part', async () => {
    const plain = site.client({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    await plain.send(new PutObjectCommand({ Bucket, Key: 'plain', Body: '123456789' }));
    const wish = { Bucket, Key: 'plain', ChecksumMode: 'ENABLED' } as const;
    const head = await site.s3.send(new HeadObjectCommand(wish));
    expect([head.ChecksumCRC64NVME, head.ChecksumType]).toEqual(['rosUhgp5mIg=', 'FULL_OBJECT']);
    const part = await site.s3.send(new GetObjectCommand({ ...wish, Range: 'bytes=0-3' }));
    expect([part.ChecksumCRC64NVME, part.ContentRange]).toEqual([undefined, 'bytes 0-3/9']);
    const { Contents } = await site.s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'plain' }));
    expect(Contents![0]).toMatchObject({ ChecksumAlgorithm: ['CRC64NVME'], ChecksumType: 'FULL_OBJECT' });
    const told = await site.s3.send(
      new GetObjectAttributesCommand({
        ...{ Bucket, Key: 'plain' },
        ObjectAttributes: ['Checksum', 'ObjectSize', 'ETag', 'StorageClass'],
      }),
    );
    const ETag = createHash('md5').update('123456789').digest('hex');
    expect(told).toMatchObject({ ETag, ObjectSize: 9, StorageClass: 'STANDARD' });
    expect(told.Checksum).toMatchObject({ ChecksumCRC64NVME: 'rosUhgp5mIg=' });
  });

  test('is not told with a 304: boto3 falls over one', async () => {
    const { ETag } = await site.s3.send(new PutObjectCommand({ Bucket, Key: 'same', Body: 'x' }));
    const get = site.s3.send(new GetObjectCommand({ Bucket, Key: 'same', IfNoneMatch: ETag, ChecksumMode: 'ENABLED' }));
    const error = await get.catch((caught) => caught);
    expect(error.$metadata.httpStatusCode).toBe(304);
    expect(Object.keys(error.$response.headers).filter((name) => name.startsWith('x-amz-checksum'))).toEqual([]);
  });

  test('is another one when a copy asks for it', async () => {
    await site.s3.send(new PutObjectCommand({ Bucket, Key: 'from', Body: 'abc' }));
    const wish = { Bucket, Key: 'to', CopySource: `${Bucket}/from`, ChecksumAlgorithm: 'SHA256' } as const;
    const { CopyObjectResult: copied } = await site.s3.send(new CopyObjectCommand(wish));
    expect(copied!.ChecksumSHA256).toBe(createHash('sha256').update('abc').digest('base64'));
  });
});

describe('an upload in parts', () => {
  const bytes = randomBytes((5 << 20) + 999);
  const PARTS = [bytes.subarray(0, 5 << 20), bytes.subarray(5 << 20)];

  async function upload(Key: string, more: object, named: boolean) {
    const { UploadId } = await site.s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }));
    const Parts: object[] = [];
    for (const [index, Body] of PARTS.entries()) {
      const wish = { Bucket, Key, UploadId, PartNumber: index + 1, Body, ...more };
      const { $metadata: _, ...told } = await site.s3.send(new UploadPartCommand(wish as never));
      Parts.push({ PartNumber: index + 1, ETag: told.ETag, ...(named ? told : {}) });
    }
    return { Bucket, Key, UploadId, MultipartUpload: { Parts } };
  }

  // those that this SDK can work out by itself
  test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const)(
    'has a checksum of its parts’ checksums: %s',
    async (ChecksumAlgorithm) => {
      const wish = await upload(`composite-${ChecksumAlgorithm}`, { ChecksumAlgorithm }, true);
      const done = await site.s3.send(new CompleteMultipartUploadCommand(wish));
      const values = await Promise.all(PARTS.map((part) => sumOf(ChecksumAlgorithm, part)));
      const joined = Buffer.concat(values.map((value) => Buffer.from(value, 'base64')));
      const told = done as unknown as Record<string, string>;
      expect(told[`Checksum${ChecksumAlgorithm}`]).toBe(`${await sumOf(ChecksumAlgorithm, joined)}-2`);
      expect(done.ChecksumType).toBe('COMPOSITE');
      const asked = { Bucket, Key: wish.Key, ObjectAttributes: ['ObjectParts' as const] };
      const { ObjectParts } = await site.s3.send(new GetObjectAttributesCommand(asked));
      expect(ObjectParts).toMatchObject({ TotalPartsCount: 2, IsTruncated: false });
    },
  );

  test('has one of the whole where its client wants that, and holds a completion to it', async () => {
    const more = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' };
    const wish = await upload('whole', more, false);
    const wrong = site.s3.send(new CompleteMultipartUploadCommand({ ...wish, ChecksumCRC32: 'AAAAAA==' }));
    await expect(wrong).rejects.toMatchObject({ name: 'BadDigest' });
    const ChecksumCRC32 = await sumOf('CRC32', bytes);
    const done = await site.s3.send(new CompleteMultipartUploadCommand({ ...wish, ChecksumCRC32 }));
    expect(done).toMatchObject({ ChecksumCRC32, ChecksumType: 'FULL_OBJECT' });
  });

  test('that wants a kind of checksum takes parts of no other, and a completion that names them all', async () => {
    const { UploadId } = await site.s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key: 'kind', ChecksumAlgorithm: 'SHA256' }),
    );
    const other = { Bucket, Key: 'kind', UploadId, PartNumber: 1, Body: 'x', ChecksumAlgorithm: 'SHA1' } as const;
    await expect(site.s3.send(new UploadPartCommand(other))).rejects.toThrow(/Checksum Type mismatch/);
    const unnamed = await upload('unnamed', { ChecksumAlgorithm: 'SHA256' }, false);
    await expect(site.s3.send(new CompleteMultipartUploadCommand(unnamed))).rejects.toThrow(/missing for part 1/);
  });

  test('that nobody completes is given up after a week, and its parts with it', async () => {
    const { UploadId } = await upload('forgotten', {}, false);
    const context = site.larder.context('s3') as Parameters<typeof giveUpOld>[0];
    const days = (count: number) => ({ ...context, now: () => Date.now() + count * 86_400_000 });
    const kept = async () => (await context.catalog.keys(`part/${UploadId}/`)).length;
    await giveUpOld(days(6));
    expect(await kept()).toBe(2);
    await giveUpOld(days(8));
    expect(await kept()).toBe(0);
  });
});

test('who waits for leave to send a long body hears a refusal at once, and sends nothing', async () => {
  const answer = await new Promise<{ status: number; went: boolean }>((resolve, reject) => {
    let went = false;
    const put = request(`${site.url}/${Bucket}/long`, {
      method: 'PUT',
      headers: { expect: '100-continue', 'content-length': 1 << 30 },
    });
    put.on('continue', () => {
      went = true;
    });
    put.on('response', (res) => {
      res.resume().on('end', () => resolve({ status: res.statusCode!, went }));
    });
    put.on('error', reject);
    put.flushHeaders();
  });
  expect(answer).toEqual({ status: 403, went: false });
});
