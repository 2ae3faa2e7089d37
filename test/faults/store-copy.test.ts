import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../shared/storage/store.ts';
import { verifyStore } from '../../shared/storage/store-verify.ts';
import { KEY, type Site, startSite } from '../services/s3/support.ts';
import { keep, storeIn, temporaryFolder } from '../support/bundles.ts';
import { smallDisk } from '../support/full-disk.ts';
import { larder } from '../support/spawn-larder.ts';

const COMMAND = resolve(import.meta.dirname, '../../services/cli/larder.mjs');
const NAMES = 60;

let folder: { path: string; remove(): Promise<void> };
let from: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  from = join(folder.path, 'from');
  const store = await storeIn(folder.path, 'from');
  for (let place = 0; place < NAMES; place += 1) await keep(store, 'notes', `file/${place}`, randomBytes(400_000));
  await keep(store, 'pypi', 'file/large', randomBytes(24 << 20));
  await store.close();
});
afterEach(() => folder.remove());

/** Starts a copy, and kills it once `moment` has come, unless it is done by then. @returns true when it was killed */
async function killedAt(moment: () => Promise<boolean>, args: string[], env = {}): Promise<boolean> {
  const child = spawn(process.execPath, [COMMAND, 'store', 'copy', ...args], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  while (child.exitCode === null && !(await moment())) await new Promise((done) => setTimeout(done, 5));
  child.kill('SIGKILL');
  return (await exited)[0] === null;
}

async function filesIn(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).length;
}

async function expectWhole(location: string): Promise<number> {
  const store = await openStore(location, { now: Date.now, credentials: KEY });
  const result = await verifyStore(store);
  const names = (await store.catalog('notes').keys()).length + (await store.catalog('pypi').keys()).length;
  await store.close();
  expect(result).toMatchObject({ corrupt: [], missing: [], damagedNames: [] });
  return names;
}

describe('kill -9 of a copy', () => {
  test('at many points leaves nothing torn in a directory and no name without its bytes, and it is repeated', async () => {
    const to = join(folder.path, 'to');
    const blobs = () => filesIn(join(to, 'blobs'));
    const names = () => filesIn(join(to, 'catalog'));
    let killed = 0;
    for (const most of [1, 9, 20, 33, 47]) {
      if (await killedAt(async () => (await blobs()) >= most, [from, to])) killed += 1;
      await expectWhole(to);
    }
    for (const most of [1, 15, 40])
      if (await killedAt(async () => (await names()) >= most, [from, to])) {
        killed += 1;
        await expectWhole(to);
      }
    expect(killed).toBeGreaterThan(4);
    const before = await blobs();
    expect(before).toBeGreaterThan(40);
    const last = await larder(['store', 'copy', from, to]);
    expect(last).toMatchObject({ code: 0, stdout: expect.stringContaining(`${before} were there`) });
    expect(await expectWhole(to)).toBe(NAMES + 1);
    expect(await readdir(join(to, 'tmp'))).toEqual([]);
  });

  test('at many points leaves nothing torn on an engine, and it is repeated', async () => {
    const site: Site = await startSite();
    await site.s3.send(new CreateBucketCommand({ Bucket: 'store' }));
    const to = `s3://store/to?endpoint=${site.url}`;
    const env = { LARDER_STORE_ACCESS_KEY: KEY.accessKeyId, LARDER_STORE_SECRET_KEY: KEY.secretAccessKey };
    const objects = async () => (await site.larder.store.catalog('s3').keys()).length;
    let killed = 0;
    for (const most of [10, 30, 50, 70, 100]) {
      if (await killedAt(async () => (await objects()) >= most, [from, to], env)) killed += 1;
      await expectWhole(to);
    }
    expect(killed).toBeGreaterThan(2);
    expect(await larder(['store', 'copy', from, to], { env })).toMatchObject({ code: 0 });
    expect(await expectWhole(to)).toBe(NAMES + 1);
    await site.close();
  });
});

test('a disk that fills up under a copy ends it in words, and it is gone on with when there is room', async () => {
  const disk = await smallDisk(72 << 20);
  const to = join(disk.path, 'to');
  await disk.fill(12 << 20);
  const full = await larder(['store', 'copy', from, to]);
  expect([full.code, full.stderr]).toEqual([1, expect.stringContaining('no room left')]);
  const before = await filesIn(join(to, 'blobs'));
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(NAMES);
  await disk.empty();
  await expectWhole(to);
  const last = await larder(['store', 'copy', from, to]);
  expect(last).toMatchObject({ code: 0, stdout: expect.stringContaining(`${before} were there`) });
  expect(await expectWhole(to)).toBe(NAMES + 1);
  await disk.close();
});
