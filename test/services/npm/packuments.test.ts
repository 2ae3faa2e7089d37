import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { ABBREVIATED, NPM_ACCEPT, type Registry, startRegistry } from './registry.ts';

let server: OriginServer;
let origin: NpmOrigin;
let registry: Registry;

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server, '/npm/group');
  registry = await startRegistry({ config: { origins: [{ name: 'main', url: origin.url }] } });
  origin.publish({
    name: '@s/n',
    version: '1.0.0',
    manifest: { dependencies: { a: '^1' }, scripts: { postinstall: 'node x' }, description: 'né' },
    tags: ['latest', 'old'],
  });
  origin.publish({
    name: '@s/n',
    version: '1.1.0',
    manifest: { scripts: { test: 'install' }, engines: { node: '>=18' }, os: ['linux'], hasInstallScript: false },
    dist: {
      attestations: { url: 'http://elsewhere/x', provenance: { predicateType: 'p' } },
      signatures: [{ sig: 's' }],
    },
    listed: { deprecated: 'use 1.0.0' },
    tags: ['next'],
  });
  origin.describe('@s/n', { readme: 'Read me', maintainers: [{ name: 'who' }] });
});

afterEach(async () => {
  await registry.close();
  await server.close();
});

describe('a packument', () => {
  test('in full has all that the origin says, with our addresses', async () => {
    const { status, headers, json } = await registry.get('/@s%2fn');
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/json', vary: 'Accept, Accept-Encoding' });
    const theirs = origin.packument('@s/n') as typeof json;
    theirs.versions['1.0.0'].dist.tarball = `${registry.url}/@s/n/-/n-1.0.0.tgz`;
    theirs.versions['1.1.0'].dist.tarball = `${registry.url}/@s/n/-/n-1.1.0.tgz`;
    theirs.versions['1.1.0'].dist.attestations.url = `${registry.url}/-/npm/v1/attestations/@s%2fn@1.1.0`;
    expect(json).toEqual(theirs);
  });

  test('abbreviated has what installers read, and says which versions have scripts to run', async () => {
    const { headers, json } = await registry.get('/@s%2fn', { accept: NPM_ACCEPT });
    expect(headers['content-type']).toBe(ABBREVIATED);
    expect(json).toMatchObject({
      name: '@s/n',
      modified: expect.any(String),
      'dist-tags': { latest: '1.0.0', next: '1.1.0' },
    });
    expect(Object.keys(json).sort()).toEqual(['dist-tags', 'modified', 'name', 'versions']);
    expect(json.versions['1.0.0']).toEqual({
      name: '@s/n',
      version: '1.0.0',
      dependencies: { a: '^1' },
      hasInstallScript: true,
      dist: expect.objectContaining({ tarball: `${registry.url}/@s/n/-/n-1.0.0.tgz`, integrity: expect.any(String) }),
    });
    expect(json.versions['1.1.0']).toMatchObject({ engines: { node: '>=18' }, os: ['linux'], deprecated: 'use 1.0.0' });
    expect(json.versions['1.1.0'].hasInstallScript).toBe(false);
    expect(json.versions['1.1.0'].dist.attestations.url).toMatch(/\/-\/npm\/v1\/attestations\/@s%2fn@1\.1\.0$/);
  });

  test.each([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    [ABBREVIATED, ABBREVIATED],
    [`application/json;q=0.9, ${ABBREVIATED};q=0.1`, 'application/json'],
    [`${ABBREVIATED};q=0, */*`, 'application/json'],
    ['text/html', 'application/json'],
  ])('for Accept %s is %s', async (accept, type) => {
    const { status, headers } = await registry.get('/@s/n', accept === undefined ? {} : { accept });
    expect([status, headers['content-type']]).toEqual([200, type]);
  });

  test.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
  ])('comes in %s for who likes it, under a validator of its own', async (coding, decode) => {
    const plain = await registry.get('/@s/n');
    const coded = await registry.get('/@s/n', { 'accept-encoding': coding });
    expect(coded.headers['content-encoding']).toBe(coding);
    expect(decode(coded.bytes).equals(plain.bytes)).toBe(true);
    expect(coded.headers.etag).not.toBe(plain.headers.etag);
  });

  test('is not sent again to who has it, in either form', async () => {
    for (const accept of ['*/*', ABBREVIATED]) {
      const { headers } = await registry.get('/@s/n', { accept });
      expect(headers.etag).toMatch(/^"[^"]+"$/);
      expect(headers['cache-control']).toBe('public, max-age=30');
      const again = await registry.get('/@s/n', { accept, 'if-none-match': headers.etag! });
      expect([again.status, again.bytes.length]).toEqual([304, 0]);
    }
    const full = await registry.get('/@s/n');
    expect((await registry.get('/@s/n', { accept: ABBREVIATED, 'if-none-match': full.headers.etag! })).status).toBe(
      200,
    );
  });

  test('is asked for once, compressed, and rendered anew when it changed', async () => {
    await Promise.all(Array.from({ length: 10 }, () => registry.get('/@s/n')));
    expect(server.count(origin.packumentPath('@s/n'))).toBe(1);
    expect(server.calls()[0]!.headers['accept-encoding']).toMatch(/gzip/);
    origin.publish({ name: '@s/n', version: '1.2.0' });
    expect((await registry.get('/@s/n')).json['dist-tags'].latest).toBe('1.0.0');
    registry.clock.now += 301_000;
    // stale: given once more, and asked for behind it
    await registry.get('/@s/n');
    await registry.larder.settled();
    expect((await registry.get('/@s/n')).json['dist-tags'].latest).toBe('1.2.0');
  });

  test('says the address that the client used, and none that it could break out of', async () => {
    const { json } = await registry.get('/@s/n', { host: 'Larder.Site:4873' });
    expect(json.versions['1.0.0'].dist.tarball).toBe('http://larder.site:4873/@s/n/-/n-1.0.0.tgz');
    expect((await registry.get('/@s/n', { host: 'a"b' })).status).toBe(400);
  });

  test('that the origin does not have is an error in npm’s own form', async () => {
    const { status, headers, json } = await registry.get('/nobody-has-this');
    expect([status, headers['content-type']]).toEqual([404, 'application/json']);
    expect(json).toEqual({ error: 'there is no package "nobody-has-this" here: no registry knows it (main)' });
  });

  test('that cannot be read is the origin’s failure', async () => {
    server.set(origin.packumentPath('broken'), { body: '{"versions":', type: 'application/json' });
    expect((await registry.get('/broken')).status).toBe(502);
    server.set(origin.packumentPath('other'), { body: '{"name":"evil","versions":{}}', type: 'application/json' });
    expect((await registry.get('/other')).json.error).toMatch(/another package/);
  });

  test('is not given up for the page of a proxy that stands in between', async () => {
    await registry.get('/@s/n');
    await registry.larder.settled();
    server.set(origin.packumentPath('@s/n'), { body: '<html>log in', type: 'text/html; charset=utf-8' });
    server.set(origin.packumentPath('new'), { body: '<html>log in', type: 'text/html' });
    registry.clock.now += 2 * 86_400_000;
    expect((await registry.get('/@s/n')).status).toBe(200);
    const { status, json } = await registry.get('/new');
    expect([status, json.error]).toEqual([502, expect.stringMatching(/a page for people/)]);
  });

  test('without a version is no package', async () => {
    server.set(origin.packumentPath('gone'), {
      body: '{"name":"gone","time":{"unpublished":{}}}',
      type: 'application/json',
    });
    expect((await registry.get('/gone')).status).toBe(404);
  });
});

describe('beside packuments', () => {
  test('tags are listed, in every encoding of the name', async () => {
    for (const path of ['/-/package/@s%2fn/dist-tags', '/-/package/@s/n/dist-tags']) {
      expect((await registry.get(path)).json).toEqual({ latest: '1.0.0', old: '1.0.0', next: '1.1.0' });
    }
  });

  test('a version can be asked for by itself, by number and by tag', async () => {
    for (const path of ['/@s/n/1.1.0', '/@s%2fn/next']) {
      const { status, json } = await registry.get(path);
      expect([status, json.version, json.deprecated]).toEqual([200, '1.1.0', 'use 1.0.0']);
      expect(json.dist.tarball).toBe(`${registry.url}/@s/n/-/n-1.1.0.tgz`);
      expect(json.dist.attestations.url).toBe(`${registry.url}/-/npm/v1/attestations/@s%2fn@1.1.0`);
    }
    expect((await registry.get('/@s/n/9.9.9')).status).toBe(404);
    expect((await registry.get('/@s/n/toString')).json.error).toMatch(
      /has no tag "toString" here; it has latest, old, next/,
    );
  });

  test('hidden slashes, dots and doubled slashes are refused in words', async () => {
    for (const path of ['//@s/n', '/@s/n/../x', '/a%2fb', '/a%2Fb/1.0.0', '/%2e%2e/a']) {
      const { status, json } = await registry.get(path);
      expect([path, status]).toEqual([path, 400]);
      expect(json.error).toMatch(/no hidden slashes/);
    }
    expect((await registry.get('/a%zz')).status).toBe(400);
    expect((await registry.get('/favicon.ico')).status).toBe(404);
    expect(server.count(origin.packumentPath('favicon.ico'))).toBe(0);
  });
});
