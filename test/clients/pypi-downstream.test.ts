import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startPeer } from '../bench/measure.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { client } from '../support/clients.ts';
import { freePort } from '../support/free-port.ts';
import { clientHome, runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

let folder: { path: string; remove(): Promise<void> };
let server: SpawnedLarder;
const peers: Peer[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  server = await spawnLarder({ store: join(folder.path, 'store'), env: { LARDER_PYPI_ROOT_LIST: 'held' } });
});

afterAll(async () => {
  for (const peer of peers) await peer.stop();
  await server?.stop();
  await folder?.remove();
});

async function installs(index: string): Promise<void> {
  const home = await clientHome();
  const python = join(await client('pip'), 'python');
  const args = [
    '-m',
    'pip',
    'install',
    '--no-cache-dir',
    '--target',
    join(home.path, 'target'),
    '--index-url',
    index,
    'six==1.17.0',
  ];
  expect(await runCommand(python, args, home)).toMatchObject({ code: 0 });
  await home.remove();
}

test('proxpi mirrors from us', async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const bin = await client('proxpi');
  const env = { PROXPI_INDEX_URL: `${server.urls.pypi}/simple/`, PROXPI_CACHE_DIR: join(folder.path, 'proxpi') };
  peers.push(
    await startPeer(join(bin, 'gunicorn'), ['--bind', `127.0.0.1:${port}`, '--threads', '2', 'proxpi.server:app'], {
      url,
      env,
      ready: `${url}/index/six/`,
    }),
  );
  await installs(`${url}/index/`);
});

test('devpi mirrors from us', async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const bin = await client('devpi-server');
  const dir = join(folder.path, 'devpi');
  expect(await runCommand(join(bin, 'devpi-init'), ['--serverdir', dir, '--no-root-pypi'])).toMatchObject({ code: 0 });
  peers.push(
    await startPeer(join(bin, 'devpi-server'), ['--serverdir', dir, '--host', '127.0.0.1', '--port', String(port)], {
      url,
      ready: `${url}/+api`,
    }),
  );
  const login = await runCommand('curl', [
    '-s',
    '-X',
    'POST',
    '-H',
    'Content-Type: application/json',
    '-d',
    '{"user":"root","password":""}',
    `${url}/+login`,
  ]);
  const { result } = JSON.parse(login.stdout) as { result: { password: string } };
  const auth = Buffer.from(`root:${result.password}`).toString('base64');
  const settings = { type: 'mirror', mirror_url: `${server.urls.pypi}/simple/`, volatile: false };
  const made = await runCommand('curl', [
    '-s',
    '-X',
    'PUT',
    '-H',
    'Content-Type: application/json',
    '-H',
    `X-Devpi-Auth: ${auth}`,
    '-d',
    JSON.stringify(settings),
    `${url}/root/larder`,
  ]);
  expect(made.stdout).toContain('"mirror_url"');
  await installs(`${url}/root/larder/+simple/`);
});

test('bagit.py and sha256sum accept our bundles, and name what was changed in them', async () => {
  const manifest = join(folder.path, 'bundle.yaml');
  await writeFile(manifest, 'format: larder-manifest/1\nname: bag\nitems:\n  - python: "six==1.17.0"\n');
  const dir = join(folder.path, 'bundle');
  expect(await larder(['bundle', 'create', manifest, dir, '--store', join(folder.path, 'store')])).toMatchObject({
    code: 0,
  });
  const bagit = join(await client('bagit'), 'bagit.py');
  const python = join(await client('bagit'), 'python');
  expect(await runCommand(python, [bagit, '--validate', dir])).toMatchObject({ code: 0 });
  expect(await runCommand('sha256sum', ['-c', '--quiet', 'manifest-sha256.txt'], { cwd: dir })).toMatchObject({
    code: 0,
  });
  await writeFile(join(dir, 'data/oci-layout'), '{"imageLayoutVersion":"9.9.9"}\n');
  expect((await runCommand(python, [bagit, '--validate', dir])).code).not.toBe(0);
  const verified = await larder(['bundle', 'verify', dir]);
  expect(verified).toMatchObject({ code: 3, stdout: expect.stringContaining('damaged: data/oci-layout') });
});
