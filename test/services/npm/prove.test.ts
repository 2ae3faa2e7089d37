import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResolvedItem } from '../../../shared/bundle/create-options.ts';
import { type NpmWorkbench, npmWorkbench } from '../../support/npm-bundles.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import type { BuiltPackage } from '../../support/npm-packages.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let server: OriginServer;
let origin: NpmOrigin;
let bench: NpmWorkbench;
const built: Record<string, BuiltPackage> = {};

beforeAll(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  const publish = (name: string, version: string, manifest = {}, more = {}) => {
    built[name] = origin.publish({ name, version, manifest, ...more });
  };
  publish('leaf', '1.0.0');
  publish('@s/tree', '1.0.0', { dependencies: { leaf: '^1' } });
  const optionalDependencies = { 'native-glibc': '1.0.0', 'native-mac': '1.0.0' };
  publish('native', '1.0.0', { optionalDependencies });
  publish('native-glibc', '1.0.0', { os: ['linux'], libc: ['glibc'] });
  publish('native-mac', '1.0.0', { os: ['darwin'] });
  publish('weak', '1.0.0', {}, { promises: 'shasum' });
  bench = await npmWorkbench({ origins: [{ name: 'main', url: origin.url }] });
});

afterAll(async () => {
  await bench?.close();
  await server?.close();
});

const targets = ['linux/x64/glibc', 'darwin/arm64'];
const without =
  (...names: string[]) =>
  (items: ResolvedItem[]) =>
    items.filter(({ details }) => !names.includes(String(details.package)));

/** A project as npm writes it down, with the tarballs of a registry that is not here. */
const app = {
  'app/package.json': {
    ...{ name: 'app', version: '1.0.0', workspaces: ['packages/*'], scripts: { prepare: 'exit 1' } },
    ...{ dependencies: { '@s/tree': '^1', native: '^1' }, devDependencies: { weak: '^1' }, engines: { node: '>=99' } },
  },
  'app/packages/member/package.json': { name: 'member', version: '1.0.0', dependencies: { leaf: '^1' } },
};

async function lockOfApp(change: Record<string, object> = {}): Promise<void> {
  const entry = (name: string, more = {}) => [
    `node_modules/${name}`,
    {
      version: '1.0.0',
      resolved: `https://registry.example/${name}/-/${name.replace(/.*\//, '')}-1.0.0.tgz`,
      integrity: built[name]!.integrity,
      ...more,
    },
  ];
  const member = app['app/packages/member/package.json'];
  const packages = {
    '': app['app/package.json'],
    'node_modules/member': { resolved: 'packages/member', link: true },
    'packages/member': { version: member.version, dependencies: member.dependencies },
    ...Object.fromEntries([
      entry('@s/tree', { dependencies: { leaf: '^1' } }),
      entry('leaf'),
      entry('native', { optionalDependencies: { 'native-glibc': '1.0.0', 'native-mac': '1.0.0' } }),
      entry('native-glibc', { optional: true, os: ['linux'], libc: ['glibc'] }),
      entry('native-mac', { optional: true, os: ['darwin'] }),
      entry('weak', { dev: true }),
    ]),
    ...change,
  };
  await bench.write({
    ...app,
    'app/package-lock.json': { name: 'app', version: '1.0.0', lockfileVersion: 3, requires: true, packages },
  });
}

describe('a bundle of a lock of npm', { timeout: 120_000 }, () => {
  const item = { lockfile: 'app/package-lock.json', targets };

  test('is proven by npm itself for every target, workspaces included, whatever the machine of the proof is', async () => {
    await lockOfApp();
    bench.notes.length = 0;
    expect(await bench.prove(item)).toEqual([]);
    expect(bench.notes.at(-1)).toBe(
      'app/package-lock.json: 6 packages can be installed from the bundle alone, by npm too, for linux/x64/glibc, darwin/arm64',
    );
  });

  test('that lacks something names it for each target that needs it', async () => {
    await lockOfApp();
    expect(await bench.prove(item, { dig: without('leaf', 'native-mac') })).toEqual([
      { item: 'linux/x64/glibc', message: 'leaf 1.0.0: no tarball' },
      { item: 'darwin/arm64', message: 'leaf 1.0.0: no tarball' },
      // npm would install without it, and nothing would run
      { item: 'darwin/arm64', message: 'native-mac 1.0.0: no tarball' },
    ]);
  });

  test('is proven by those alone who do without what is optional or for development', async () => {
    await lockOfApp();
    expect(await bench.prove({ ...item, optional: false, dev: false }, { dig: without('native-mac', 'weak') })).toEqual(
      [],
    );
  });

  test('whose package.json asks for more is found out by npm', async () => {
    await lockOfApp();
    const project = app['app/package.json'];
    await bench.write({ 'app/package.json': { ...project, dependencies: { ...project.dependencies, further: '^2' } } });
    expect(await bench.prove(item)).toMatchObject([
      {
        item: 'linux/x64/glibc',
        message: expect.stringMatching(/npm ci of app\/package-lock.json says:[\s\S]*further/),
      },
      { item: 'darwin/arm64' },
    ]);
  });

  test('whose package.json is none is refused in words', async () => {
    await lockOfApp();
    await bench.write({ 'app/package.json': '{' });
    await expect(bench.prove(item)).rejects.toThrow('package.json beside app/package-lock.json: it is not JSON');
  });

  test('whose needed packages run on no target is no bundle for it', async () => {
    await lockOfApp({ 'node_modules/native-mac': { version: '1.0.0', os: ['darwin'] } });
    expect(await bench.prove(item)).toEqual([
      {
        item: 'linux/x64/glibc',
        message: 'native-mac 1.0.0: it is for os: darwin, and nothing says that it is optional',
      },
    ]);
  });

  test('is found out when its lock promises other bytes than the bundle has', async () => {
    await lockOfApp();
    // between the gathering and the proof of somebody else it comes to be another
    const tamper = () => lockOfApp({ 'node_modules/weak': { version: '1.0.0', integrity: built.leaf!.integrity } });
    expect(await bench.prove(item, { tamper, instead: item })).toMatchObject([
      { item: 'linux/x64/glibc', message: expect.stringContaining('weak 1.0.0: it is not the tarball that') },
      { item: 'darwin/arm64' },
    ]);
  });
});

describe('a bundle of names', { timeout: 120_000 }, () => {
  const item = { packages: ['@s/tree', 'native@^1'], targets };

  test('resolves again from the bundle alone, and installs', async () => {
    expect(await bench.prove(item)).toEqual([]);
    expect(bench.notes.at(-1)).toContain('manifest: 5 packages can be installed from the bundle alone, by npm too');
  });

  test('that lacks the build for one target is found out, though npm would not say so', async () => {
    expect(await bench.prove(item, { dig: without('native-glibc') })).toEqual([
      { item: 'linux/x64/glibc', message: 'native-glibc 1.0.0: no tarball' },
    ]);
  });

  test('for all machines has the builds for all, and is installed as it would be here', async () => {
    expect(await bench.prove({ packages: 'native', targets: 'all' })).toEqual([]);
    const dig = without('native-mac', 'native-glibc');
    expect(await bench.prove({ packages: 'native', targets: 'all' }, { dig })).toEqual([
      { item: 'all', message: 'native-glibc 1.0.0: no tarball' },
      { item: 'all', message: 'native-mac 1.0.0: no tarball' },
    ]);
  });

  test('that was resolved by somebody else has npm judge alone', async () => {
    expect(await bench.prove(item, { instead: { ...item, packages: ['@s/tree'] } })).toEqual([]);
    const missing = await bench.prove(item, { dig: without('leaf'), instead: { ...item, packages: ['@s/tree'] } });
    expect(missing).toMatchObject([{ item: 'npm install', message: expect.stringMatching(/leaf/) }]);
  });
});

describe('a bundle of a lock that npm does not read', () => {
  const item = { lockfile: 'app/pnpm-lock.yaml', targets };
  const lock = () => `
lockfileVersion: '9.0'
importers: { .: { dependencies: { native: { specifier: ^1, version: 1.0.0 } } } }
packages:
  native@1.0.0: { resolution: { integrity: ${built.native!.integrity} } }
  native-glibc@1.0.0: { resolution: { integrity: ${built['native-glibc']!.integrity} }, os: [linux], libc: [glibc] }
  native-mac@1.0.0: { resolution: { integrity: ${built['native-mac']!.integrity} }, os: [darwin] }
snapshots:
  native@1.0.0: { optionalDependencies: { native-glibc: 1.0.0, native-mac: 1.0.0 } }
  native-glibc@1.0.0: { optional: true }
  native-mac@1.0.0: { optional: true }
`;

  test('is proven version by version', async () => {
    await bench.write({ 'app/pnpm-lock.yaml': lock() });
    expect(await bench.prove(item)).toEqual([]);
    expect(bench.notes.at(-1)).toBe(
      'app/pnpm-lock.yaml: 3 packages are held as it promises them, for linux/x64/glibc, darwin/arm64',
    );
    expect(await bench.prove(item, { dig: without('native-mac') })).toEqual([
      { item: 'darwin/arm64', message: 'native-mac 1.0.0: no tarball' },
    ]);
  });

  test('of yarn 1, which fetches all of it everywhere, is proven with every platform', async () => {
    const entry = (name: string) =>
      `${name}@^1.0.0:\n  version "1.0.0"\n  resolved "https://registry.example/${name}/-/${name}-1.0.0.tgz"\n  integrity ${built[name]!.integrity}\n`;
    const text = ['native', 'native-glibc', 'native-mac'].map(entry).join('\n');
    const edges = '  optionalDependencies:\n    native-glibc "^1.0.0"\n    native-mac "^1.0.0"\n\n';
    await bench.write({
      'old/yarn.lock': `# yarn lockfile v1\n\n${text.replace('\n\n', `\n${edges}`)}`,
      'old/package.json': { dependencies: { native: '^1.0.0' } },
    });
    const old = { lockfile: 'old/yarn.lock', targets: ['darwin/arm64'] };
    expect(await bench.prove(old)).toEqual([]);
    expect(bench.notes.at(-1)).toContain('old/yarn.lock: 3 packages are held');
    expect(await bench.prove(old, { dig: without('native-glibc') })).toEqual([
      { item: 'darwin/arm64', message: 'native-glibc 1.0.0: no tarball' },
    ]);
  });
});
