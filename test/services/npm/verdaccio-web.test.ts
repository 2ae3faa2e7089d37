import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PRIVATE, tarballKey } from '../../../services/npm/refs.ts';
import { service } from '../../../services/npm/service.ts';
import type { Service } from '../../../shared/service/service.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { Publisher } from '../../support/npm-publishing.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let server: OriginServer;
let origin: NpmOrigin;
let larder: TestLarder;
let ci: Publisher;

async function startOver(config: Record<string, unknown> = {}): Promise<[TestLarder, Publisher]> {
  const origins = [{ name: 'public', url: origin.url }];
  const started = await startLarder({
    services: [service as Service<unknown>],
    ...config,
    config: { npm: { origins, ...(config.npm as object) } },
  });
  const { tokens } = started.context('npm').access;
  const { secret } = await tokens.create({ name: 'ci', actions: ['read', 'write'], services: ['npm'] });
  return [started, new Publisher(started.url('npm'), secret)];
}

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  [larder, ci] = await startOver();
});
afterEach(async () => {
  await larder.close();
  await server.close();
});

const nobody = () => new Publisher(larder.url('npm'));
const packages = async () => (await nobody().get('/-/verdaccio/data/packages')).json as { name: string }[];

describe('the pages of Verdaccio', () => {
  test('are at the root, and everything they need is here', async () => {
    for (const path of ['/', '/-/web/detail/@acme/one', '/-/web/detail/left-pad/v/1.0.0']) {
      const { status, bytes } = await nobody().bytes(path);
      expect(status).toBe(200);
      const links = [...bytes.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
      expect(links.length).toBeGreaterThan(2);
      for (const link of links) {
        expect(link.startsWith(larder.url('npm'))).toBe(true);
        expect((await fetch(link)).status, link).toBe(200);
      }
    }
  });

  test('show what was published here, and what is mirrored once a tarball of it is held', async () => {
    origin.publish({ name: 'mirrored', version: '2.0.0', manifest: { description: 'from afar' } });
    origin.publish({ name: '@up/seen', version: '1.0.0' });
    expect((await ci.publish({ name: '@acme/one', version: '1.0.0' })).status).toBe(201);
    await ci.bytes('/mirrored/-/mirrored-2.0.0.tgz');
    await ci.get('/@up%2fseen');
    await larder.settled();
    expect((await packages()).map(({ name }) => name)).toEqual(['@acme/one', 'mirrored']);
    const { json } = await nobody().get('/-/verdaccio/data/sidebar/mirrored');
    expect(json.latest).toMatchObject({ version: '2.0.0', description: 'from afar' });
    expect(json.latest.dist.tarball).toBe(`${larder.url('npm')}/mirrored/-/mirrored-2.0.0.tgz`);
    const own = (await nobody().get('/-/verdaccio/data/sidebar/@acme/one')).json.latest;
    expect(own.dist.tarball).toBe(`${larder.url('npm')}/@acme/one/-/one-1.0.0.tgz`);
    expect((await nobody().get('/-/verdaccio/data/sidebar/nowhere')).status).toBe(404);
  });

  test('show the README that was published, or the one in the tarball', async () => {
    const files = { 'README.md': '# Out of the tarball\n' };
    origin.publish({ name: 'mirrored', version: '1.0.0', files });
    await ci.bytes('/mirrored/-/mirrored-1.0.0.tgz');
    await larder.settled();
    const readme = async (name: string) =>
      (await nobody().bytes(`/-/verdaccio/data/package/readme/${name}`)).bytes.toString();
    expect(await readme('mirrored')).toBe('# Out of the tarball\n');
    const built = await ci.publish({ name: '@acme/one', version: '1.0.0' });
    expect(built.status).toBe(201);
    expect(await readme('@acme/one')).toContain('No README');
  });

  test('search the names that are here, the best first', async () => {
    for (const name of ['@acme/tool', 'tool', 'tool-box', 'toolless']) await ci.publish({ name, version: '1.0.0' });
    origin.publish({ name: 'tool-afar', version: '1.0.0' });
    await ci.bytes('/tool-afar/-/tool-afar-1.0.0.tgz');
    await larder.settled();
    const found = (await nobody().get('/-/verdaccio/data/search/tool')).json as { name: string }[];
    expect(found[0]).toMatchObject({ name: 'tool', version: '1.0.0' });
    expect(found.map(({ name }) => name).sort()).toEqual(['@acme/tool', 'tool', 'tool-afar', 'tool-box', 'toolless']);
    expect((await nobody().get('/-/verdaccio/data/search/nothing')).json).toEqual([]);
  });

  test('have no pictures from elsewhere', async () => {
    await ci.publish({ name: 'drawn', version: '1.0.0', manifest: { author: 'A <a@example.com>' } });
    const { bytes } = await nobody().bytes('/-/verdaccio/data/sidebar/drawn');
    expect(bytes.toString()).not.toMatch(/https?:\/\/(?!127\.0\.0\.1)/);
  });

  test('are not there when the settings say so; the registry is', async () => {
    const [plain, publisher] = await startOver({ npm: { web: false } });
    try {
      expect((await publisher.get('/')).status).toBe(404);
      expect((await publisher.get('/-/verdaccio/data/packages')).status).toBe(404);
      expect((await publisher.publish({ name: 'one', version: '1.0.0' })).status).toBe(201);
    } finally {
      await plain.close();
    }
  });

  test('are where the settings say that clients come to', async () => {
    const publicUrl = 'https://packages.site.example/npm';
    const [fronted, publisher] = await startOver({ npm: { publicUrl } });
    try {
      await publisher.publish({ name: '@acme/one', version: '1.0.0' });
      const page = (await publisher.bytes('/')).bytes.toString();
      expect(page).toContain(`<base href="${publicUrl}/">`);
      expect((await publisher.get('/@acme%2fone?write=true')).json.versions['1.0.0'].dist.tarball).toBe(
        `${publicUrl}/@acme/one/-/one-1.0.0.tgz`,
      );
      const { json } = await publisher.get('/-/verdaccio/data/sidebar/@acme/one');
      expect(json.latest.dist.tarball).toBe(`${publicUrl}/@acme/one/-/one-1.0.0.tgz`);
    } finally {
      await fronted.close();
    }
  });
});

describe('Verdaccio itself', () => {
  test('asks nobody, whatever a package says of where its tarball is', async () => {
    const spy = vi.spyOn(await import('node:net').then(({ Socket }) => Socket.prototype), 'connect');
    try {
      const built = await ci.publish({ name: 'lure', version: '1.0.0' });
      expect(built.status).toBe(201);
      await larder.context('npm').catalog.delete(tarballKey(PRIVATE, 'lure', '1.0.0'));
      const { json: seen } = await ci.get('/lure?write=true');
      const lure = `${server.url}/lure/-/lure-1.0.0.tgz`;
      seen.versions['1.0.0'].dist.tarball = lure;
      seen.versions['1.0.0'].deprecated = 'old';
      seen._distfiles = { 'lure-1.0.0.tgz': { url: lure, sha: built.built.shasum } };
      seen._uplinks = { public: { etag: 'x', fetched: 0 } };
      await ci.put(seen);
      for (const path of ['/lure/-/lure-1.0.0.tgz', '/lure/-/lure-9.0.0.tgz', '/-/verdaccio/data/sidebar/lure'])
        await ci.bytes(path);
      expect(server.calls()).toEqual([]);
      const port = Number(new URL(larder.url('npm')).port);
      const elsewhere = spy.mock.calls
        .flat(2)
        .filter((to) => Number((to as { port?: unknown } | null)?.port ?? port) !== port);
      expect(elsewhere).toEqual([]);
    } finally {
      spy.mockRestore();
    }
  });

  test('writes nothing to standard output, and no lines of its own for requests', async () => {
    const written = vi.spyOn(process.stdout, 'write');
    try {
      await ci.publish({ name: 'quiet', version: '1.0.0' });
      await ci.publish({ name: 'quiet', version: '1.0.0' });
      await nobody().get('/-/verdaccio/data/sidebar/nowhere');
      expect(written.mock.calls.filter(([text]) => String(text).includes('"level"'))).toEqual([]);
      const lines = larder.log().filter(({ service: of, msg }) => of === 'npm' && msg !== 'request');
      expect(lines).toMatchObject([{ event: 'npm publish', package: 'quiet', version: '1.0.0', by: 'ci' }]);
    } finally {
      written.mockRestore();
    }
  });

  test('of two registries in one process each has its own packages, users and searches', async () => {
    const [second, other] = await startOver();
    try {
      expect((await ci.publish({ name: 'first-one', version: '1.0.0' })).status).toBe(201);
      expect((await other.publish({ name: 'second-one', version: '1.0.0' })).status).toBe(201);
      const search = async (of: Publisher) =>
        ((await of.get('/-/verdaccio/data/search/one')).json as { name: string }[]).map(({ name }) => name);
      expect(await search(ci)).toEqual(['first-one']);
      expect(await search(other)).toEqual(['second-one']);
      const refused = await other.send('PUT', '/first-one', '{}');
      expect(refused.status).toBe(400);
      const stranger = new Publisher(larder.url('npm'), 'lrd_00000000_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
      expect((await stranger.publish({ name: 'second-one', version: '1.0.0' })).status).toBe(401);
    } finally {
      await second.close();
    }
  });

  test('is given no address but those it is for', async () => {
    for (const [method, path] of [
      ['GET', '/-/all'],
      ['GET', '/-/_debug'],
      ['POST', '/-/verdaccio/sec/signup'],
      ['PUT', '/-/verdaccio/sec/reset_password'],
      ['PUT', '/-/npm/v1/user'],
      ['PUT', '/one/1.0.0/-tag/latest'],
      ['PUT', '/one/-/one-1.0.0.tgz/-rev/1'],
      ['GET', '/-/static/..%2f..%2fpackage.json'],
    ]) {
      const { status } = await ci.send(method!, path!, method === 'GET' ? undefined : {});
      expect([400, 404], `${method} ${path}`).toContain(status);
    }
  });

  test('gets through what is no HTTP body, and whoever leaves in the middle of one', async () => {
    const { port } = new URL(larder.url('npm'));
    for (let round = 0; round < 5; round += 1) {
      const socket = connect(Number(port), '127.0.0.1');
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(
        'PUT /one HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"a":',
      );
      await new Promise((done) => setTimeout(done, 20));
      socket.destroy();
    }
    for (const body of ['null', '[]', '"x"', '{"versions":[]}', '{"name":"one","versions":{"__proto__":{}}}'])
      expect((await ci.send('PUT', '/one', body)).status, body).toBe(400);
    expect((await ci.publish({ name: 'one', version: '1.0.0' })).status).toBe(201);
    for (const body of ['null', '{}', '[]', '7'])
      expect((await ci.send('PUT', '/-/package/one/dist-tags/x', body)).status, body).toBeGreaterThanOrEqual(400);
    for (const tags of ['null', '[]', '{"latest":"9.9.9"}', '{"x":7}', '{"x":{}}'])
      expect((await ci.send('POST', '/-/package/one/dist-tags', tags)).status, tags).toBeGreaterThanOrEqual(400);
    expect((await ci.get('/-/package/one/dist-tags')).json).toEqual({ latest: '1.0.0' });
  });
});
