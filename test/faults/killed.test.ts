import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyBundle } from '../../shared/bundle/verify.ts';
import { openStore } from '../../shared/storage/store.ts';
import { verifyStore } from '../../shared/storage/store-verify.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { PackageIndex } from '../support/package-index.ts';
import { runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';
import { buildWheel } from '../support/wheels.ts';

const COMMAND = resolve(import.meta.dirname, '../../services/cli/larder.mjs');
/** Milliseconds after which a verb is killed: through its start, its work and its end. */
const MOMENTS = [150, 350, 500, 600, 700, 800, 900, 1000, 1150, 1300, 1500];

let folder: { path: string; remove(): Promise<void> };
let origin: OriginServer;
let env: NodeJS.ProcessEnv;
let index: PackageIndex;

beforeEach(async () => {
  folder = await temporaryFolder();
  origin = await startOriginServer();
  index = new PackageIndex(origin);
  for (let number = 0; number < 12; number += 1) {
    index.offer(buildWheel({ name: `part${number}`, version: '1.0', files: { 'data.bin': randomBytes(700_000) } }));
  }
  env = { LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: index.url }]) };
});

afterEach(async () => {
  await origin.close();
  await folder.remove();
});

/** Starts a verb and kills it after a while, unless it is done by then. @returns its exit status, null when killed */
async function killedAfter(milliseconds: number, args: string[]): Promise<number | null> {
  const child = spawn(process.execPath, [COMMAND, ...args], { env: { ...process.env, ...env }, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const [code] = await once(child, 'exit');
  clearTimeout(timer);
  return code as number | null;
}

/** Nothing torn: every blob is what it is called, every name has its bytes. */
async function expectWhole(path: string): Promise<void> {
  const store = await openStore(path, { now: Date.now });
  const result = await verifyStore(store);
  await store.close();
  expect(result).toMatchObject({ corrupt: [], missing: [], damagedNames: [] });
}

async function writeManifest(): Promise<string> {
  const path = join(folder.path, 'bundle.yaml');
  const names = Array.from({ length: 12 }, (_, number) => `part${number}==1.0`);
  await writeFile(
    path,
    `format: larder-manifest/1\nname: parts\nitems:\n  - python: { packages: ${JSON.stringify(names)}, lock: true }\n`,
  );
  return path;
}

describe('kill -9', () => {
  test('at many points of bundle create leaves nothing that looks finished, and the same command finishes', async () => {
    const manifest = await writeManifest();
    const store = join(folder.path, 'connected');
    const target = join(folder.path, 'bundle');
    const killed: (number | null)[] = [];
    for (const moment of MOMENTS) {
      const code = await killedAfter(moment, ['bundle', 'create', manifest, target, '--id', 'parts', '--store', store]);
      killed.push(code);
      // killed or not: what looks finished is finished
      const finished = await readdir(target).then(
        () => true,
        () => false,
      );
      expect(finished || code === null).toBe(true);
      if (!finished) continue;
      expect((await verifyBundle(target)).damaged).toEqual([]);
      await rm(target, { recursive: true });
      await rm(store, { recursive: true });
    }
    expect(killed.filter((code) => code === null).length).toBeGreaterThan(3);
    expect(
      await larder(['bundle', 'create', manifest, target, '--id', 'parts', '--store', store], { env }),
    ).toMatchObject({ code: 0 });
    expect((await verifyBundle(target)).damaged).toEqual([]);
    await expectWhole(store);
  });

  test('at many points of an import leaves no name without its bytes, and the same command finishes', async () => {
    const manifest = await writeManifest();
    const bundle = join(folder.path, 'bundle');
    expect(
      await larder(['bundle', 'create', manifest, bundle, '--store', join(folder.path, 'connected')], { env }),
    ).toMatchObject({ code: 0 });
    const site = join(folder.path, 'site');
    for (const moment of MOMENTS) {
      await killedAfter(moment, ['bundle', 'import', bundle, '--store', site]);
      await expectWhole(site);
    }
    expect(await larder(['bundle', 'import', bundle, '--store', site])).toMatchObject({ code: 0 });
    const store = await openStore(site, { now: Date.now });
    expect(await store.catalog('pypi').keys('file/')).toHaveLength(12);
    await store.close();
  });

  test('at many points of a download and an upload leaves nothing torn, and what is asked for again is whole', async () => {
    const wheel = buildWheel({ name: 'large', version: '1.0', files: { 'data.bin': randomBytes(6 << 20) } });
    index.offer(wheel);
    origin.set(`/files/${wheel.filename}`, { body: wheel.bytes, etag: `"${wheel.sha256}"`, pace: 12 << 20 });
    const mine = buildWheel({ name: 'mine', version: '1.0', files: { 'data.bin': randomBytes(3 << 20) } });
    const path = join(folder.path, mine.filename);
    await writeFile(path, mine.bytes);
    const store = join(folder.path, 'store');
    const token = (await larder(['token', 'create', 'ci', '--write', '--store', store])).stdout.trim();
    for (const moment of [20, 60, 120, 200, 300, 450]) {
      const server = await spawnLarder({ store, env });
      const work = Promise.allSettled([download(server, wheel.filename), upload(server, token, path)]);
      await new Promise((done) => setTimeout(done, moment));
      await server.kill();
      await work;
      await expectWhole(store);
    }
    const server = await spawnLarder({ store, env });
    expect((await download(server, wheel.filename)).equals(wheel.bytes)).toBe(true);
    expect((await upload(server, token, path)).stdout).toMatch(/(200|409)$/);
    const back = await fetch(`${server.urls.pypi}/files/private/mine/${mine.filename}`);
    expect(Buffer.from(await back.arrayBuffer()).equals(mine.bytes)).toBe(true);
    expect(await readdir(join(store, 'spool'))).toEqual([]);
    await server.stop();
  });
});

async function download(server: SpawnedLarder, filename: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(`${server.urls.pypi}/files/pypi/large/${filename}`)).arrayBuffer());
}

function upload(server: SpawnedLarder, token: string, path: string) {
  return runCommand('curl', [
    '-s',
    '-w',
    ' %{http_code}',
    '-u',
    `__token__:${token}`,
    '-F',
    'name=mine',
    '-F',
    'version=1.0',
    '-F',
    `content=@${path}`,
    `${server.urls.pypi}/legacy/`,
  ]);
}
