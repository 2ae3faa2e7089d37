import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { type NgcOrigin, startNgc } from '../../support/ngc-origin.ts';
import { KEY } from '../s3/support.ts';

let ngc: NgcOrigin;
let larder: TestLarder;
let s3: S3Client;
const WEIGHTS = Buffer.alloc(300_000, 7);
const FILES = { 'weights/a.pth': WEIGHTS, 'config.json': '{}', empty: '', 'never-asked.bin': 'nobody did' };
const HELD = ['config.json', 'empty', 'weights/a.pth'];

/** Ids and versions, some of which lie between each other's keys. */
const VERSIONS = [
  ['nvidia/tao/ocrnet', 'v1.0'],
  ['nvidia/tao/ocrnet', 'v1.0+2'],
  ['nvidia/tao-2/dino', '1'],
  ['nvidia/tao', '1'],
  ['nvidia/genmol', '1'],
  ['nvidia/genmol/1', 'x'],
  ['acme/vision/detector', '7'],
] as const;

beforeAll(async () => {
  ngc = await startNgc();
  larder = await startLarder({
    config: {
      s3: { keys: [KEY] },
      ngc: { origin: ngc.url, fileHosts: [new URL(ngc.cdnUrl).host] },
      upstream: { retries: 0 },
    },
  });
  const hold = async (kind: 'models' | 'resources', id: string, version: string, files: string[]) => {
    ngc.add({ kind, id, version, files: FILES });
    for (const path of files) {
      const answer = await fetch(`${larder.url('ngc')}/v2/${kind}/${id}/versions/${version}/files/${path}`);
      expect([id, path, answer.status]).toEqual([id, path, 200]);
      await answer.arrayBuffer();
    }
  };
  for (const [id, version] of VERSIONS) await hold('models', id, version, HELD);
  await hold('resources', 'nvidia/ngc-apps/cli', '4.9', ['config.json']);
  // of one name with a model: the model's files stand, and what only the resource has is there, too
  await hold('resources', 'nvidia/tao/ocrnet', 'v1.0', ['config.json', 'never-asked.bin']);
  await larder.settled();
  s3 = new S3Client({ endpoint: larder.url('s3'), region: 'us-east-1', forcePathStyle: true, credentials: KEY });
});
afterAll(async () => {
  s3?.destroy();
  await larder?.close();
  await ngc?.close();
});

const list = async (Prefix: string, more: object = {}) => {
  const found: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: 'ngc', Prefix, ContinuationToken, ...more }));
    for (const { Key } of page.Contents ?? []) found.push(Key!);
    for (const one of page.CommonPrefixes ?? []) found.push(one.Prefix!);
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
  return found;
};
const inOrder = (keys: string[]) =>
  [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));

describe('the bucket "ngc"', () => {
  test('shows the files that are held of each version', async () => {
    const keys = VERSIONS.flatMap(([id, version]) => HELD.map((path) => `${id}/${version}/${path}`));
    keys.push('nvidia/ngc-apps/cli/4.9/config.json', 'nvidia/tao/ocrnet/v1.0/never-asked.bin');
    expect(await list('')).toEqual(inOrder(keys));
    expect(await list('nvidia/tao/ocrnet/v1.0/')).toEqual(
      inOrder([...HELD, 'never-asked.bin']).map((path) => `nvidia/tao/ocrnet/v1.0/${path}`),
    );
    expect(await list('nvidia/tao/ocrnet/v1.0/weights/')).toEqual(['nvidia/tao/ocrnet/v1.0/weights/a.pth']);
    expect(await list('nvid')).toHaveLength(keys.length - 3);
    expect(await list('nobody/')).toEqual([]);
  });

  test.each([1, 2, 3, 7, 1000])('is listed whole in pages of %i, each key once', async (MaxKeys) => {
    expect(await list('', { MaxKeys })).toEqual(await list(''));
    expect(await list('', { MaxKeys, Delimiter: '/' })).toEqual(['acme/', 'nvidia/']);
    expect(await list('nvidia/', { MaxKeys, Delimiter: '/' })).toEqual([
      'nvidia/genmol/',
      'nvidia/ngc-apps/',
      'nvidia/tao-2/',
      'nvidia/tao/',
    ]);
    expect(await list('nvidia/genmol/1/', { MaxKeys, Delimiter: '/' })).toEqual([
      'nvidia/genmol/1/config.json',
      'nvidia/genmol/1/empty',
      'nvidia/genmol/1/weights/',
      'nvidia/genmol/1/x/',
    ]);
  });

  test('gives the bytes that NGC gave', async () => {
    const get = async (Key: string) =>
      Buffer.from(await (await s3.send(new GetObjectCommand({ Bucket: 'ngc', Key }))).Body!.transformToByteArray());
    expect((await get('nvidia/tao/ocrnet/v1.0+2/weights/a.pth')).equals(WEIGHTS)).toBe(true);
    expect((await get('nvidia/genmol/1/empty')).length).toBe(0);
    expect((await get('nvidia/genmol/1/x/config.json')).toString()).toBe('{}');
    expect((await get('nvidia/ngc-apps/cli/4.9/config.json')).toString()).toBe('{}');
  });

  test('has nothing that is not held, and cannot be written to', async () => {
    for (const Key of [
      'nvidia/tao/ocrnet/v1.0+2/never-asked.bin',
      'nvidia/tao/ocrnet/v9/config.json',
      'x',
      'a/b/c/d/e',
    ])
      await expect(s3.send(new GetObjectCommand({ Bucket: 'ngc', Key }))).rejects.toMatchObject({ name: 'NoSuchKey' });
    const put = s3.send(new PutObjectCommand({ Bucket: 'ngc', Key: 'x', Body: 'x' }));
    await expect(put).rejects.toThrow(/only read/);
  });
});
