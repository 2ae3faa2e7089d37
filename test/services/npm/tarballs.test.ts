import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Registry, startRegistry } from './registry.ts';

let server: OriginServer;
let origin: NpmOrigin;
let registry: Registry;

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  registry = await startRegistry({ config: { origins: [{ name: 'main', url: origin.url }] } });
});

afterEach(async () => {
  await registry.close();
  await server.close();
});

const PATH = '/@s/n/-/n-1.0.0.tgz';
const publish = (more: object = {}) =>
  origin.publish({ name: '@s/n', version: '1.0.0', files: { 'data.bin': randomBytes(200_000) }, ...more });

test.each([PATH, '/@s%2fn/-/n-1.0.0.tgz', '/%40s%2Fn/-/n-1.0.0.tgz', '/@s/n/-/@s/n-1.0.0.tgz'])(
  '%s is the tarball, cold and warm',
  async (path) => {
    const { bytes } = publish();
    for (const served of ['miss', 'hit', 'hit']) {
      const answer = await registry.get(path);
      expect([answer.status, answer.headers['x-larder-served']]).toEqual([200, served]);
      expect(answer.bytes.equals(bytes)).toBe(true);
      expect(answer.headers['cache-control']).toMatch(/immutable/);
      await registry.larder.settled();
    }
    expect(server.count(origin.tarballPath('@s/n', '1.0.0'))).toBe(1);
  },
);

test('has one validator while it arrives and when it is held, and answers by it', async () => {
  publish();
  const cold = await registry.get(PATH);
  await registry.larder.settled();
  const warm = await registry.get(PATH);
  expect(warm.headers.etag).toBe(cold.headers.etag);
  expect((await registry.get(PATH, { 'if-none-match': warm.headers.etag! })).status).toBe(304);
});

test('comes in parts, before and after it is kept in memory', async () => {
  const { bytes } = publish();
  for (let round = 0; round < 2; round += 1) {
    const part = await registry.get(PATH, { range: 'bytes=100-199' });
    expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 100-199/${bytes.length}`]);
    expect(part.bytes.equals(bytes.subarray(100, 200))).toBe(true);
    await registry.get(PATH);
    await registry.larder.settled();
  }
  expect((await registry.get(PATH, { range: `bytes=${bytes.length}-` })).status).toBe(416);
});

test('HEAD tells its length without fetching it', async () => {
  const { bytes } = publish();
  const head = await registry.get(PATH, {}, 'HEAD');
  expect([head.status, head.headers['content-length']]).toEqual([200, String(bytes.length)]);
  expect(server.count(origin.tarballPath('@s/n', '1.0.0'))).toBe(0);
});

test('ten clients of a cold one cost one download', async () => {
  const { bytes } = publish();
  const answers = await Promise.all(Array.from({ length: 10 }, () => registry.get(PATH)));
  expect(answers.every((answer) => answer.bytes.equals(bytes))).toBe(true);
  expect(server.count(origin.tarballPath('@s/n', '1.0.0'))).toBe(1);
});

test.each(['both', 'shasum'] as const)(
  'a corrupt one never looks complete, and is not kept (promised: %s)',
  async (promises) => {
    const { bytes } = publish({ promises });
    server.fail({ path: origin.tarballPath('@s/n', '1.0.0'), corrupt: true });
    const cut = await registry.get(PATH).catch(() => undefined);
    expect(cut?.bytes.length === bytes.length).toBe(false);
    await registry.larder.settled();
    expect((await registry.get(PATH)).bytes.equals(bytes)).toBe(true);
  },
);

test('one of which both hashes are told must have both', async () => {
  const { bytes } = publish({ dist: { shasum: '0'.repeat(40) } });
  const answer = await registry.get(PATH).catch(() => undefined);
  expect(answer?.bytes.length === bytes.length).toBe(false);
  await registry.larder.settled();
  expect(await registry.larder.context('npm').catalog.get('tarball/main/@s/n/1.0.0')).toBeUndefined();
});

test('one of which nothing is promised is taken as it comes', async () => {
  const { bytes } = publish({ promises: 'none' });
  expect((await registry.get(PATH)).bytes.equals(bytes)).toBe(true);
});

test('is asked for where the packument says, also at another host, and at no host that it does not name', async () => {
  const files = await startOriginServer();
  const { bytes } = publish({ tarball: `${files.url}/cdn/some-file` });
  files.set('/cdn/some-file', { body: bytes });
  expect((await registry.get(PATH)).bytes.equals(bytes)).toBe(true);
  const strict = await startRegistry({
    config: { origins: [{ name: 'main', url: origin.url, fileHosts: ['files.example'] }] },
  });
  const refused = await strict.get(PATH);
  expect(refused.status).toBe(502);
  expect(refused.json.error).toMatch(/not among the hosts/);
  await strict.close();
  await files.close();
});

test('a held one is given while the origin is dark, and when the origin has taken it away', async () => {
  const { bytes } = publish();
  await registry.get(PATH);
  await registry.larder.settled();
  origin.unpublish('@s/n', '1.0.0');
  expect((await registry.get(PATH)).bytes.equals(bytes)).toBe(true);
  await server.goDark();
  expect((await registry.get(PATH)).bytes.equals(bytes)).toBe(true);
});

test('a version that nobody has, and a package that nobody has, are told apart in words', async () => {
  publish();
  expect((await registry.get('/@s/n/-/n-9.9.9.tgz')).json.error).toMatch(/@s\/n@9\.9\.9 is not offered/);
  expect((await registry.get('/no/-/no-1.0.0.tgz')).json.error).toMatch(/no package "no"/);
  expect((await registry.get('/@s/n/-/other-1.0.0.tgz')).status).toBe(404);
});

test('a version that is younger than the packument here is found, and its origin is not asked for each that is made up', async () => {
  publish();
  await registry.get('/@s/n');
  registry.clock.now += 20_000;
  const { bytes } = origin.publish({ name: '@s/n', version: '1.1.0' });
  expect((await registry.get('/@s/n/-/n-1.1.0.tgz')).bytes.equals(bytes)).toBe(true);
  for (let made = 0; made < 5; made += 1) expect((await registry.get(`/@s/n/-/n-9.9.${made}.tgz`)).status).toBe(404);
  expect(server.count(origin.packumentPath('@s/n'))).toBe(2);
});

test('what is known of a version is kept with its tarball: a bundle needs no packument', async () => {
  publish({ manifest: { dependencies: { a: '1' } }, tags: ['latest', 'stable'] });
  await registry.get(PATH);
  await registry.larder.settled();
  const entry = await registry.larder.context('npm').catalog.get('tarball/main/@s/n/1.0.0');
  const record = JSON.parse(entry!.headers['x-larder-version']!);
  expect(record).toMatchObject({
    manifest: { name: '@s/n', version: '1.0.0', dependencies: { a: '1' } },
    time: '2026-01-01T00:00:00.000Z',
    tags: ['latest', 'stable'],
  });
});
