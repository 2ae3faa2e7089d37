import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AirGap, makeAirGap } from '../support/air-gap.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { freePort } from '../support/free-port.ts';
import { clientVersion, REGISTRY_CLIENTS, type RegistryClient } from '../support/npm-registry-clients.ts';
import { buildPage, layPage, WAYS } from '../support/npm-registry-project.ts';
import { type ClientHome, homeOf } from '../support/npm-registry-site.ts';
import { runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

let folder: { path: string; remove(): Promise<void> };
let connected: SpawnedLarder;
let gap: AirGap;
let url: string;
const homes = new Map<RegistryClient, ClientHome>();
const lockOf = (client: RegistryClient) => join(folder.path, 'locks', client, WAYS[client].lock);

beforeAll(async () => {
  folder = await temporaryFolder();
  // one port on both sides: yarn and bun write the registry's address into their locks
  const port = String(await freePort());
  url = `http://127.0.0.1:${port}`;
  connected = await spawnLarder({ store: join(folder.path, 'connected'), env: { LARDER_NPM_PORT: port } });
  gap = await makeAirGap();
});

afterAll(async () => {
  for (const home of homes.values()) await home.remove();
  await connected?.stop();
  await gap?.close();
  await folder?.remove();
});

test('every client that must be there is', async () => {
  const file = join(import.meta.dirname, 'npm-required.json');
  const required = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>;
  expect(Object.keys(required).sort()).toEqual([...REGISTRY_CLIENTS].sort());
  for (const name of REGISTRY_CLIENTS) expect(await clientVersion(name)).toMatch(new RegExp(`^${required[name]}`));
});

/** Installs the page's packages with nothing left of an earlier download. */
async function install(home: ClientHome, args: readonly string[], lock?: string): Promise<void> {
  await home.forget();
  await layPage(home, lock);
  await home.ok(args);
  expect(await home.node(['node_modules/vite/bin/vite.js', '--version'])).toContain('vite/7.');
}

// side by side: six clients on a mirror that holds nothing are what a site is on its first morning
describe('through a mirror that holds nothing yet', () => {
  test.concurrent.each(REGISTRY_CLIENTS)('%s resolves, locks and installs a page of Vite and React', async (client) => {
    const home = await homeOf(client, { url });
    homes.set(client, home);
    await install(home, WAYS[client].install);
    await mkdir(join(lockOf(client), '..'), { recursive: true });
    await copyFile(join(home.path, 'project', WAYS[client].lock), lockOf(client));
    await copyFile(join(home.path, 'project/package.json'), join(lockOf(client), '../package.json'));
  });
});

describe('through the same mirror, warm', () => {
  test.concurrent.each(REGISTRY_CLIENTS)('%s installs what its lock says', async (client) => {
    await install(homes.get(client)!, WAYS[client].ci, lockOf(client));
  });
});

describe('behind the gap, with a bundle made of the locks', () => {
  let site: SpawnedLarder;
  const inside = new Map<RegistryClient, ClientHome>();

  beforeAll(async () => {
    const [manifest, bundle] = [join(folder.path, 'bundle.yaml'), join(folder.path, 'bundle')];
    const cpu = process.arch === 'arm64' ? 'arm64' : 'x64';
    const head = `format: larder-manifest/1\nname: page\ndefaults: { platforms: { npm: [linux/${cpu}/glibc] } }\nitems:\n`;
    const items = REGISTRY_CLIENTS.map((client) => `  - npm: { lockfile: locks/${client}/${WAYS[client].lock} }\n`);
    await writeFile(manifest, head + items.join(''));
    const store = join(folder.path, 'site');
    await mustRun(['bundle', 'create', manifest, bundle, '--store', join(folder.path, 'connected')]);
    await mustRun(['bundle', 'verify', bundle]);
    await mustRun(['bundle', 'import', bundle, '--store', store]);
    site = await spawnLarder({
      store,
      env: { AIRGAPPED_MODE: 'true', LARDER_NPM_PORT: new URL(url).port },
      wrap: gap.inside,
    });
    for (const client of REGISTRY_CLIENTS) inside.set(client, await homeOf(client, { url }, gap));
  });
  afterAll(async () => {
    for (const home of inside.values()) await home.remove();
    await site?.stop();
  });

  describe('with a lock', () => {
    test.concurrent.each(REGISTRY_CLIENTS)('%s installs what it says', async (client) => {
      const home = inside.get(client)!;
      await install(home, WAYS[client].ci, lockOf(client));
      expect(await buildPage(home)).toContain('Larder feeds this site');
    });
  });

  describe('without a lock', () => {
    test.concurrent.each(REGISTRY_CLIENTS)('%s resolves ranges to what is held', async (client) => {
      await install(inside.get(client)!, WAYS[client].install);
    });
  });

  test('a version that is not held is refused in words, and wanted', async () => {
    const [command, args] = gap.inside('curl', ['-s', `${url}/react/-/react-18.2.0.tgz`]);
    expect((await runCommand(command, args)).stdout).toMatch(/not held here.*list of wants/);
    const ran = await inside.get('npm-11')!.run(['install', 'left-pad']);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/left-pad.*not held here/);
    const wants = await larder(['wants', 'export', '--store', join(folder.path, 'site')]);
    expect(wants.stdout).toContain('{"npm":"left-pad"}');
    expect(wants.stdout).toContain('{"npm":"react@18.2.0"}');
  });

  test('nothing tried to leave the gap', async () => {
    expect(await gap.escaped()).toBe(0);
  });
});

async function mustRun(args: readonly string[]): Promise<void> {
  const ran = await larder(args);
  if (ran.code !== 0) throw new Error(`larder ${args.join(' ')} ended with ${ran.code}:\n${ran.stdout}\n${ran.stderr}`);
}
