import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AirGap, makeAirGap } from '../support/air-gap.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { type ClientHome, homeOf } from '../support/npm-registry-site.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

/** Machines of a site: npm's words for them, and the native parts that they need of the two packages. */
const MACHINES = {
  'linux/x64/glibc': {
    args: ['--os=linux', '--cpu=x64', '--libc=glibc'],
    parts: ['@esbuild/linux-x64', '@img/sharp-libvips-linux-x64', '@img/sharp-linux-x64'],
  },
  'linux/arm64/musl': {
    args: ['--os=linux', '--cpu=arm64', '--libc=musl'],
    parts: ['@esbuild/linux-arm64', '@img/sharp-libvips-linuxmusl-arm64', '@img/sharp-linuxmusl-arm64'],
  },
  'win32/x64': {
    args: ['--os=win32', '--cpu=x64'],
    parts: ['@esbuild/win32-x64', '@img/sharp-win32-x64'],
  },
};
const TARGETS = Object.keys(MACHINES);

let folder: { path: string; remove(): Promise<void> };
let gap: AirGap;
let site: SpawnedLarder;
const at = (name: string) => join(folder.path, name);
const homes: ClientHome[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(at('app'));
  const connected = await spawnLarder({ store: at('connected') });
  const home = await homeOf('npm-11', { url: connected.urls.npm! });
  homes.push(home);
  const project = {
    name: 'app',
    version: '1.0.0',
    private: true,
    dependencies: { sharp: '^0.34.0', esbuild: '^0.25.0' },
  };
  await writeFile(join(home.path, 'project/package.json'), JSON.stringify(project));
  await home.ok(['install', '--package-lock-only']);
  await connected.stop();
  for (const name of ['package.json', 'package-lock.json'])
    await copyFile(join(home.path, 'project', name), at(`app/${name}`));
  await writeFile(
    at('bundle.yaml'),
    `format: larder-manifest/1\nname: natives\ndefaults: { platforms: { npm: [${TARGETS.join(', ')}] } }\nitems:\n  - npm: { lockfile: app/package-lock.json }\n`,
  );
  gap = await makeAirGap();
});
afterAll(async () => {
  for (const home of homes) await home.remove();
  await site?.stop();
  await gap?.close();
  await folder?.remove();
});

test('a bundle for three kinds of machine is made of a lock, verified and imported', async () => {
  const created = await larder(['bundle', 'create', at('bundle.yaml'), at('bundle'), '--store', at('connected')]);
  expect(created).toMatchObject({ code: 0 });
  expect(created.stderr).toMatch(new RegExp(`for ${TARGETS.join(', ')}; \\d+ that none of these can install`));
  expect(await larder(['bundle', 'verify', at('bundle')])).toMatchObject({ code: 0 });
  expect(await larder(['bundle', 'import', at('bundle'), '--store', at('site')])).toMatchObject({ code: 0 });
  site = await spawnLarder({ store: at('site'), env: { AIRGAPPED_MODE: 'true' }, wrap: gap.inside });
});

describe.each(['npm-10', 'npm-11'] as const)('%s', (client) => {
  test.each(Object.entries(MACHINES))('installs the lock behind the gap for %s', async (_, { args, parts }) => {
    const home = await homeOf(client, { url: site.urls.npm! }, gap);
    homes.push(home);
    const project = join(home.path, 'project');
    for (const name of ['package.json', 'package-lock.json']) await copyFile(at(`app/${name}`), join(project, name));
    // scripts of a package for another machine do not run on this one; the lock has the address of the connected side
    await home.ok(['ci', '--ignore-scripts', '--replace-registry-host=always', ...args]);
    expect(await nativeParts(project)).toEqual(parts);
    await rm(join(project, 'node_modules'), { recursive: true });
  });

  test('installs it for this machine, with the scripts of its packages, and they work', async () => {
    const home = await homeOf(client, { url: site.urls.npm! }, gap);
    homes.push(home);
    const project = join(home.path, 'project');
    for (const name of ['package.json', 'package-lock.json']) await copyFile(at(`app/${name}`), join(project, name));
    await home.ok(['ci', '--replace-registry-host=always']);
    const script = `
      const { data, info } = await require('sharp')({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
        .resize(4, 2).raw().toBuffer({ resolveWithObject: true });
      const { code } = await require('esbuild').transform('let answer: number = 6 * 7', { loader: 'ts', minify: true });
      console.log(info.width, info.height, data[0], code.trim());`;
    expect(await home.node(['-e', `(async () => {${script}})()`])).toBe('4 2 255 let answer=42;\n');
  });
});

test('what no machine of the site needs is not held', async () => {
  const home = await homeOf('npm-11', { url: site.urls.npm! }, gap);
  homes.push(home);
  const ran = await home.run(['view', '@img/sharp-darwin-arm64']);
  expect(`${ran.code} ${ran.stderr}`).toMatch(/^1[\s\S]*E404/);
});

test('nothing tried to leave the gap', async () => {
  expect(await gap.escaped()).toBe(0);
});

/** Packages that are for some machines, as they lie in a project. */
async function nativeParts(project: string): Promise<string[]> {
  const scopes = ['@esbuild', '@img'];
  const found = await Promise.all(
    scopes.map(async (scope) =>
      (await readdir(join(project, 'node_modules', scope))).map((name) => `${scope}/${name}`),
    ),
  );
  // @img has plain parts, too
  return found
    .flat()
    .filter((name) => !/\/colou?r$/.test(name))
    .sort();
}
