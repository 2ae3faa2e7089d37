import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Registry, startRegistry } from './registry.ts';

let servers: OriginServer[];
let first: NpmOrigin;
let second: NpmOrigin;
let acme: NpmOrigin;
let open: Registry[];

beforeEach(async () => {
  open = [];
  servers = await Promise.all([startOriginServer(), startOriginServer(), startOriginServer()]);
  [first, second, acme] = servers.map((server) => new NpmOrigin(server)) as [NpmOrigin, NpmOrigin, NpmOrigin];
  first.publish({ name: 'both', version: '1.0.0' });
  second.publish({ name: 'both', version: '2.0.0' });
  second.publish({ name: 'second', version: '1.0.0' });
  acme.publish({ name: '@acme/ui', version: '1.0.0' });
  first.publish({ name: '@acme/secret', version: '9.0.0' });
});

afterEach(async () => {
  for (const registry of open) await registry.close();
  for (const server of servers) await server.close();
});

const start = async (config: object = {}) => {
  const registry = await startRegistry({
    config: {
      origins: [
        { name: 'first', url: first.url },
        { name: 'second', url: second.url, username: 'mirror', password: 'p:ss' },
        { name: 'acme', url: acme.url, scopes: ['@acme'], token: 'secret-token' },
      ],
      ...config,
    },
  });
  open.push(registry);
  return registry;
};

test('the first that knows a package has it, with all of its versions', async () => {
  const registry = await start();
  expect(Object.keys((await registry.get('/both')).json.versions)).toEqual(['1.0.0']);
  expect((await registry.get('/second')).status).toBe(200);
  expect((await registry.get('/both/-/both-2.0.0.tgz')).status).toBe(404);
});

test('an origin that cannot be asked is not passed over', async () => {
  const registry = await start();
  await servers[0]!.goDark();
  expect((await registry.get('/second')).status).toBe(502);
});

test('a scope that has a registry is asked for there, and nowhere else', async () => {
  const registry = await start();
  expect((await registry.get('/@acme%2fui')).status).toBe(200);
  expect((await registry.get('/@acme%2fsecret')).status).toBe(404);
  expect(servers[0]!.count(first.packumentPath('@acme/secret'))).toBe(0);
  expect((await registry.get('/both')).status).toBe(200);
  expect(servers[2]!.count(acme.packumentPath('both'))).toBe(0);
});

test('each is told its own credentials, and a client’s own are told to none', async () => {
  const registry = await start();
  await registry.get('/@acme%2fui/-/ui-1.0.0.tgz');
  await registry.get('/second');
  expect(servers[2]!.calls().map(({ headers }) => headers.authorization)).toEqual([
    'Bearer secret-token',
    'Bearer secret-token',
  ]);
  expect(servers[1]!.calls()[0]!.headers.authorization).toBe(`Basic ${Buffer.from('mirror:p:ss').toString('base64')}`);
  expect(servers[0]!.calls().every(({ headers }) => headers.authorization === undefined)).toBe(true);
  expect(JSON.stringify(registry.larder.log())).not.toMatch(/secret-token|p:ss/);
});

test('credentials are not told to the host of a tarball', async () => {
  const files = await startOriginServer();
  const built = acme.publish({ name: '@acme/ui', version: '2.0.0', tarball: `${files.url}/x` });
  files.set('/x', { body: built.bytes });
  const registry = await start();
  expect((await registry.get('/@acme/ui/-/ui-2.0.0.tgz')).status).toBe(200);
  expect(files.calls()[0]!.headers.authorization).toBeUndefined();
  await files.close();
});

test('an origin that refuses the mirror is passed on as it is', async () => {
  servers[2]!.set(acme.packumentPath('@acme/paid'), { body: 'no', status: 401 });
  const registry = await start();
  const { status, json } = await registry.get('/@acme/paid');
  expect(status).toBe(403);
  expect(json.error).toMatch(/refused it to the mirror \(401\)/);
});

describe('what a site wants', () => {
  test('a private name is never asked for upstream, whatever the address', async () => {
    const registry = await start({ private: ['@acme/*', 'both'] });
    for (const path of ['/both', '/@acme%2fui', '/both/-/both-1.0.0.tgz', '/both/1.0.0', '/-/package/both/dist-tags'])
      expect([path, (await registry.get(path)).status]).toEqual([path, 404]);
    expect(servers.flatMap((server) => server.calls())).toEqual([]);
  });

  test('a denied package is refused in words, and is not asked for', async () => {
    const registry = await start({ deny: ['both'] });
    const { status, json } = await registry.get('/both');
    expect([status, json.error]).toEqual([403, expect.stringMatching(/npm\.allow, npm\.deny and npm\.block/)]);
    expect((await registry.get('/both/-/both-1.0.0.tgz')).status).toBe(403);
    expect(servers[0]!.calls()).toEqual([]);
  });

  test('a blocked version is on no list, is given to nobody, and no tag points at it', async () => {
    for (const version of ['1.1.0', '1.2.0', '2.0.0']) first.publish({ name: 'both', version });
    const registry = await start();
    await registry.get('/both/-/both-2.0.0.tgz');
    await registry.larder.settled();
    const strict = await start({ block: ['both@>=1.2.0'] });
    const { json } = await strict.get('/both');
    expect(Object.keys(json.versions)).toEqual(['1.0.0', '1.1.0']);
    expect(Object.keys(json.time)).not.toContain('2.0.0');
    expect(json['dist-tags']).toEqual({ latest: '1.1.0' });
    expect((await strict.get('/both/-/both-2.0.0.tgz')).status).toBe(403);
    expect((await strict.get('/both/2.0.0')).status).toBe(403);
  });

  test('a cooldown leaves out what is young or of unknown age, and moves on with the time', async () => {
    first.publish({ name: 'new', version: '1.0.0', time: '2026-10-01T00:00:00Z' });
    first.publish({ name: 'new', version: '1.1.0', time: null });
    first.publish({ name: 'new', version: '2.0.0', time: '2026-11-20T00:00:00Z' });
    const registry = await start({ excludeNewer: '7d', excludeNewerExempt: ['exempt'] });
    const old = await registry.get('/new');
    expect(Object.keys(old.json.versions)).toEqual(['1.0.0']);
    expect(old.json['dist-tags']).toEqual({ latest: '1.0.0' });
    expect((await registry.get('/new/-/new-2.0.0.tgz')).json.error).toMatch(/too young \(npm\.excludeNewer\)/);
    registry.clock.now += 5 * 86_400_000;
    expect(Object.keys((await registry.get('/new')).json.versions)).toEqual(['1.0.0', '2.0.0']);
    expect((await registry.get('/new/-/new-2.0.0.tgz')).status).toBe(200);
  });

  test('a package of which all is held back is none, and the answer says why', async () => {
    first.publish({ name: 'young', version: '1.0.0', time: '2026-11-22T00:00:00Z' });
    const registry = await start({ excludeNewer: '7d' });
    expect((await registry.get('/young')).json.error).toMatch(/all of its 1 versions are held back/);
  });
});

test('reads may need a token, and who has none is told how to send one', async () => {
  const registry = await startRegistry({
    access: { anonymousRead: false },
    config: { origins: [{ name: 'first', url: first.url }] },
  });
  open.push(registry);
  for (const path of ['/both', '/both/-/both-1.0.0.tgz', '/both/latest', '/-/package/both/dist-tags']) {
    const { status, headers, json } = await registry.get(path);
    expect([path, status]).toEqual([path, 401]);
    expect(headers['www-authenticate']).toMatch(/^Bearer realm="larder", Basic/);
    expect(json.error).toMatch(/needs a token/);
  }
  expect(servers[0]!.calls()).toEqual([]);
});
