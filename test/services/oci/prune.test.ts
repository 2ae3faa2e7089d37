import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ImageRooms, Images } from '../../../services/oci/images.ts';
import { type PruneRule, planPrune } from '../../../services/oci/prune/plan.ts';
import { runPrune } from '../../../services/oci/prune/run.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { planGc, runGc } from '../../../shared/storage/store-gc.ts';
import { NOW } from '../../support/asking.ts';
import { storeIn, temporaryFolder } from '../../support/bundles.ts';
import { artifactOf, type BuiltImage, imageOf, indexOf, layerOf } from '../../support/images.ts';

const DAY = 86_400;
const REPOSITORY = 'team/app';
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store;
let images: Images;
let now: number;
let shared: Awaited<ReturnType<typeof layerOf>>;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await storeIn(folder.path, 'store');
  now = NOW;
  images = new Images(rooms());
  shared = await layerOf({ shared: 'by all' });
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

const rooms = (): ImageRooms => ({ catalog: store.catalog('oci'), blobs: store.blobs, now: () => now });
const imageWith = async (own: string) => imageOf({ layers: [shared, await layerOf({ own })] });
const ownLayer = (image: BuiltImage) => [...image.blobs.keys()].at(-1)!;

async function push(image: BuiltImage, tags: string[], repository = REPOSITORY): Promise<void> {
  for (const one of image.manifests) await push(one, [], repository);
  for (const [digest, bytes] of image.blobs)
    await images.putBlob(repository, digest, Readable.from([bytes], { objectMode: false }), 'upload', { local: true });
  await images.putManifest(repository, image.bytes, { mediaType: image.mediaType, tags, origin: 'upload' });
}

/** A day apart, the oldest first. */
async function pushDaily(tags: string[]): Promise<BuiltImage[]> {
  const pushed: BuiltImage[] = [];
  for (const tag of tags) {
    const image = await imageWith(tag);
    await push(image, [tag]);
    pushed.push(image);
    now += DAY * 1000;
  }
  return pushed;
}

const plan = (rule: Partial<PruneRule>) => planPrune(rooms(), { repositories: [REPOSITORY], ...rule });
const planned = async (rule: Partial<PruneRule>) => (await plan(rule)).tags.map(({ tag }) => tag).sort();

describe('a rule means', () => {
  beforeEach(() => pushDaily(['v1', 'v2', 'v3', 'rc1']).then(() => {}));

  test.each<[string, Partial<PruneRule>, string[]]>([
    ['all but the newest', { keep: 1 }, ['v1', 'v2', 'v3']],
    ['all but the newest of some', { tags: ['v*'], keep: 1 }, ['v1', 'v2']],
    ['what is older', { olderThan: 3 * DAY }, ['v1', 'v2']],
    ['what is older and not among the newest', { olderThan: 3 * DAY, keep: 3 }, ['v1']],
    ['tags by their names', { tags: ['rc*', 'none'] }, ['rc1']],
    ['repositories by their names', { repositories: ['other/*'], tags: ['*'] }, []],
    ['only what no tag leads to', { tags: [], untagged: true }, []],
  ])('%s', async (_what, rule, tags) => {
    expect(await planned(rule)).toEqual(tags);
  });

  test('nothing yet: a plan takes nothing away', async () => {
    await plan({ tags: ['*'] });
    expect(await images.tags(REPOSITORY)).toEqual(['rc1', 'v1', 'v2', 'v3']);
  });
});

describe('what is done', () => {
  test('takes tags, manifests and blobs that nothing else needs, and the bytes with the next collection', async () => {
    const [old, fresh] = await pushDaily(['old', 'new']);
    const todo = await plan({ keep: 1 });
    const result = await runPrune(rooms(), todo);
    expect(result).toMatchObject({ tags: 1, manifests: 1, blobs: 2, kept: 0 });
    expect(result.bytes).toBe(todo.bytes);
    expect(await images.tags(REPOSITORY)).toEqual(['new']);
    expect(await images.manifest(old!.digest)).toBeUndefined();
    expect(await images.hasBlob(ownLayer(old!))).toBeUndefined();
    for (const digest of fresh!.blobs.keys()) expect(await images.hasBlob(digest)).toBeDefined();
    const gc = await planGc(store, { olderThanSeconds: 0, now: Date.now() + 1000 });
    expect((await runGc(store, gc)).deleted).toBe(3);
    expect(await images.manifest(fresh!.digest)).toBeDefined();
  });

  test('leaves an image that another tag or another repository has', async () => {
    const image = await imageWith('both');
    await push(image, ['one', 'two']);
    await push(image, ['three'], 'team/other');
    await runPrune(rooms(), await plan({ tags: ['one'] }));
    expect(await images.digests(REPOSITORY)).toEqual([image.digest]);
    await runPrune(rooms(), await plan({ tags: ['two'] }));
    expect(await images.digests(REPOSITORY)).toEqual([]);
    expect(await images.manifest(image.digest)).toBeDefined();
    for (const digest of image.blobs.keys()) expect(await images.hasBlob(digest)).toBeDefined();
  });

  test('takes the images of an index with it, and what belongs to it', async () => {
    const index = indexOf([await imageWith('amd64'), await imageWith('arm64')]);
    const signature = artifactOf(index, 'application/vnd.test.signature', 'signed');
    const legacy = await imageWith('legacy signature');
    await push(index, ['v1']);
    await push(signature, []);
    await push(legacy, [`${index.digest.replace(':', '-')}.sig`]);
    await push(await imageWith('other'), ['v2']);
    const todo = await plan({ tags: ['v1'] });
    expect(todo.tags.map(({ tag }) => tag).sort()).toEqual([`${index.digest.replace(':', '-')}.sig`, 'v1'].sort());
    expect(await runPrune(rooms(), todo)).toMatchObject({ manifests: 5, kept: 0 });
    expect(await images.digests(REPOSITORY)).toHaveLength(1);
    expect(await store.catalog('oci').keys('referrer/')).toEqual([]);
  });

  test('leaves signatures with the image that they belong to', async () => {
    const image = await imageWith('signed');
    const legacy = await imageWith('legacy signature');
    await push(image, ['v1']);
    await push(artifactOf(image, 'application/vnd.test.signature', 'signed'), []);
    await push(legacy, [`${image.digest.replace(':', '-')}.sig`]);
    expect(await plan({ tags: ['*'], keep: 1 })).toMatchObject({ tags: [], manifests: [], blobs: [] });
    expect(await plan({ tags: [], untagged: true })).toMatchObject({ tags: [], manifests: [], blobs: [] });
  });

  test('takes what no tag leads to only when that is said', async () => {
    const [one] = await pushDaily(['v1']);
    await images.putManifest(REPOSITORY, (await replaced('v1')).bytes, {
      mediaType: one!.mediaType,
      tags: ['v1'],
      origin: 'upload',
    });
    expect((await plan({ tags: [] })).manifests).toEqual([]);
    expect((await plan({ tags: [], untagged: true })).manifests).toEqual([
      { repository: REPOSITORY, digest: one!.digest },
    ]);
    expect((await plan({ tags: [], untagged: true, olderThan: 9 * DAY })).manifests).toEqual([]);
  });

  async function replaced(tag: string): Promise<BuiltImage> {
    const image = await imageWith(`next ${tag}`);
    await push(image, []);
    return image;
  }
});

describe('between a plan and its doing', () => {
  test('a tag that was moved stays, and so does an image that got a new tag', async () => {
    const [one, two] = await pushDaily(['one', 'two', 'three']);
    const todo = await plan({ keep: 1 });
    const moved = await imageWith('moved');
    await push(moved, ['one']);
    await images.tag(REPOSITORY, 'saved', two!.digest);
    const result = await runPrune(rooms(), todo);
    expect(await images.tags(REPOSITORY)).toEqual(['one', 'saved', 'three']);
    expect(result).toMatchObject({ tags: 1, manifests: 1 });
    expect(await images.manifest(one!.digest)).toBeUndefined();
    for (const image of [two!, moved])
      for (const digest of image.blobs.keys()) expect(await images.hasBlob(digest)).toBeDefined();
  });

  test('a blob that a new image needs stays', async () => {
    const [one] = await pushDaily(['one', 'two']);
    const todo = await plan({ keep: 1 });
    const layer = await layerOf({ own: 'one' });
    await push(await imageOf({ layers: [layer, await layerOf({ more: 'more' })] }), ['three']);
    expect((await runPrune(rooms(), todo)).kept).toBe(1);
    expect(await images.hasBlob(ownLayer(one!))).toBeDefined();
  });

  test('nothing is done twice', async () => {
    await pushDaily(['one', 'two']);
    const todo = await plan({ keep: 1 });
    await runPrune(rooms(), todo);
    expect(await runPrune(rooms(), todo)).toMatchObject({ tags: 0, manifests: 0 });
    expect(await images.tags(REPOSITORY)).toEqual(['two']);
  });
});
