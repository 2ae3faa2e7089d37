import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Registry, startRegistry } from './registry.ts';

let server: OriginServer;
let origin: NpmOrigin;
let folder: { path: string; remove(): Promise<void> };
let open: Registry[];

const start = async (options: { mode?: 'airgapped'; config?: object } = {}) => {
  const registry = await startRegistry({
    store: join(folder.path, 'store'),
    ...options,
    config: { origins: [{ name: 'main', url: origin.url }], ...options.config },
  });
  open.push(registry);
  return registry;
};

beforeEach(async () => {
  open = [];
  folder = await temporaryFolder();
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  for (const version of ['1.0.0', '1.1.0', '2.0.0', '3.0.0-rc.1'])
    origin.publish({
      name: 'a',
      version,
      tags: version.includes('-') ? ['next'] : ['latest'],
      time: `2026-0${version[0]}-01T00:00:00Z`,
    });
});

afterEach(async () => {
  for (const registry of open) await registry.close();
  await server.close();
  await folder.remove();
});

/** Fetches some versions, and cuts the line. */
async function holding(versions: readonly string[], options: { config?: object; withoutPackument?: boolean } = {}) {
  const connected = await start({ config: options.config });
  for (const version of versions) expect((await connected.get(`/a/-/a-${version}.tgz`)).status).toBe(200);
  await connected.larder.settled();
  // as a bundle brings it: tarballs, and no packument
  if (options.withoutPackument) await connected.larder.context('npm').catalog.delete('packument/main/a');
  await connected.close();
  open.pop();
  const before = server.calls().length;
  const site = await start({ mode: 'airgapped', config: options.config });
  return { site, calls: () => server.calls().length - before };
}

describe.each([
  ['with the packument', false],
  ['from tarballs alone', true],
])('behind the gap, %s', (_how, withoutPackument) => {
  test('a packument lists what is held and nothing else, and its tags point at that', async () => {
    const { site, calls } = await holding(['1.0.0', '1.1.0'], { withoutPackument });
    const { status, json } = await site.get('/a');
    expect(status).toBe(200);
    expect(Object.keys(json.versions)).toEqual(['1.0.0', '1.1.0']);
    expect(json['dist-tags']).toEqual({ latest: '1.1.0' });
    expect(Object.keys(json.time).filter((key) => /^\d/.test(key))).toEqual(['1.0.0', '1.1.0']);
    expect(json.versions['1.0.0'].dist.tarball).toBe(`${site.url}/a/-/a-1.0.0.tgz`);
    expect((await site.get('/a/-/a-1.1.0.tgz')).status).toBe(200);
    expect((await site.get('/a/latest')).json.version).toBe('1.1.0');
    expect((await site.get('/-/package/a/dist-tags')).json).toEqual({ latest: '1.1.0' });
    expect(calls()).toBe(0);
  });

  test('a tag whose version is held is kept', async () => {
    const { site } = await holding(['3.0.0-rc.1', '2.0.0'], { withoutPackument });
    expect((await site.get('/a')).json['dist-tags']).toEqual({ latest: '2.0.0', next: '3.0.0-rc.1' });
  });

  test('what is not held is wanted, and nobody is asked for it', async () => {
    const { site, calls } = await holding(['1.0.0'], { withoutPackument });
    for (const path of ['/a/-/a-2.0.0.tgz', '/b', '/a/2.0.0', '/b/-/b-1.0.0.tgz']) {
      const { status, json } = await site.get(path);
      expect([path, status]).toEqual([path, 404]);
      expect(json.error).toMatch(/not held here\. It was put on the list of wants/);
    }
    const wants = [];
    for await (const want of site.larder.context('npm').wants.list()) wants.push(want.item);
    expect(wants).toEqual(expect.arrayContaining([{ npm: 'a@2.0.0' }, { npm: 'b' }, { npm: 'b@1.0.0' }]));
    expect(wants).toHaveLength(3);
    expect(calls()).toBe(0);
  });

  test('blocks and cooldowns hold there, too', async () => {
    const config = { block: ['a@2.0.0'], excludeNewer: '2026-01-15' };
    const { site } = await holding(['1.0.0'], { withoutPackument, config });
    expect(Object.keys((await site.get('/a')).json.versions)).toEqual(['1.0.0']);
    expect((await site.get('/a/-/a-2.0.0.tgz')).status).toBe(403);
  });
});

test('what the origin took away since is listed there as long as it is held', async () => {
  const connected = await start();
  await connected.get('/a/-/a-1.0.0.tgz');
  await connected.get('/a/-/a-1.1.0.tgz');
  await connected.larder.settled();
  origin.unpublish('a', '1.0.0');
  connected.clock.now += 400_000;
  await connected.get('/a');
  await connected.larder.settled();
  expect(Object.keys((await connected.get('/a')).json.versions)).not.toContain('1.0.0');
  await connected.close();
  open.pop();
  const site = await start({ mode: 'airgapped' });
  expect(Object.keys((await site.get('/a')).json.versions)).toEqual(['1.1.0', '1.0.0'].sort());
});

test('without any settings the names of origins are those under which something is held', async () => {
  const connected = await start({ config: { origins: [{ name: 'scope-x', url: origin.url }] } });
  await connected.get('/a/-/a-1.0.0.tgz');
  await connected.larder.settled();
  await connected.close();
  open.pop();
  const site = await start({ mode: 'airgapped', config: { origins: [] } });
  expect(Object.keys((await site.get('/a')).json.versions)).toEqual(['1.0.0']);
  expect((await site.get('/a/-/a-1.0.0.tgz')).status).toBe(200);
});

test('a tag that two tarballs claim belongs to the one that came last', async () => {
  const connected = await start();
  await connected.get('/a/-/a-2.0.0.tgz');
  origin.tag('a', 'latest', '1.1.0');
  connected.clock.now += 86_400_000 * 3;
  await connected.get('/a/-/a-1.1.0.tgz');
  await connected.larder.settled();
  await connected.larder.context('npm').catalog.delete('packument/main/a');
  await connected.close();
  open.pop();
  const site = await start({ mode: 'airgapped' });
  expect((await site.get('/a')).json['dist-tags']).toEqual({ latest: '1.1.0' });
});
