import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { larder, startLarder, type TestLarder } from '../../support/larder.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import type { BuiltPackage } from '../../support/npm-packages.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { runCommand } from '../../support/python-clients.ts';

let folder: { path: string; remove(): Promise<void> };
let server: OriginServer;
let origin: NpmOrigin;
let site: TestLarder;
let asked: number;
const at = (name: string) => join(folder.path, name);
const built: Record<string, BuiltPackage> = {};

const MANIFEST = {
  format: 'larder-manifest/1',
  name: 'web',
  defaults: { platforms: { npm: ['linux/x64/glibc', 'darwin/arm64'] } },
  items: [{ npm: ['@s/tree@^1', 'native'] }, { npm: { lockfile: 'app/package-lock.json' } }, { npm: '@acme/own' }],
};

/** npm with a home of its own, against a registry. */
const npmAt = (url: string, cwd: string, ...args: string[]) =>
  runCommand('npm', [...args, '--registry', `${url}/`, '--no-fund', '--ignore-scripts'], {
    cwd,
    env: { PATH: process.env.PATH, HOME: at('home') },
    timeout: 60_000,
  });
const npm = (cwd: string, ...args: string[]) => npmAt(site.url('npm'), cwd, ...args);

/** Two versions of a package of the site's own, the older one being what `latest` means. */
async function publishOwn(): Promise<void> {
  const connected = await startLarder({ store: at('store') });
  try {
    const url = connected.url('npm');
    const { access } = connected.context('npm');
    const { secret } = await access.tokens.create({ name: 'ci', actions: ['read', 'write'], services: ['npm'] });
    for (const version of ['1.0.0', '2.0.0-rc.1']) {
      const own = await project('own', {
        'package.json': { name: '@acme/own', version, dependencies: { leaf: '^1' } },
      });
      await writeFile(join(own, '.npmrc'), `${url.replace('http:', '')}/:_authToken=${secret}\n`);
      const tag = version === '1.0.0' ? 'latest' : 'next';
      expect(await npmAt(url, own, 'publish', '--tag', tag)).toMatchObject({ code: 0 });
    }
  } finally {
    await connected.close();
  }
}

async function project(name: string, files: Record<string, unknown>): Promise<string> {
  await mkdir(at(name), { recursive: true });
  for (const [file, body] of Object.entries(files)) await writeFile(join(at(name), file), JSON.stringify(body));
  return at(name);
}

const versionOf = async (folder: string, name: string): Promise<string> =>
  JSON.parse(await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;

beforeAll(async () => {
  folder = await temporaryFolder();
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  for (const version of ['1.0.0', '1.1.0', '2.0.0']) built[version] = origin.publish({ name: 'leaf', version });
  origin.publish({ name: '@s/tree', version: '1.0.0', manifest: { dependencies: { leaf: '^1' } } });
  const optionalDependencies = { 'native-linux': '1.0.0', 'native-mac': '1.0.0', 'native-windows': '1.0.0' };
  origin.publish({ name: 'native', version: '1.0.0', manifest: { optionalDependencies } });
  origin.publish({ name: 'native-linux', version: '1.0.0', manifest: { os: ['linux'], libc: ['glibc'] } });
  origin.publish({ name: 'native-mac', version: '1.0.0', manifest: { os: ['darwin'] } });
  origin.publish({ name: 'native-windows', version: '1.0.0', manifest: { os: ['win32'] } });
  server.set('/-/npm/v1/security/advisories/bulk', { body: '{}', type: 'application/json' });
  const root = { name: 'app', version: '1.0.0', dependencies: { leaf: '2.0.0' } };
  const { integrity } = built['2.0.0']!;
  const resolved = 'https://registry.example/leaf/-/leaf-2.0.0.tgz';
  const packages = { '': root, 'node_modules/leaf': { version: '2.0.0', resolved, integrity } };
  await project('app', { 'package.json': root, 'package-lock.json': { ...root, lockfileVersion: 3, packages } });
  await writeFile(at('bundle.yaml'), JSON.stringify(MANIFEST));
});

afterAll(async () => {
  await site?.close();
  await server?.close();
  await folder?.remove();
});

describe('a bundle of packages', { timeout: 180_000 }, () => {
  test('is made, proven by npm, verified and imported by the command', async () => {
    await publishOwn();
    const env = { LARDER_NPM_ORIGINS: JSON.stringify([{ name: 'main', url: origin.url }]) };
    // a site that lets nobody read without a token makes its bundles all the same
    const options = { env: { ...env, LARDER_ACCESS_ANONYMOUS_READ: 'false' }, timeout: 120_000 };
    const created = await larder(
      ['bundle', 'create', at('bundle.yaml'), at('bundle'), '--store', at('store')],
      options,
    );
    expect(created).toMatchObject({ code: 0, stdout: expect.stringContaining('7 items') });
    expect(created.stderr).toContain(
      'app/package-lock.json: 1 packages can be installed from the bundle alone, by npm too',
    );
    const tokens = await larder(['token', 'list', '--store', at('store')]);
    expect(tokens.stdout).not.toContain('larder bundle');
    expect(await larder(['bundle', 'verify', at('bundle')])).toMatchObject({ code: 0 });
    const { stdout } = await larder(['--json', 'bundle', 'inspect', at('bundle')]);
    for (const id of ['leaf@1.1.0', 'leaf@2.0.0', 'native-mac@1.0.0']) expect(stdout).toContain(`npm:${id}`);
    expect(stdout).not.toContain('native-windows');
    expect(await larder(['bundle', 'import', at('bundle'), '--store', at('site')])).toMatchObject({ code: 0 });
    asked = server.calls().length;
    // nothing is set at the site: where packages once came from stands in their names
    site = await startLarder({ mode: 'airgapped', store: at('site') });
  });

  test('has the lock install behind the gap, for this machine and for others', async () => {
    const app = at('app');
    const args = ['ci', '--replace-registry-host', 'always'];
    expect(await npm(app, ...args)).toMatchObject({ code: 0 });
    expect(await versionOf(app, 'leaf')).toBe('2.0.0');
    const names = await project('names', { 'package.json': { name: 'names', version: '1.0.0' } });
    const mac = ['--os', 'darwin', '--cpu', 'arm64'];
    expect(await npm(names, 'install', '@s/tree', 'native', ...mac)).toMatchObject({ code: 0 });
    expect(await versionOf(names, 'leaf')).toBe('1.1.0');
    expect(await versionOf(names, 'native-mac')).toBe('1.0.0');
  });

  test('brings what was published here, which is never asked for elsewhere', async () => {
    const own = await project('uses', { 'package.json': { name: 'uses', version: '1.0.0' } });
    expect(await npm(own, 'install', '@acme/own')).toMatchObject({ code: 0 });
    expect(await versionOf(own, '@acme/own')).toBe('1.0.0');
    expect(await versionOf(own, 'leaf')).toBe('1.1.0');
    expect(server.calls().filter(({ path }) => path.includes('acme'))).toEqual([]);
  });

  test('lists behind the gap what came, with its tags repaired', async () => {
    const listed = await npm(at('names'), 'view', 'leaf', 'versions', 'dist-tags', '--json');
    expect(JSON.parse(listed.stdout)).toEqual({ versions: ['1.1.0', '2.0.0'], 'dist-tags': { latest: '2.0.0' } });
  });

  test('leaves what did not come to the next one', async () => {
    expect(await npm(at('names'), 'install', 'leaf@1.0.0')).toMatchObject({ code: 1 });
    expect(await npm(at('names'), 'install', 'further')).toMatchObject({ code: 1 });
    const { stdout } = await larder(['wants', 'export', '--store', at('site')]);
    expect(stdout).toContain('"npm":"further"');
    expect(server.calls().length).toBe(asked);
  });
});
