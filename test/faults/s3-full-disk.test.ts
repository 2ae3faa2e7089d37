import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { smallDisk } from '../support/full-disk.ts';
import { Wire } from '../support/s3-wire.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

const SIZE = 32 << 20;
const Bucket = 'full';
const FULL = { status: 507, code: 'InsufficientStorage' };

let disk: Awaited<ReturnType<typeof smallDisk>>;
let store: string;
let server: SpawnedLarder;
let s3: S3Client;
let wire: Wire;

beforeEach(async () => {
  disk = await smallDisk(SIZE);
  store = join(disk.path, 'store');
  const made = await larder(['token', 'create', 'ci', '--write', '--s3', '--store', store]);
  const [accessKeyId = '', secretAccessKey = ''] = made.stdout.trim().split('\n');
  const credentials = { accessKeyId, secretAccessKey };
  server = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true' } });
  s3 = new S3Client({
    endpoint: server.urls.s3,
    credentials,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
  });
  wire = new Wire(server.urls.s3!, credentials);
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'as it was' }));
});

afterEach(async () => {
  s3?.destroy();
  await server?.stop();
  await disk.close();
});

const put = (path: string, body: string | Buffer, query: [string, string][] = []) =>
  wire.ask({ path: `/${Bucket}/${path}`, body, query });
const spool = () => readdir(join(store, 'spool'));
const read = async (Key: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from(await Body!.transformToByteArray());
};

/** What is held is read and listed while there is no room, and nothing else is there. */
async function expectOnlyKept(): Promise<void> {
  expect((await read('kept')).toString()).toBe('as it was');
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }));
  expect(Contents?.map(({ Key }) => Key)).toEqual(['kept']);
  await expect.poll(spool).toEqual([]);
}

test('an object that does not fit is refused in S3’s form, nothing of it stays, and it is taken when there is room', async () => {
  await disk.fill(3 << 20);
  const large = randomBytes(6 << 20);
  for (let round = 0; round < 3; round += 1) expect(await put('large', large)).toMatchObject(FULL);
  await expectOnlyKept();
  expect(await put('small', randomBytes(1000))).toMatchObject({ status: 200 });
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'small' }));
  await disk.empty();
  expect(await put('large', large)).toMatchObject({ status: 200 });
  expect((await read('large')).equals(large)).toBe(true);
});

test('where nothing at all fits, what writes is refused, what reads is answered, and a retry later is taken', async () => {
  const { UploadId = '' } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
  await disk.fillUp();
  expect(await put('small', 'x')).toMatchObject(FULL);
  expect(await put('copy', '', [])).toMatchObject(FULL);
  expect(
    await wire.ask({ path: `/${Bucket}/copy`, headers: { 'x-amz-copy-source': `/${Bucket}/kept` } }),
  ).toMatchObject(FULL);
  expect(
    await put('parts', 'x', [
      ['uploadId', UploadId],
      ['partNumber', '1'],
    ]),
  ).toMatchObject(FULL);
  expect(await wire.ask({ method: 'POST', path: `/${Bucket}/more`, query: [['uploads', '']] })).toMatchObject(FULL);
  expect(await wire.ask({ path: '/another', body: '' })).toMatchObject(FULL);
  await expectOnlyKept();
  await disk.empty();
  expect(await put('small', 'x')).toMatchObject({ status: 200 });
});

test('an upload in parts goes on where the disk was full, and is completed when there is room', async () => {
  const of = { Bucket, Key: 'parts' };
  const { UploadId = '' } = await s3.send(new CreateMultipartUploadCommand(of));
  const [one, two] = [randomBytes(5 << 20), randomBytes(5 << 20)];
  const part = (PartNumber: number, Body: Buffer) =>
    s3.send(new UploadPartCommand({ ...of, UploadId, PartNumber, Body }));
  const { ETag: first } = await part(1, one);
  await disk.fill(8 << 20);
  await expect(part(2, two)).rejects.toMatchObject({ name: 'InsufficientStorage', $metadata: { httpStatusCode: 507 } });
  await disk.empty();
  const { ETag: second } = await part(2, two);
  const complete = () =>
    s3.send(
      new CompleteMultipartUploadCommand({
        ...of,
        UploadId,
        MultipartUpload: {
          Parts: [
            { PartNumber: 1, ETag: first },
            { PartNumber: 2, ETag: second },
          ],
        },
      }),
    );
  await disk.fillUp();
  await expect(complete()).rejects.toMatchObject({ name: 'InsufficientStorage' });
  await expectOnlyKept();
  await disk.empty();
  const { ETag } = await complete();
  expect((await complete()).ETag).toBe(ETag);
  expect((await read('parts')).equals(Buffer.concat([one, two]))).toBe(true);
  await server.stop();
  expect(await larder(['store', 'verify', '--store', store])).toMatchObject({ code: 0 });
});
