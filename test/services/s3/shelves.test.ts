import {
  CopyObjectCommand,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Hub, startHub } from '../../support/hub.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { KEY } from './support.ts';

let hub: Hub;
let larder: TestLarder;
let s3: S3Client;
const WEIGHTS = Buffer.alloc(300_000, 7);
const FILES = {
  'config.json': '{}',
  '__init__.py': '',
  'onnx/model.onnx': WEIGHTS,
  'ä b.txt': 'odd',
  'never-asked.bin': 'nobody did',
};

beforeAll(async () => {
  hub = await startHub();
  for (const id of ['acme/tiny', 'acme/tiny-2', 'old']) hub.add({ id, files: FILES });
  larder = await startLarder({
    config: { s3: { keys: [KEY] }, huggingface: { origin: hub.url }, upstream: { retries: 0 } },
  });
  for (const id of ['acme/tiny', 'acme/tiny-2', 'old'])
    for (const path of ['config.json', 'onnx/model.onnx', encodeURIComponent('ä b.txt')]) {
      const answer = await fetch(`${larder.url('huggingface')}/${id}/resolve/main/${path}`);
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
    }
  await larder.settled();
  s3 = new S3Client({ endpoint: larder.url('s3'), region: 'us-east-1', forcePathStyle: true, credentials: KEY });
});
afterAll(async () => {
  s3?.destroy();
  await larder?.close();
  await hub?.close();
});

const list = async (Prefix: string, more: object = {}) => {
  const found: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: 'models', Prefix, ContinuationToken, ...more }));
    for (const { Key } of page.Contents ?? []) found.push(Key!);
    for (const one of page.CommonPrefixes ?? []) found.push(one.Prefix!);
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
  return found;
};

describe('the bucket "models"', () => {
  test('shows what the mirror of the hub holds, by repo and revision, main and commits alike', async () => {
    const keys = await list('acme/tiny/main/');
    const names = ['__init__.py', 'config.json', 'onnx/model.onnx', 'ä b.txt'];
    expect(keys).toEqual(names.map((name) => `acme/tiny/main/${name}`));
    const all = await list('acme/');
    expect(all).toEqual([...all].sort());
    expect(all.filter((key) => /^acme\/tiny\/[0-9a-f]{40}\//.test(key))).toHaveLength(4);
  });

  test.each([1, 2, 3, 1000])('is listed whole in pages of %i, each key once', async (MaxKeys) => {
    const all = await list('');
    expect(await list('', { MaxKeys })).toEqual(all);
    expect(new Set(all).size).toBe(all.length);
    expect(await list('', { MaxKeys, Delimiter: '/' })).toEqual(['acme/', 'old/']);
    expect(await list('acme/', { MaxKeys, Delimiter: '/' })).toEqual(['acme/tiny-2/', 'acme/tiny/']);
    expect(await list('acme/tiny/main/', { MaxKeys, Delimiter: '/' })).toHaveLength(4);
  });

  test('gives the bytes that the hub gave, and one ETag wherever they are listed', async () => {
    const Key = 'acme/tiny/main/onnx/model.onnx';
    const { Body, ETag } = await s3.send(new GetObjectCommand({ Bucket: 'models', Key }));
    expect(Buffer.from(await Body!.transformToByteArray()).equals(WEIGHTS)).toBe(true);
    expect(ETag).toMatch(/^"[0-9a-f]{32}-1"$/);
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'models' }));
    const same = Contents!.filter((one) => one.Key!.endsWith('model.onnx'));
    expect(same.length).toBeGreaterThan(3);
    expect(new Set(same.map((one) => one.ETag))).toEqual(new Set([ETag]));
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'models', Key: 'old/main/config.json' }));
    expect(head.ContentLength).toBe(2);
  });

  test('has files without bytes, of which mirrors keep no blob', async () => {
    const Key = 'acme/tiny/main/__init__.py';
    const { Body, ContentLength, ETag } = await s3.send(new GetObjectCommand({ Bucket: 'models', Key }));
    expect([ContentLength, await Body!.transformToString()]).toEqual([0, '']);
    await s3.send(new CreateBucketCommand({ Bucket: 'copies' }));
    await s3.send(new CopyObjectCommand({ Bucket: 'copies', Key: 'empty', CopySource: `models/${Key}` }));
    expect(await s3.send(new HeadObjectCommand({ Bucket: 'copies', Key: 'empty' }))).toMatchObject({ ETag });
    const { digest } = (await larder.store.catalog('s3').get('object/copies/empty'))!;
    expect(await larder.store.blobs.size(digest)).toBe(0);
  });

  test('has nothing that is not held, and cannot be written to', async () => {
    const get = (Key: string) => s3.send(new GetObjectCommand({ Bucket: 'models', Key }));
    for (const Key of ['acme/tiny/main/never-asked.bin', 'acme/tiny/nope/config.json', 'acme/x/main/config.json', 'a'])
      await expect(get(Key)).rejects.toMatchObject({ name: 'NoSuchKey' });
    const put = s3.send(new PutObjectCommand({ Bucket: 'models', Key: 'x', Body: 'x' }));
    await expect(put).rejects.toThrow(/only read; copy from it/);
    const make = s3.send(new CreateBucketCommand({ Bucket: 'models' }));
    await expect(make).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('is copied from without moving bytes', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'own' }));
    const CopySource = encodeURI('models/acme/tiny/main/ä b.txt');
    await s3.send(new CopyObjectCommand({ Bucket: 'own', Key: 'copy', CopySource }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'own', Key: 'copy' }));
    expect(await Body!.transformToString()).toBe('odd');
  });

  test('stands among the buckets, beside "wheels" and those of the site', async () => {
    const { Buckets } = await s3.send(new ListBucketsCommand({}));
    expect(Buckets!.map(({ Name }) => Name)).toEqual(expect.arrayContaining(['models', 'wheels']));
  });
});
