import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ExportOptions, exportLayout } from '../../../services/oci/archives/export-layout.ts';
import { importArchive } from '../../../services/oci/archives/import-archive.ts';
import { configSchema } from '../../../services/oci/config.ts';
import { Images } from '../../../services/oci/images.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { NOW } from '../../support/asking.ts';
import { storeIn, temporaryFolder } from '../../support/bundles.ts';
import { layoutOf, writeTar } from '../../support/image-archives.ts';
import { artifactOf, type BuiltImage, imageOf, indexOf, layerOf } from '../../support/images.ts';

const NAME = 'nvcr.io/nvidia/tao:1';
const REPOSITORY = 'nvcr.io/nvidia/tao';
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store;
let other: Store;
let here: BuiltImage;
let there: BuiltImage;
let index: BuiltImage;
let signature: BuiltImage;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await storeIn(folder.path, 'store');
  other = await storeIn(folder.path, 'other');
  here = await imageOf();
  const arm = { os: 'linux', architecture: 'arm64' };
  there = await imageOf({ platform: arm, layers: [await layerOf({ arm: 'arm' })] });
  index = indexOf([here, there]);
  signature = artifactOf(index, 'application/vnd.test.signature', 'signed');
  const files = layoutOf([{ image: index, annotations: { 'io.containerd.image.name': NAME } }, { image: signature }]);
  await writeTar(at('in.tar'), files);
  await importArchive(rooms(store), configSchema.parse({}), at('in.tar'));
});

afterEach(async () => {
  await store.close();
  await other.close();
  await folder.remove();
});

const rooms = (of: Store) => ({ catalog: of.catalog('oci'), blobs: of.blobs, now: () => NOW });
const at = (name: string) => join(folder.path, name);
const write = (to: string, options?: ExportOptions, names = [NAME]) =>
  exportLayout(rooms(store), names, at(to), options);

/** What another house holds that has only this layout. */
async function carried(path: string): Promise<Images> {
  await importArchive(rooms(other), configSchema.parse({}), at(path));
  return new Images(rooms(other));
}

describe('an exported image', () => {
  test.each(['layout', 'layout.tar'])('in %s is the same in another house, with all that belongs to it', async (to) => {
    expect((await write(to)).images).toEqual([{ name: NAME, digest: index.digest }]);
    const images = await carried(to);
    for (const one of [index, here, there, signature]) {
      expect((await images.manifest(one.digest))?.bytes).toEqual(one.bytes);
      for (const digest of one.blobs.keys()) expect(await images.hasBlob(digest)).toBeDefined();
    }
    expect(await images.tags(REPOSITORY)).toEqual(['1']);
    const listed = await other.catalog('oci').keys(`referrer/${REPOSITORY}@${index.digest}/`);
    expect(listed.map((key) => key.split('/').at(-1))).toEqual([signature.digest]);
  });

  test('of one platform has the index of all, and says what it lacks', async () => {
    const { leftOut } = await write('layout', { platforms: ['linux/arm64'], referrers: false });
    expect(leftOut).toEqual(['linux/amd64']);
    const images = await carried('layout');
    expect((await images.manifest(index.digest))?.bytes).toEqual(index.bytes);
    expect(await images.manifest(there.digest)).toBeDefined();
    expect(await images.manifest(here.digest)).toBeUndefined();
    expect(await images.manifest(signature.digest)).toBeUndefined();
  });

  test('goes into a layout that is there, beside what it holds', async () => {
    await write('layout', {}, [`${REPOSITORY}@${there.digest}`]);
    const second = await write('layout');
    expect(second.blobs).toBe(4);
    const listed = JSON.parse(await readFile(at('layout/index.json'), 'utf8')) as { manifests: { digest: string }[] };
    expect(listed.manifests.map(({ digest }) => digest)).toEqual([there.digest, index.digest, signature.digest]);
  });

  test('that was cut off is written again where it was', async () => {
    await write('layout');
    await rm(at('layout/index.json'));
    const [digest, bytes] = [...here.blobs].at(-1)!;
    await writeFile(at(`layout/blobs/${digest.replace(':', '/')}`), bytes.subarray(1));
    expect((await write('layout')).blobs).toBe(1);
    expect(await readFile(at(`layout/blobs/${digest.replace(':', '/')}`))).toEqual(bytes);
  });
});

describe('an export says in words, and writes nothing, when', () => {
  test.each<[string, ExportOptions, string, RegExp]>([
    ['an image is not held', {}, 'nvcr.io/nvidia/none:1', /nvcr\.io\/nvidia\/none:1 is not held/],
    ['a platform is none of its', { platforms: ['linux/s390x'] }, NAME, /has no image for linux\/s390x/],
    ['a name is none', {}, 'Not A Name', /is no name of an image/],
  ])('%s', async (_what, options, name, message) => {
    await expect(write('out.tar', options, [name])).rejects.toThrow(message);
    expect((await readdir(folder.path)).filter((file) => file.startsWith('out'))).toEqual([]);
  });

  test('a blob of it is damaged', async () => {
    const [digest, bytes] = [...here.blobs].at(-1)!;
    const path = join(folder.path, 'store', 'blobs');
    const files = (await readdir(path, { recursive: true })).filter((file) => file.endsWith(digest.slice(7)));
    await writeFile(join(path, files[0]!), Buffer.alloc(bytes.length, 7));
    await expect(write('out.tar')).rejects.toThrow(/is damaged in the store/);
    expect((await readdir(folder.path)).filter((file) => file.startsWith('out'))).toEqual([]);
  });
});
