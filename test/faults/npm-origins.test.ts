import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memoryOf } from '../bench/measure.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { NpmOrigin } from '../support/npm-origin.ts';
import { type ClientHome, homeOf } from '../support/npm-registry-site.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

let folder: { path: string; remove(): Promise<void> };
let origin: NpmOrigin;
let server: SpawnedLarder;
let npm: ClientHome;

beforeEach(async () => {
  folder = await temporaryFolder();
  origin = new NpmOrigin(await startOriginServer());
  server = await spawnLarder({
    store: join(folder.path, 'store'),
    env: {
      LARDER_NPM_ORIGINS: JSON.stringify([{ name: 'npm', url: origin.url }]),
      // asked for each time, so that a test need not wait for what is fresh
      LARDER_NPM_FRESH_SECONDS: '0',
    },
  });
  npm = await homeOf('npm-11', { url: server.urls.npm! });
  await writeFile(join(npm.path, 'project/package.json'), '{ "name": "app", "version": "1.0.0" }');
});

afterEach(async () => {
  await npm.remove();
  await server.stop();
  await origin.server.close();
  await folder.remove();
});

/** `npm install` with nothing in npm's cache, which waits for no second try of its own. */
async function install(name: string) {
  await npm.forget();
  await rm(join(npm.path, 'project/node_modules'), { recursive: true, force: true });
  return npm.run(['install', '--no-save', '--no-audit', '--fetch-retries', '0', name]);
}

const installed = async (name: string) =>
  (
    JSON.parse(await readFile(join(npm.path, 'project/node_modules', name, 'package.json'), 'utf8')) as {
      version: string;
    }
  ).version;

test('a corrupt tarball reaches nobody and is not kept; a sound one is taken the next time', async () => {
  origin.publish({ name: 'leaf', version: '1.0.0', files: { 'data.txt': 'x'.repeat(50_000) } });
  origin.server.fail({ path: origin.tarballPath('leaf', '1.0.0'), corrupt: true, times: 4 });
  const broken = await install('leaf');
  expect(broken.code).not.toBe(0);
  const plain = fetch(`${server.urls.npm}/leaf/-/leaf-1.0.0.tgz`).then((answer) => answer.arrayBuffer());
  await expect(plain).rejects.toThrow();
  expect(server.log()).toMatch(/leaf-1\.0\.0\.tgz[^\n]*sha/);
  await expect.poll(async () => (await install('leaf')).code, { timeout: 60_000 }).toBe(0);
  expect(await installed('leaf')).toBe('1.0.0');
});

test('a tarball that breaks off is gone on with, and npm does not notice', async () => {
  const files = { 'data.bin': Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * index) % 251)) };
  const { bytes } = origin.publish({ name: 'leaf', version: '1.0.0', files });
  origin.server.fail({ path: origin.tarballPath('leaf', '1.0.0'), cutAfter: Math.floor(bytes.length / 2) });
  expect(await install('leaf')).toMatchObject({ code: 0 });
  expect(await installed('leaf')).toBe('1.0.0');
});

test('a dark origin: what is held is installed, what is not is refused in words, and it is asked again when it is back', async () => {
  origin.publish({ name: 'leaf', version: '1.0.0' });
  origin.publish({ name: 'other', version: '2.0.0' });
  expect(await install('leaf')).toMatchObject({ code: 0 });
  await origin.server.goDark();
  expect(await install('leaf')).toMatchObject({ code: 0 });
  const refused = await install('other');
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/E50[24]|could not be asked|is down/);
  await origin.server.comeBack();
  await expect.poll(async () => (await install('other')).code, { timeout: 60_000, interval: 2000 }).toBe(0);
  expect(await installed('other')).toBe('2.0.0');
});

test('a packument of 50 MB is installed from, and others are answered meanwhile', async () => {
  origin.publish({ name: 'small', version: '1.0.0' });
  origin.publish({ name: 'huge', version: '1.0.0' });
  const listed = origin.packument('huge') as { versions: Record<string, object> };
  const [version] = Object.values(listed.versions);
  const filler = 'what a README says, '.repeat(1000);
  const versions = Object.fromEntries(
    Array.from({ length: 2600 }, (_, index) => [
      `0.0.${index}`,
      { ...version, version: `0.0.${index}`, description: filler },
    ]),
  );
  origin.describe('huge', { versions: { ...versions, ...listed.versions } });
  const body = JSON.stringify(origin.packument('huge'));
  expect(body.length).toBeGreaterThan(50e6);
  const installing = install('huge');
  const waits: number[] = [];
  let over = false;
  installing.finally(() => {
    over = true;
  });
  while (!over) {
    const started = performance.now();
    expect((await fetch(`${server.urls.npm}/small`)).status).toBe(200);
    waits.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const ran = await installing;
  expect(`${ran.code} ${ran.stderr}`).toMatch(/^0 /);
  expect(await installed('huge')).toBe('1.0.0');
  expect((await memoryOf(server.pid)).peak).toBeLessThan(700e6);
  // npm itself keeps a core busy meanwhile
  expect(Math.max(...waits)).toBeLessThan(5000);
});
