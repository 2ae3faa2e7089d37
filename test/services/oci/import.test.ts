import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { importArchive } from '../../../services/oci/archives/import-archive.ts';
import type { ImportOptions } from '../../../services/oci/archives/importing.ts';
import { configSchema } from '../../../services/oci/config.ts';
import { Images } from '../../../services/oci/images.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { NOW } from '../../support/asking.ts';
import { storeIn, temporaryFolder } from '../../support/bundles.ts';
import { type ArchiveContent, dockerSaveOf, layoutOf, writeFolder, writeTar } from '../../support/image-archives.ts';
import { artifactOf, type BuiltImage, imageOf, indexOf, type Layer, layerOf, sha } from '../../support/images.ts';
import { startSite } from './support.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store;
let images: Images;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await storeIn(folder.path, 'store');
  images = new Images(rooms());
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

const rooms = () => ({ catalog: store.catalog('oci'), blobs: store.blobs, now: () => NOW });
const at = (name: string) => join(folder.path, name);
const bring = (path: string, options?: ImportOptions) => importArchive(rooms(), configSchema.parse({}), path, options);

async function bringTar(files: ArchiveContent, options?: ImportOptions) {
  await writeTar(at('saved.tar'), files);
  return bring(at('saved.tar'), options);
}

async function blob(digest: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of (await images.openBlob(digest)) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Those of a house that was told nothing else. */
const { registries } = configSchema.parse({});
const NAME = 'nvcr.io/nvidia/tao/tao-toolkit:6.25.7';
const named = (image: BuiltImage, name = NAME) => [{ image, annotations: { 'io.containerd.image.name': name } }];
const plain = (seed = 'hello') => layerOf({ [seed]: seed }, { compression: 'none' });
let layers: Layer[];
beforeEach(async () => {
  const one = await plain();
  layers = [one, await plain('more'), one];
});

describe('what docker save wrote before version 25', () => {
  test('becomes an image with its own config and its layers as they are, links followed', async () => {
    const brought = await bringTar(dockerSaveOf([{ tags: [NAME], layers }]));
    expect(brought.images).toEqual([{ name: NAME, digest: expect.stringMatching(/^sha256:/) }]);
    expect(brought.blobs).toBe(3);
    const { bytes, mediaType } = (await images.manifest(brought.images[0]!.digest))!;
    expect(mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    const manifest = JSON.parse(bytes.toString()) as { config: { digest: string }; layers: { digest: string }[] };
    expect(manifest.layers.map(({ digest }) => digest)).toEqual(layers.map(({ diffId }) => diffId));
    for (const [index, { digest }] of manifest.layers.entries())
      expect(await blob(digest)).toEqual(layers[index]!.bytes);
    const config = JSON.parse((await blob(manifest.config.digest)).toString()) as { rootfs: { diff_ids: string[] } };
    expect(config.rootfs.diff_ids).toEqual(layers.map(({ diffId }) => diffId));
  });

  test('is found by clients in a site without a network, in each way they ask', async () => {
    await bringTar(dockerSaveOf([{ tags: [NAME, 'busybox:1', 'team/own:2'], layers }]));
    await store.close();
    const site = await startSite({}, { mode: 'airgapped', store: at('store'), config: { registries } });
    for (const path of [
      '/v2/nvcr.io/nvidia/tao/tao-toolkit/manifests/6.25.7',
      '/v2/nvidia/tao/tao-toolkit/manifests/6.25.7?ns=nvcr.io',
      '/v2/library/busybox/manifests/1',
      '/docker.io/v2/team/own/manifests/2',
    ])
      expect([path, (await site.ask(path)).status]).toEqual([path, 200]);
    await site.close();
    store = await storeIn(folder.path, 'other');
  });

  test('may hold several images, and what they share is kept once', async () => {
    const brought = await bringTar(dockerSaveOf([1, 2].map((n) => ({ tags: [`team/app:${n}`], layers }))));
    expect(brought.images.map(({ name }) => name)).toEqual(['docker.io/team/app:1', 'docker.io/team/app:2']);
    expect(brought.blobs).toBe(3);
  });

  test('is named by whoever brings it when it has no name', async () => {
    const files = dockerSaveOf([{ tags: null, layers }]);
    await expect(bringTar(files)).rejects.toThrow(/saved.tar does not say what .* is called; say it with --as/);
    expect((await bringTar(files, { as: 'quay.io/team/app:3' })).images[0]!.name).toBe('quay.io/team/app:3');
  });

  test('may have compressed layers, which stay so', async () => {
    const compressed = { ...layers[0]!, bytes: gzipSync(layers[0]!.bytes) };
    const brought = await bringTar(dockerSaveOf([{ tags: [NAME], layers: [compressed] }]));
    const { bytes } = (await images.manifest(brought.images[0]!.digest))!;
    expect(JSON.parse(bytes.toString()).layers).toEqual([
      {
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        size: compressed.bytes.length,
        digest: sha(compressed.bytes),
      },
    ]);
  });
});

describe('an OCI layout', () => {
  test.each([
    ['a tar', (files: ArchiveContent) => writeTar(at('x.tar'), files).then(() => 'x.tar')],
    ['a folder', (files: ArchiveContent) => writeFolder(at('x'), files).then(() => 'x')],
    ['a tar in gzip', (files: ArchiveContent) => packed(files, gzipSync)],
    ['a tar in zstd', (files: ArchiveContent) => packed(files, zstdCompressSync)],
  ])('as %s keeps its manifests and blobs byte for byte', async (_what, write) => {
    const image = await imageOf();
    const brought = await bring(at(await write(layoutOf(named(image)))));
    expect(brought.images).toEqual([{ name: NAME, digest: image.digest }]);
    expect((await images.manifest(image.digest))!.bytes).toEqual(image.bytes);
    for (const [digest, bytes] of image.blobs) expect(await blob(digest)).toEqual(bytes);
    expect(await readdir(store.blobs.spoolDir).catch(() => [])).toEqual([]);
  });

  async function packed(files: ArchiveContent, compress: (bytes: Buffer) => Buffer): Promise<string> {
    await writeTar(at('x.tar'), files);
    await writeFile(at('x.bin'), compress(await readFile(at('x.tar'))));
    return 'x.bin';
  }

  test('of one platform keeps the index of all, and says later what is not there', async () => {
    const other = { os: 'linux', architecture: 'arm64' };
    const [here, there] = [await imageOf(), await imageOf({ platform: other, layers: [await plain('arm')] })];
    const index = indexOf([here, there]);
    const layer = [...there.blobs.keys()].at(-1)!;
    await bringTar(layoutOf(named(index), [layer]));
    expect((await images.manifest(index.digest))!.bytes).toEqual(index.bytes);
    expect(await images.manifest(here.digest)).toBeDefined();
    expect(await images.manifest(there.digest)).toBeUndefined();
  });

  test('brings signatures that lie beside an image', async () => {
    const image = await imageOf();
    const signature = artifactOf(image, 'application/vnd.test.signature', 'signed');
    await bringTar(layoutOf([...named(image), { image: signature }]));
    await store.close();
    const site = await startSite({}, { mode: 'airgapped', store: at('store'), config: { registries } });
    const answer = await site.ask(`/v2/nvcr.io/nvidia/tao/tao-toolkit/referrers/${image.digest}`);
    expect((answer.json as { manifests: { digest: string }[] }).manifests.map(({ digest }) => digest)).toEqual([
      signature.digest,
    ]);
    await site.close();
    store = await storeIn(folder.path, 'other');
  });

  test('with several images is not given one name', async () => {
    const files = layoutOf([...named(await imageOf()), ...named(await imageOf({ layers: [await plain()] }), 'a/b:2')]);
    await expect(bringTar(files, { as: 'c:1' })).rejects.toThrow(/holds 2 images, and --as gives them one name/);
  });
});

describe('a folder of saved images', () => {
  const tar = (name: string) => at(join('saved-docker-images', name));
  const list = (all: object) => writeFile(tar('manifest.json'), JSON.stringify(all));

  test('comes in whole, and names what its files do not', async () => {
    await writeTar(tar('one.tar'), dockerSaveOf([{ tags: [NAME], layers }]));
    await writeTar(tar('two.tar'), dockerSaveOf([{ tags: null, layers: [layers[1]!] }]));
    await list([
      { file: 'one.tar', ref: NAME },
      { file: 'saved-docker-images/two.tar', ref: 'nvcr.io/nvidia/tao/vila:1' },
    ]);
    const brought = await bring(at('saved-docker-images'));
    expect(brought.images.map(({ name }) => name)).toEqual([NAME, 'nvcr.io/nvidia/tao/vila:1']);
  });

  test('that lacks a file of its list is not taken for whole', async () => {
    await writeTar(tar('one.tar'), dockerSaveOf([{ tags: [NAME], layers }]));
    await list([
      { file: 'one.tar', ref: NAME },
      { file: 'gone.tar', ref: 'a:1' },
    ]);
    await expect(bring(at('saved-docker-images'))).rejects.toThrow(/lacks what its manifest.json lists: gone.tar/);
    expect(await images.repositories()).toEqual([]);
  });

  test('without any image says so', async () => {
    await writeFolder(at('empty'), new Map([['readme.txt', Buffer.from('x')]]));
    await expect(bring(at('empty'))).rejects.toThrow(/empty is no OCI layout, and there are no saved images/);
  });
});

describe('what is broken', () => {
  const good = () => dockerSaveOf([{ tags: [NAME], layers }]);

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['an archive that is cut off', cutOff, /saved.tar: it ends in the middle of a file/],
    [
      'a file that is no archive',
      () => writeFile(at('x'), 'x'.repeat(2000)).then(() => bring(at('x'))),
      /it is no tar/,
    ],
    ['an empty file', () => writeFile(at('x'), '').then(() => bring(at('x'))), /x holds no image/],
    ['a tar of other things', () => bringTar(new Map([['a', Buffer.from('x')]])), /holds no image/],
    ['a gzip that is cut off', cutGzip, /it cannot be unpacked; it is cut off or damaged/],
    ['a layer with other bytes', otherBytes, /sha256/],
    ['a layer that is absent', () => without(/layer\.tar$/), /lacks .*layer\.tar, which its manifest\.json names/],
    ['a config that is absent', () => without(/^[0-9a-f]{64}\.json$/), /saved\.tar has no [0-9a-f]{64}\.json/],
    ['a list that is null', () => bringTar(good().set('manifest.json', Buffer.from('null'))), /lists no image/],
    ['a list that is no JSON', () => bringTar(good().set('manifest.json', Buffer.from('{'))), /is not JSON/],
    ['a name that leads out', () => bringTar(good().set('../../x', Buffer.from('x'))), /leads out of it/],
    ['links in a ring', ring, /lacks .*layer\.tar/],
  ])('is refused with a word to the person, and leaves no image: %s', async (_what, work, message) => {
    await expect(work()).rejects.toThrow(message);
    expect(await images.tags('nvcr.io/nvidia/tao/tao-toolkit')).toEqual([]);
    expect(await readdir(store.blobs.spoolDir).catch(() => [])).toEqual([]);
  });

  async function cutOff() {
    await writeTar(at('saved.tar'), good());
    await truncate(at('saved.tar'), (await stat(at('saved.tar'))).size - 4000);
    return bring(at('saved.tar'));
  }

  async function cutGzip() {
    await writeTar(at('saved.tar'), good());
    const packed = gzipSync(await readFile(at('saved.tar')));
    await writeFile(at('x.tgz'), packed.subarray(0, packed.length - 30));
    return bring(at('x.tgz'));
  }

  function otherBytes() {
    const files = good();
    const [name] = [...files.keys()].filter((one) => one.endsWith('layer.tar'));
    return bringTar(files.set(name!, Buffer.alloc(1024, 7)));
  }

  function without(pattern: RegExp) {
    const files = good();
    for (const name of files.keys()) if (pattern.test(name)) files.delete(name);
    return bringTar(files);
  }

  function ring() {
    const files = good();
    const [one, two] = [...files.keys()].filter((name) => name.endsWith('layer.tar'));
    files.set(one!, { link: `../${two}` }).set(two!, { link: `../${one}` });
    return bringTar(files);
  }
});
