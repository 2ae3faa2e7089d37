import {
  CreateBucketCommand,
  ListObjectsCommand,
  type ListObjectsCommandInput,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Site, startSite } from './support.ts';

let site: Site;
const Bucket = 'lists';
/** In the order of their bytes, which is not that of JavaScript's characters. */
const KEYS = [...['a', 'a/1', 'a/2', 'a/b/3', 'a0', 'b', 'c/', 'c/x', 'd//1', 'd//2', 'é', 'ﬀ', '😀/1', '😀/2']].sort(
  (one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)),
);

beforeAll(async () => {
  site = await startSite();
  await site.s3.send(new CreateBucketCommand({ Bucket }));
  for (const Key of [...KEYS].reverse()) await site.s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
});
afterAll(() => site?.close());

interface Listed {
  keys: string[];
  prefixes: string[];
}

const seen = (answer: { Contents?: { Key?: string }[]; CommonPrefixes?: { Prefix?: string }[] }): Listed => ({
  keys: (answer.Contents ?? []).map(({ Key }) => Key!),
  prefixes: (answer.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!),
});

const v1 = (more: Partial<ListObjectsCommandInput> = {}) => site.s3.send(new ListObjectsCommand({ Bucket, ...more }));
const v2 = (more: Partial<ListObjectsV2CommandInput> = {}) =>
  site.s3.send(new ListObjectsV2Command({ Bucket, ...more }));

/** All pages, each of so many. */
async function paged(version: 1 | 2, MaxKeys: number, more: object): Promise<Listed> {
  const all: Listed = { keys: [], prefixes: [] };
  let marker: string | undefined;
  for (let pages = 0; pages < 50; pages += 1) {
    const answer =
      version === 1
        ? await v1({ ...more, MaxKeys, Marker: marker })
        : await v2({ ...more, MaxKeys, ContinuationToken: marker });
    const { keys, prefixes } = seen(answer);
    expect(keys.length + prefixes.length).toBeLessThanOrEqual(MaxKeys);
    all.keys.push(...keys);
    all.prefixes.push(...prefixes);
    if (!answer.IsTruncated) return all;
    const next =
      'NextContinuationToken' in answer ? answer.NextContinuationToken : (answer as { NextMarker?: string }).NextMarker;
    marker = next ?? keys.at(-1);
  }
  throw new Error('a list without an end');
}

/** What has to come, by the definition of it. */
function expected(prefix: string, delimiter: string): Listed {
  const found: Listed = { keys: [], prefixes: [] };
  for (const key of KEYS.filter((one) => one.startsWith(prefix))) {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    if (end < 0) found.keys.push(key);
    else if (found.prefixes.at(-1) !== key.slice(0, end + delimiter.length))
      found.prefixes.push(key.slice(0, end + delimiter.length));
  }
  return found;
}

describe('objects are listed in the order of their bytes', () => {
  const WISHES = ['', 'a', 'a/', 'd', 'd/', 'c/', '😀', 'none'].flatMap((prefix) =>
    ['', '/', '//', 'b'].map((delimiter) => [prefix, delimiter] as const),
  );
  test.each(WISHES)('with the prefix "%s" and the delimiter "%s", in pages of any size', async (prefix, delimiter) => {
    const wish = { Prefix: prefix || undefined, Delimiter: delimiter || undefined };
    for (const most of [1, 2, 3, 1000])
      for (const version of [1, 2] as const)
        expect(await paged(version, most, wish)).toEqual(expected(prefix, delimiter));
  });

  test('from a place on', async () => {
    expect(seen(await v2({ StartAfter: 'a/2' })).keys).toEqual(KEYS.slice(KEYS.indexOf('a/2') + 1));
    expect(seen(await v1({ Marker: 'a/15' })).keys[0]).toBe('a/2');
    expect(seen(await v2({ StartAfter: 'a/', Delimiter: '/' })).prefixes).not.toContain('a/');
  });

  test('with names in the form of addresses, where a client asks for that', async () => {
    const { Contents } = await v1({ EncodingType: 'url' });
    expect(Contents!.map(({ Key }) => decodeURIComponent(Key!))).toEqual(KEYS);
    expect(Contents!.at(-1)!.Key).toBe('%F0%9F%98%80/2');
  });

  test('with ETag, size and date as a HEAD has them, and no more than was asked for', async () => {
    const { Contents, KeyCount, MaxKeys } = await v2({ MaxKeys: 1, FetchOwner: true });
    expect([KeyCount, MaxKeys]).toEqual([1, 1]);
    expect(Contents![0]).toMatchObject({
      ETag: '"0cc175b9c0f1b6a831c399e269772661"',
      Size: 1,
      Owner: { ID: 'larder' },
    });
    expect(await v2({ MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false });
  });

  test('as versions, of which each has one', async () => {
    const { Versions } = await site.s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'a/' }));
    expect(Versions!.map(({ Key, VersionId, IsLatest }) => [Key, VersionId, IsLatest])).toEqual(
      ['a/1', 'a/2', 'a/b/3'].map((key) => [key, 'null', true]),
    );
  });

  test('and a wish that is none is refused', async () => {
    await expect(v2({ ContinuationToken: 'x!' })).rejects.toMatchObject({ name: 'InvalidArgument' });
    await expect(v1({ EncodingType: 'hex' as 'url' })).rejects.toMatchObject({ name: 'InvalidArgument' });
    await expect(v1({ MaxKeys: -1 })).rejects.toMatchObject({ name: 'InvalidArgument' });
  });
});
