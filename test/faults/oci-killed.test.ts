import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../shared/storage/store.ts';
import { verifyStore } from '../../shared/storage/store-verify.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { layoutOf, writeTar } from '../support/image-archives.ts';
import { type Acknowledged, pushImage } from '../support/image-push.ts';
import { type BuiltImage, imageOf, largeLayer, sha } from '../support/images.ts';
import { larder, spawnLarder } from '../support/spawn-larder.ts';

const COMMAND = resolve(import.meta.dirname, '../../services/cli/larder.mjs');
const REPOSITORY = 'team/app';

let folder: { path: string; remove(): Promise<void> };
let store: string;
let images: BuiltImage[];

beforeAll(async () => {
  images = [];
  for (let number = 0; number < 12; number += 1)
    images.push(await imageOf({ layers: [await largeLayer(2_500_000, `layer ${number}`)] }));
});
beforeEach(async () => {
  folder = await temporaryFolder();
  store = join(folder.path, 'store');
});
afterEach(() => folder.remove());

/** Nothing torn: every blob is what it is called, every name has its bytes. */
async function expectWhole(): Promise<void> {
  const opened = await openStore(store, { now: Date.now });
  const result = await verifyStore(opened);
  await opened.close();
  expect(result).toMatchObject({ corrupt: [], missing: [], damagedNames: [] });
}

async function writer(): Promise<Record<string, string>> {
  const { stdout } = await larder(['token', 'create', 'ci', '--write', '--store', store]);
  return { authorization: `Basic ${Buffer.from(`ci:${stdout.trim()}`).toString('base64')}` };
}

const read = async (url: string) => {
  const answer = await fetch(url);
  return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
};

/** What was said yes to is there, byte for byte; a tag that is there leads to an image that is whole. */
async function expectKept(url: string, acknowledged: Acknowledged): Promise<void> {
  for (const digest of acknowledged.blobs)
    expect(sha((await read(`${url}/v2/${REPOSITORY}/blobs/${digest}`)).bytes)).toBe(digest);
  for (const { reference, digest } of acknowledged.manifests)
    expect(sha((await read(`${url}/v2/${REPOSITORY}/manifests/${reference}`)).bytes)).toBe(digest);
  const { tags } = (await (await fetch(`${url}/v2/${REPOSITORY}/tags/list`)).json()) as { tags?: string[] };
  for (const tag of tags ?? []) {
    const image = images[Number(tag)]!;
    expect((await read(`${url}/v2/${REPOSITORY}/manifests/${tag}`)).bytes).toEqual(image.bytes);
    for (const [digest, bytes] of image.blobs)
      expect((await read(`${url}/v2/${REPOSITORY}/blobs/${digest}`)).bytes.equals(bytes)).toBe(true);
  }
}

describe('kill -9', () => {
  test('at many points of pushes loses nothing that was acknowledged, and leaves nothing torn', async () => {
    const headers = await writer();
    const acknowledged: Acknowledged = { blobs: [], manifests: [] };
    const env = { AIRGAPPED_MODE: 'true' };
    let cut = 0;
    for (const moment of [15, 30, 50, 80, 120, 170, 230]) {
      const server = await spawnLarder({ store, env });
      const pushing = { url: server.urls.oci!, repository: REPOSITORY, headers, pieceBytes: 400_000, acknowledged };
      const pushes = Promise.allSettled(images.map((image, number) => pushImage(pushing, image, String(number))));
      await new Promise((done) => setTimeout(done, moment));
      await server.kill();
      cut += (await pushes).filter(({ status }) => status === 'rejected').length;
      await expectWhole();
      const next = await spawnLarder({ store, env });
      await expectKept(next.urls.oci!, acknowledged);
      expect((await readdir(join(store, 'spool'))).filter((name) => name.includes('.upload'))).toEqual([]);
      await next.stop();
    }
    expect(cut).toBeGreaterThan(20);
    const last = await spawnLarder({ store, env });
    const pushing = { url: last.urls.oci!, repository: REPOSITORY, headers, acknowledged };
    for (const [number, image] of images.entries()) await pushImage(pushing, image, String(number));
    await expectKept(last.urls.oci!, acknowledged);
    await last.stop();
    await expectWhole();
  });

  test('at many points of an import leaves no image in part, and the same command finishes', async () => {
    const tar = join(folder.path, 'images.tar');
    const saved = images.map((image, number) => ({
      image,
      annotations: { 'io.containerd.image.name': `nvcr.io/nvidia/app:${number}` },
    }));
    await writeTar(tar, layoutOf(saved));
    const args = ['oci', 'import', tar, '--store', store];
    const ended: (number | null)[] = [];
    for (const moment of [200, 350, 450, 500, 550, 600, 650, 700, 800, 900]) {
      const child = spawn(process.execPath, [COMMAND, ...args], { stdio: 'ignore' });
      const timer = setTimeout(() => child.kill('SIGKILL'), moment);
      const [code] = (await once(child, 'exit')) as [number | null];
      clearTimeout(timer);
      ended.push(code);
      await expectWhole();
    }
    expect(ended.filter((code) => code === null).length).toBeGreaterThan(3);
    expect(await larder(args)).toMatchObject({ code: 0 });
    const server = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true' } });
    for (const [number, image] of images.entries()) {
      const url = `${server.urls.oci}/v2/nvcr.io/nvidia/app`;
      expect((await read(`${url}/manifests/${number}`)).bytes).toEqual(image.bytes);
      for (const [digest, bytes] of image.blobs)
        expect((await read(`${url}/blobs/${digest}`)).bytes.equals(bytes)).toBe(true);
    }
    await server.stop();
    expect(await readdir(join(store, 'spool'))).toEqual([]);
  });
});
