import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { smallDisk } from '../support/full-disk.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { PackageIndex } from '../support/package-index.ts';
import { runCommand } from '../support/python-clients.ts';
import { larder, spawnLarder } from '../support/spawn-larder.ts';
import { type BuiltFile, buildWheel } from '../support/wheels.ts';

const SIZE = 24 << 20;

let folder: { path: string; remove(): Promise<void> };
let disk: Awaited<ReturnType<typeof smallDisk>>;
let origin: OriginServer;
let env: NodeJS.ProcessEnv;
let wheel: BuiltFile;

beforeEach(async () => {
  folder = await temporaryFolder();
  disk = await smallDisk(SIZE);
  origin = await startOriginServer();
  const index = new PackageIndex(origin);
  wheel = index.offer(buildWheel({ name: 'large', version: '1.0', files: { 'data.bin': randomBytes(6 << 20) } }));
  env = { LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: index.url }]) };
});

afterEach(async () => {
  await origin.close();
  await disk.close();
  await folder.remove();
});

test('a disk that is full is told in words, keeps what it holds, and is used again when there is room', async () => {
  const store = join(disk.path, 'store');
  const server = await spawnLarder({ store, env });
  const url = `${server.urls.pypi}/files/pypi/large/${wheel.filename}`;
  expect((await fetch(`${server.urls.pypi}/simple/large/`)).status).toBe(200);
  await disk.fill(3 << 20);
  const full = await fetch(url);
  expect(full.status).toBe(507);
  expect(await full.text()).toMatch(/do not fit|no room/);
  expect((await fetch(`${server.urls.pypi}/simple/large/`)).status).toBe(200);
  await expect.poll(() => readdir(join(store, 'spool'))).toEqual([]);
  await disk.empty();
  const again = await fetch(url);
  expect(Buffer.from(await again.arrayBuffer()).equals(wheel.bytes)).toBe(true);
  await server.stop();
});

test('a disk that fills up under a download breaks it off, and nothing of it stays', async () => {
  const store = join(disk.path, 'store');
  // no length: it cannot be refused beforehand
  const server = await spawnLarder({ store, env });
  await fetch(`${server.urls.pypi}/simple/large/`);
  origin.set(`/files/${wheel.filename}`, { body: wheel.bytes, etag: '"1"', pace: 2 << 20 });
  const answer = await fetch(`${server.urls.pypi}/files/pypi/large/${wheel.filename}`);
  await disk.fill(1 << 20).catch(() => undefined);
  await expect(answer.arrayBuffer()).rejects.toThrow();
  await disk.empty();
  await expect.poll(() => readdir(join(store, 'spool'))).toEqual([]);
  const again = await fetch(`${server.urls.pypi}/files/pypi/large/${wheel.filename}`);
  expect(Buffer.from(await again.arrayBuffer()).equals(wheel.bytes)).toBe(true);
  await server.stop();
});

test('a bundle that does not fit is refused before it is copied, and finished when there is room', async () => {
  const manifest = join(folder.path, 'bundle.yaml');
  await writeFile(
    manifest,
    'format: larder-manifest/1\nname: large\nitems: [{ python: { packages: ["large==1.0"], lock: true } }]\n',
  );
  const args = ['bundle', 'create', manifest, join(disk.path, 'bundle'), '--store', join(folder.path, 'store')];
  await disk.fill(4 << 20);
  const refused = await larder(args, { env });
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/bytes are still to be written and \d+ are free/),
  });
  await disk.empty();
  expect(await larder(args, { env })).toMatchObject({ code: 0 });
});

test('an import into a full store says so, and goes on from there when there is room', async () => {
  const manifest = join(folder.path, 'bundle.yaml');
  await writeFile(
    manifest,
    'format: larder-manifest/1\nname: large\nitems: [{ python: { packages: ["large==1.0"], lock: true } }]\n',
  );
  const bundle = join(folder.path, 'bundle');
  expect(
    await larder(['bundle', 'create', manifest, bundle, '--store', join(folder.path, 'store')], { env }),
  ).toMatchObject({ code: 0 });
  await disk.fill(5 << 20);
  const args = ['bundle', 'import', bundle, '--store', join(disk.path, 'site')];
  expect(await larder(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('no room') });
  await disk.empty();
  expect(await larder(args)).toMatchObject({ code: 0 });
  expect(await runCommand('sha256sum', [join(disk.path, 'site/blobs/sha256', wheel.sha256)])).toMatchObject({
    stdout: expect.stringContaining(wheel.sha256),
  });
});
