import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../services/ngc/artifact.ts';
import { nimKey, parseNimKey } from '../../../services/ngc/nim/nim-key.ts';
import { service as ngc } from '../../../services/ngc/service.ts';
import { service as s3 } from '../../../services/s3/service.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { holdModel } from '../../support/nim-models.ts';

describe('the key of a file', () => {
  const keys: [id: string, path: string, key: string][] = [
    // the example of NVIDIA's page
    ['nim/meta/llama3-8b-instruct:hf', 'config.json', 'nim%2Fmeta%2Fllama3-8b-instruct%3Ahf%3Ffile%3Dconfig.json'],
    [
      'nim/meta/l:0.11.1+ba2-l40sx1.1.1.0',
      'rank0.engine',
      'nim%2Fmeta%2Fl%3A0.11.1%2Bba2-l40sx1.1.1.0%3Ffile%3Drank0.engine',
    ],
    ['nvidia/genmol:2.0', 'dir/a~b_c.bin', 'nvidia%2Fgenmol%3A2.0%3Ffile%3Ddir%2Fa~b_c.bin'],
    ['nim/t/m:v', "it's (1)*!.txt", 'nim%2Ft%2Fm%3Av%3Ffile%3Dit%27s%20%281%29%2A%21.txt'],
    ['nim/t/m:v', 'gewicht-ä=%25.bin', 'nim%2Ft%2Fm%3Av%3Ffile%3Dgewicht-%C3%A4%3D%2525.bin'],
  ];

  test.each(keys)('of %s, %s', (id, path, key) => {
    const of = parseTarget('models', id);
    expect(nimKey(of, path)).toBe(key);
    expect(parseNimKey(key)).toEqual({ ...of, path });
  });

  test('is understood as other encoders write it', () => {
    const of = parseTarget('models', 'nim/t/m:v');
    for (const key of ['nim%2Ft%2Fm%3Av%3Ffile%3Da+(1).txt', 'nim%2ft%2fm%3av%3ffile%3da%20%281%29.txt'])
      expect(parseNimKey(key)).toEqual({ ...of, path: 'a (1).txt' });
  });

  test.each([
    'nim/meta/llama3-8b-instruct:hf?file=config.json',
    'nim%252Fmeta%252Fm%253Av%253Ffile%253Da',
    'nim%2Ft%2Fm%3Av%3Ffile%3D',
    'nim%2Ft%2Fm%3Av%3Ffile%3D..%2Fa',
    'nim%2Ft%2Fm%3Ffile%3Da',
    'nim%2F..%2Fm%3Av%3Ffile%3Da',
    'nim%2Ft%2Fm%3Av%3Fpath%3Da',
    'nim%2',
    '%ff%3Av%3Ffile%3Da',
    '',
  ])('is none: %s', (key) => {
    expect(parseNimKey(key)).toBeUndefined();
  });
});

describe('the bucket "nim"', () => {
  let larder: TestLarder;
  let sdk: S3Client;
  const models: Record<string, Record<string, string>> = {
    'nim/meta/llama-3.1-8b:hf-8c2': {
      'config.json': '{}',
      'checksums.blake3': '',
      'a/b.bin': 'deep',
      'a-b.bin': 'flat',
    },
    // the catalog has these in another order than their keys: "-" and "." come before "/", but "%" comes before them
    'nim/meta/llama-3.1-8b:hf-8c2+x': { 'config.json': '{"x":1}' },
    'nim/meta/llama:1': { z: 'z' },
    'nim/meta-x/llama:1': { 'b c.txt': 'space' },
    'nim/genmol:2.0.0': { 'm.tar': 'tar', 'ä.txt': 'umlaut' },
    'nvidia/tao/ocrnet:v1': { 'o.pth': 'weights' },
  };
  const expected = Object.entries(models)
    .flatMap(([id, files]) => Object.keys(files).map((path) => nimKey(parseTarget('models', id), path)))
    .sort();

  beforeAll(async () => {
    const keys = [{ accessKeyId: 'lab', secretAccessKey: 'laboratory' }];
    larder = await startLarder({ mode: 'airgapped', services: [ngc, s3], config: { s3: { keys } } });
    for (const [id, files] of Object.entries(models)) await holdModel(larder.store, id, files);
    const credentials = { accessKeyId: 'lab', secretAccessKey: 'laboratory' };
    sdk = new S3Client({ endpoint: larder.url('s3'), forcePathStyle: true, region: 'us-east-1', credentials });
  });
  afterAll(async () => {
    sdk.destroy();
    await larder.close();
  });

  async function listed(wish: { Prefix?: string; MaxKeys?: number; StartAfter?: string; Delimiter?: string }) {
    const keys: string[] = [];
    for (let token: string | undefined, first = true; first || token; first = false) {
      const page = await sdk.send(new ListObjectsV2Command({ Bucket: 'nim', ...wish, ContinuationToken: token }));
      for (const { Key } of page.Contents ?? []) keys.push(Key!);
      for (const { Prefix } of page.CommonPrefixes ?? []) keys.push(`${Prefix}…`);
      token = page.NextContinuationToken;
    }
    return keys;
  }

  test('lists every file that is held, in the order of the bytes of its key, on pages of any size', async () => {
    expect(expected).toHaveLength(10);
    for (const MaxKeys of [1, 3, 1000]) expect(await listed({ MaxKeys })).toEqual(expected);
  });

  test('lists what begins with a prefix, wherever that ends', async () => {
    const long = nimKey(parseTarget('models', 'nim/meta/llama-3.1-8b:hf-8c2'), 'a/b.bin');
    for (let length = 0; length <= long.length; length += 1) {
      const Prefix = long.slice(0, length);
      expect(await listed({ Prefix })).toEqual(expected.filter((key) => key.startsWith(Prefix)));
    }
    for (const Prefix of ['nim/', 'zzz', 'nim%2Fmeta%2Fllama%3A1%3Ffile%3Dzz', '%'])
      expect(await listed({ Prefix })).toEqual([]);
    const umlaut = nimKey(parseTarget('models', 'nim/genmol:2.0.0'), 'ä.txt');
    for (const Prefix of [umlaut, umlaut.slice(0, umlaut.indexOf('%A4') + 2)])
      expect(await listed({ Prefix })).toEqual([umlaut]);
  });

  test('goes on behind any key, and rolls up by any delimiter', async () => {
    for (const StartAfter of [...expected, 'nim%2Fmeta%2F', 'nim', 'zzz'])
      expect(await listed({ StartAfter })).toEqual(expected.filter((key) => key > StartAfter));
    expect(await listed({ Delimiter: '/' })).toEqual(expected);
    expect(await listed({ Delimiter: '%2F' })).toEqual(['nim%2F…', 'nvidia%2F…']);
  });

  test('gives files by their key: bytes, size, parts of them', async () => {
    const Key = nimKey(parseTarget('models', 'nim/meta/llama-3.1-8b:hf-8c2'), 'a/b.bin');
    const got = await sdk.send(new GetObjectCommand({ Bucket: 'nim', Key }));
    expect([await got.Body!.transformToString(), got.ContentLength]).toEqual(['deep', 4]);
    const part = await sdk.send(new GetObjectCommand({ Bucket: 'nim', Key, Range: 'bytes=1-2' }));
    expect([await part.Body!.transformToString(), part.ContentRange]).toEqual(['ee', 'bytes 1-2/4']);
    const space = await sdk.send(
      new GetObjectCommand({ Bucket: 'nim', Key: 'nim%2Fmeta-x%2Fllama%3A1%3Ffile%3Db+c.txt' }),
    );
    expect(await space.Body!.transformToString()).toBe('space');
    const head = await sdk.send(new HeadObjectCommand({ Bucket: 'nim', Key }));
    expect([head.ContentLength, head.ETag]).toEqual([4, got.ETag]);
  });

  test('has nothing under a decoded key, and takes nothing', async () => {
    const get = (Key: string) => sdk.send(new GetObjectCommand({ Bucket: 'nim', Key }));
    await expect(get('nim/meta/llama-3.1-8b:hf-8c2?file=config.json')).rejects.toThrow(/does not exist/);
    await expect(get('nim%2Fmeta%2Fllama%3A2%3Ffile%3Dz')).rejects.toThrow(/does not exist/);
    await expect(sdk.send(new PutObjectCommand({ Bucket: 'nim', Key: 'a', Body: 'b' }))).rejects.toThrow(/only read/);
  });
});
