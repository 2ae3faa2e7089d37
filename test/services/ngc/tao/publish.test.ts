import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../../services/ngc/artifact.ts';
import { fileKey } from '../../../../services/ngc/keys.ts';
import { importTao } from '../../../../services/ngc/tao/import.ts';
import { publicationOf } from '../../../../services/ngc/tao/publication.ts';
import { registryPrefix } from '../../../../services/ngc/tao/tree.ts';
import { putSiteObjects } from '../../../../services/s3/site-objects.ts';
import { openStore, type Store } from '../../../../shared/storage/store.ts';
import { NOW, temporaryFolder } from '../../../support/bundles.ts';
import { larder } from '../../../support/larder.ts';
import { DATASETS, HUB, md5, modelFiles, OCRNET, SEGFORMER, writeAssets, writeFiles } from './download.ts';

const REGISTRY = '/shared-storage/ptm/airgapped-models';
const BASE = 'object/tao-storage/shared-storage/ptm/airgapped-models/';
let folder: { path: string; remove(): Promise<void> };
let store: Store;
let time: number;
const place = (name: string) => ({ catalog: store.catalog(name), blobs: store.blobs, now: () => time });
const objects = () => store.catalog('s3').list('object/');

beforeEach(async () => {
  time = NOW;
  folder = await temporaryFolder();
  store = await openStore(`${folder.path}/store`, { now: Date.now });
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

async function publish(options: { skipIncomplete?: boolean } = {}, registry = REGISTRY) {
  const wish = { registry: registryPrefix(registry), data: 'data/', ...options };
  const { objects: found, ...rest } = await publicationOf(place('ngc'), wish);
  return { ...rest, ...(await putSiteObjects(place('s3'), 'tao-storage', found)) };
}

/** What TAO's guide uploads: all but what the hub's client noted. */
function uploaded(): Record<string, string | Buffer> {
  const models = Object.entries(modelFiles()).filter(([path]) => !path.includes('/.cache/'));
  const data = Object.entries(DATASETS).map(([path, content]) => [`object/tao-storage/data/${path}`, content]);
  return Object.fromEntries([...models.map(([path, content]) => [BASE + path, content]), ...data]);
}

describe('a download that was imported is published', () => {
  test('as the objects that the guide has uploaded, with the ETags that these would have', async () => {
    await importTao(place('ngc'), await writeAssets(folder.path));
    const blobs = (await Array.fromAsync(store.blobs.list())).length;
    expect(await publish()).toEqual({ entries: 3, incomplete: [], written: 8, there: 0, bucketMade: true });
    const found = await objects();
    const expected = uploaded();
    expect(found.map(({ key }) => key)).toEqual(Object.keys(expected).sort());
    for (const { key, etag, size, digest } of found.filter((one) => !one.key.endsWith('ptm_metadatas.json'))) {
      expect([key, etag, size]).toEqual([key, `"${md5(expected[key]!)}"`, expected[key]!.length]);
      expect(await store.blobs.isHeld(digest)).toBe(true);
    }
    const list = found.find(({ key }) => key.endsWith('ptm_metadatas.json'))!;
    const text = await store.blobs.read(list.digest, 1e6);
    expect([JSON.parse(text.toString()), list.etag]).toEqual([
      JSON.parse(modelFiles()['ptm_metadatas.json'] as string),
      `"${md5(text)}"`,
    ]);
    // the bucket's own mark has the bytes of a config.json here, and nothing was copied
    expect((await Array.fromAsync(store.blobs.list())).length).toBe(blobs);
  });

  test('again and again: what is there stays, with its date', async () => {
    await importTao(place('ngc'), await writeAssets(folder.path));
    await publish();
    const before = await objects();
    time += 1000;
    expect(await publish()).toMatchObject({ written: 0, there: 8, bucketMade: false });
    expect(await objects()).toEqual(before);
    await publish({}, 'elsewhere/');
    expect((await objects()).length).toBe(13);
  });

  test('only when every file is held, or without the entries that lack some', async () => {
    await importTao(place('ngc'), await writeAssets(folder.path));
    await store.catalog('ngc').delete(fileKey(parseTarget('models', 'nvidia/tao/ocrnet:trainable_v1.0'), 'model.pth'));
    await expect(publish()).rejects.toThrow(
      new RegExp(`entry "${OCRNET}": nvidia/tao/ocrnet:trainable_v1.0: model.pth is not held. Nothing was published`),
    );
    expect(await store.catalog('s3').keys()).toEqual([]);
    expect(await publish({ skipIncomplete: true })).toMatchObject({ entries: 2, incomplete: [{ id: OCRNET }] });
    const list = (await objects()).find(({ key }) => key.endsWith('ptm_metadatas.json'))!;
    const text = (await store.blobs.read(list.digest, 1e6)).toString();
    expect(Object.keys(JSON.parse(text))).toEqual([SEGFORMER, HUB]);
  });

  test('not before there is any', async () => {
    await expect(publish()).rejects.toThrow(/no ptm_metadatas\.json is held: bring one with "larder tao import"/);
  });

  test.each(['', '/', 'a//b', '../b', 'a/./b'])('and %j is no registry', (text) => {
    expect(() => registryPrefix(text)).toThrow(/is no path for LOCAL_MODEL_REGISTRY/);
  });
});

test('the command says where, and what TAO has to be told', async () => {
  await writeFiles(`${folder.path}/m`, modelFiles());
  const cli = ['--store', `${folder.path}/cli`];
  await larder(['tao', 'import', `${folder.path}/m`, ...cli]);
  const ran = await larder(['tao', 'publish', '--registry', REGISTRY, ...cli]);
  expect([ran.code, ran.stdout]).toEqual([
    0,
    's3://tao-storage/shared-storage/ptm/airgapped-models/: 3 entries; 5 objects written, 0 were there, a bucket that was made for it\nTAO needs LOCAL_MODEL_REGISTRY=/shared-storage/ptm/airgapped-models\n',
  ]);
  const shelf = await larder(['tao', 'publish', '--registry', REGISTRY, '--bucket', 'models', ...cli]);
  expect([shelf.code, shelf.stderr]).toEqual([2, expect.stringMatching(/"models" shows what mirrors hold/)]);
  const bad = await larder(['tao', 'publish', '--registry', REGISTRY, '--bucket', 'A', ...cli]);
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/The specified bucket is not valid/)]);
});
