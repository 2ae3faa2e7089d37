import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { planGc, runGc } from '../../shared/storage/store-gc.ts';
import { type Site, startSite } from '../services/oci/support.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { smallDisk } from '../support/full-disk.ts';
import { layoutOf, writeTar } from '../support/image-archives.ts';
import { type Pushing, pushBlob, pushImage, startPush } from '../support/image-push.ts';
import { type BuiltImage, imageOf, largeLayer, sha } from '../support/images.ts';
import { larder, spawnLarder } from '../support/spawn-larder.ts';

let one: BuiltImage;
let other: BuiltImage;
const layerIn = (image: BuiltImage) => [...image.blobs].at(-1)!;

beforeAll(async () => {
  one = await imageOf({ layers: [await largeLayer(6_000_000, 'one')] });
  other = await imageOf({ layers: [await largeLayer(6_000_000, 'other')] });
});

describe('a registry that is pushed to', () => {
  let site: Site;
  let pushing: Pushing;
  beforeEach(async () => {
    site = await startSite({}, { mode: 'airgapped' });
    pushing = { url: site.url, repository: 'team/app', headers: await site.writer() };
  });
  afterEach(() => site.close());

  test('by two at once under one tag has one of the two images under it, whole, and both by their digests', async () => {
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([pushImage(pushing, one, 'latest'), pushImage(pushing, other, 'latest')]);
      const tagged = (await site.ask('/v2/team/app/manifests/latest')).bytes;
      expect([one.digest, other.digest]).toContain(sha(tagged));
      for (const image of [one, other]) {
        expect((await site.ask(`/v2/team/app/manifests/${image.digest}`)).bytes).toEqual(image.bytes);
        for (const digest of image.blobs.keys())
          expect(sha((await site.ask(`/v2/team/app/blobs/${digest}`)).bytes)).toBe(digest);
      }
    }
  });

  test('and loses the connection in the middle of a piece says how much it has, and takes the rest', async () => {
    const [digest, bytes] = layerIn(one);
    const location = await startPush(pushing);
    await sendHalf(location, pushing.headers, bytes, 2_000_000);
    const status = await fetch(location, { headers: pushing.headers });
    const has = Number(status.headers.get('range')!.split('-')[1]) + 1;
    expect(status.status).toBe(204);
    expect(has).toBe(2_000_000);
    const rest = await fetch(location, {
      method: 'PATCH',
      headers: { ...pushing.headers, 'content-range': `${has}-${bytes.length - 1}` },
      body: new Uint8Array(bytes.subarray(has)),
    });
    expect(rest.status).toBe(202);
    const done = await fetch(`${location}?digest=${digest}`, { method: 'PUT', headers: pushing.headers });
    expect(done.status).toBe(201);
    expect(sha((await site.ask(`/v2/team/app/blobs/${digest}`)).bytes)).toBe(digest);
  });

  test('and is left with half an upload names no blob, and frees its bytes when its time is over', async () => {
    const [digest, bytes] = layerIn(one);
    const location = await startPush(pushing);
    await sendHalf(location, pushing.headers, bytes, 2_000_000);
    expect((await site.ask(`/v2/team/app/blobs/${digest}`)).status).toBe(404);
    expect((await site.ask('/v2/team/app/tags/list')).status).toBe(404);
    site.clock.now += 86_401_000;
    await startPush(pushing);
    expect((await fetch(location, { headers: pushing.headers })).status).toBe(404);
    await pushImage(pushing, one, '1');
    expect(sha((await site.ask(`/v2/team/app/blobs/${digest}`)).bytes)).toBe(digest);
  });

  test('and stops with half an upload leaves nothing of it on the disk', async () => {
    const folder = await temporaryFolder();
    const store = join(folder.path, 'store');
    const stopping = await startSite({}, { mode: 'airgapped', store });
    const begun = { url: stopping.url, repository: 'team/app', headers: await stopping.writer() };
    await sendHalf(await startPush(begun), begun.headers, layerIn(one)[1], 2_000_000);
    expect(await readdir(join(store, 'spool'))).toHaveLength(1);
    await stopping.close();
    expect(await readdir(join(store, 'spool'))).toEqual([]);
    await folder.remove();
  });

  test('while unnamed bytes are collected keeps all of what arrives', async () => {
    const { store } = site.larder;
    let collecting = true;
    let rounds = 0;
    const collector = (async () => {
      for (; collecting; rounds += 1) await runGc(store, await planGc(store, { olderThanSeconds: 5, now: Date.now() }));
    })();
    for (let round = 0; round < 5 || rounds < 4; round += 1)
      await Promise.all([pushImage(pushing, one, `one-${round}`), pushImage(pushing, other, `other-${round}`)]);
    collecting = false;
    await collector;
    for (const image of [one, other])
      for (const digest of image.blobs.keys())
        expect(sha((await site.ask(`/v2/team/app/blobs/${digest}`)).bytes)).toBe(digest);
  });
});

describe('a disk that is full', () => {
  let disk: Awaited<ReturnType<typeof smallDisk>>;
  beforeEach(async () => {
    disk = await smallDisk(24 << 20);
  });
  afterEach(() => disk.close());

  test('refuses a push in words, gives what it holds, and takes the push when there is room', async () => {
    const store = join(disk.path, 'store');
    const { stdout } = await larder(['token', 'create', 'ci', '--write', '--store', store]);
    const headers = { authorization: `Basic ${Buffer.from(`ci:${stdout.trim()}`).toString('base64')}` };
    const server = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true' } });
    const pushing = { url: server.urls.oci!, repository: 'team/app', headers };
    await pushImage(pushing, one, '1');
    await disk.fill(10 << 20);
    const [digest, bytes] = layerIn(other);
    const refused = await pushBlob(pushing, digest, bytes).catch((error: Error) => error);
    expect(String(refused)).toMatch(/507 .*no room/);
    expect((await fetch(`${pushing.url}/v2/team/app/blobs/${digest}`)).status).toBe(404);
    const held = await fetch(`${pushing.url}/v2/team/app/blobs/${layerIn(one)[0]}`);
    expect(sha(Buffer.from(await held.arrayBuffer()))).toBe(layerIn(one)[0]);
    await expect.poll(() => readdir(join(store, 'spool'))).toEqual([]);
    await disk.empty();
    await pushImage(pushing, other, '2');
    await server.stop();
  });

  test('refuses an import in words, and the same command goes on when there is room', async () => {
    const folder = await temporaryFolder();
    const tar = join(folder.path, 'images.tar');
    const named = (image: BuiltImage, tag: string) => ({
      image,
      annotations: { 'io.containerd.image.name': `nvcr.io/nvidia/app:${tag}` },
    });
    await writeTar(tar, layoutOf([named(one, '1'), named(other, '2')]));
    const args = ['oci', 'import', tar, '--store', join(disk.path, 'store')];
    await disk.fill(9 << 20);
    expect(await larder(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('no room') });
    await disk.empty();
    expect(await larder(args)).toMatchObject({ code: 0, stdout: expect.stringContaining('2 images') });
    await folder.remove();
  });
});

/** Announces a piece whole, sends its beginning and breaks the connection; returns when both have been noticed. */
async function sendHalf(
  location: string,
  headers: Record<string, string>,
  bytes: Buffer,
  count: number,
): Promise<void> {
  const half = request(location, { method: 'PATCH', headers: { ...headers, 'content-length': bytes.length } });
  half.on('error', () => undefined);
  const broken = new Promise((closed) => half.once('close', closed));
  await new Promise((written) => half.write(bytes.subarray(0, count), written));
  const has = async () => (await fetch(location, { headers })).headers.get('range');
  await expect.poll(has).toBe(`0-${count - 1}`);
  half.destroy();
  await broken;
  // a piece of nothing is refused while another one is on its way
  const free = async () => (await fetch(location, { method: 'PATCH', headers, body: '' })).status;
  await expect.poll(free).toBe(202);
}
