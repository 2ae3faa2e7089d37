import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { service } from '../../../services/npm/service.ts';
import type { Service } from '../../../shared/service/service.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { buildPackage } from '../../support/npm-packages.ts';
import { type NpmHome, npmHome, Publisher, publishBody } from '../../support/npm-publishing.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let server: OriginServer;
let origin: NpmOrigin;
let larder: TestLarder;
let secret: string;
let ci: Publisher;

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  larder = await startLarder({
    services: [service as Service<unknown>],
    config: { npm: { origins: [{ name: 'public', url: origin.url }], mostPublish: 2 << 20, deny: ['unwanted'] } },
  });
  const { tokens } = larder.context('npm').access;
  ({ secret } = await tokens.create({ name: 'ci', actions: ['read', 'write'], services: ['npm'] }));
  ci = new Publisher(larder.url('npm'), secret);
});
afterEach(async () => {
  await larder.close();
  await server.close();
});

const versionsOf = async (name: string) => Object.keys((await ci.get(`/${name}`)).json.versions ?? {});

describe('the npm of this machine', { timeout: 90_000 }, () => {
  let home: NpmHome;
  beforeEach(async () => {
    home = await npmHome(larder.url('npm'));
    await home.login(`_authToken=${secret}`);
  });
  afterEach(() => home.remove());

  test('publishes a package, and installs the same bytes', async () => {
    await home.write(
      { name: '@acme/one', version: '1.0.0', main: 'index.js' },
      { 'index.js': 'module.exports = 1;\n' },
    );
    expect(await home.npm('publish')).toMatchObject({ code: 0, stdout: '+ @acme/one@1.0.0\n' });
    const { dist } = (await ci.get('/@acme%2fone')).json.versions['1.0.0'];
    expect(dist.tarball).toBe(`${larder.url('npm')}/@acme/one/-/one-1.0.0.tgz`);
    const { bytes } = await ci.bytes('/@acme/one/-/one-1.0.0.tgz');
    expect(`sha512-${createHash('sha512').update(bytes).digest('base64')}`).toBe(dist.integrity);
    await home.write({ name: 'app', version: '1.0.0', dependencies: { '@acme/one': '^1.0.0' } });
    expect(await home.npm('install')).toMatchObject({ code: 0 });
  });

  test('is told that a version is there already', async () => {
    await home.write({ name: 'two', version: '1.0.0' });
    expect(await home.npm('publish')).toMatchObject({ code: 0 });
    const again = await home.npm('publish');
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('cannot publish over the previously published versions');
  });

  test('deprecates, tags, names owners, and takes a version and then all of them back', async () => {
    for (const version of ['1.0.0', '1.1.0', '2.0.0']) {
      await home.write({ name: '@acme/tool', version });
      expect(await home.npm('publish', '--tag', version === '2.0.0' ? 'next' : 'latest')).toMatchObject({ code: 0 });
    }
    const document = async () => (await ci.get('/@acme%2ftool')).json;
    expect((await document())['dist-tags']).toEqual({ latest: '1.1.0', next: '2.0.0' });
    expect(await home.npm('deprecate', '@acme/tool@1.0.0', 'use 1.1')).toMatchObject({ code: 0 });
    expect((await document()).versions['1.0.0'].deprecated).toBe('use 1.1');
    expect(await home.npm('deprecate', '@acme/tool@1.0.0', '')).toMatchObject({ code: 0 });
    expect((await document()).versions['1.0.0'].deprecated).toBeUndefined();
    expect(await home.npm('dist-tag', 'add', '@acme/tool@1.0.0', 'old')).toMatchObject({ code: 0 });
    expect(await home.npm('dist-tag', 'rm', '@acme/tool', 'next')).toMatchObject({ code: 0 });
    expect((await document())['dist-tags']).toEqual({ latest: '1.1.0', old: '1.0.0' });
    expect(await home.npm('owner', 'add', 'bob', '@acme/tool')).toMatchObject({ code: 0 });
    expect((await home.npm('owner', 'ls', '@acme/tool')).stdout).toBe('ci <>\nbob <>\n');
    expect(await home.npm('unpublish', '@acme/tool@1.1.0')).toMatchObject({ code: 0, stdout: '- @acme/tool@1.1.0\n' });
    expect(await versionsOf('@acme%2ftool')).toEqual(['1.0.0', '2.0.0']);
    expect((await ci.bytes('/@acme/tool/-/tool-1.1.0.tgz')).status).toBe(404);
    expect((await document())['dist-tags'].latest).toBe('2.0.0');
    // at once: what npm looked at a moment ago is not what it writes over
    expect(await home.npm('unpublish', '@acme/tool@2.0.0')).toMatchObject({ code: 0 });
    expect(await versionsOf('@acme%2ftool')).toEqual(['1.0.0']);
    expect(await home.npm('unpublish', '@acme/tool', '--force')).toMatchObject({ code: 0 });
    expect((await ci.get('/@acme%2ftool')).status).toBe(404);
    expect((await ci.bytes('/@acme/tool/-/tool-1.0.0.tgz')).status).toBe(404);
  });
});

describe('publishing', () => {
  test('two at once of one version: one wins, the other is told, and the bytes of the first stay', async () => {
    const bodies = ['one', 'other', 'third', 'fourth'].map((word) =>
      buildPackage({ name: 'race', version: '1.0.0', files: { 'word.txt': word } }),
    );
    const answers = await Promise.all(bodies.map((built) => ci.put(publishBody(built))));
    const won = answers.findIndex(({ status }) => status === 201);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
    for (const { status, json } of answers)
      if (status === 409) expect(json.error).toContain('race@1.0.0 is already published here');
    const { bytes } = await ci.bytes('/race/-/race-1.0.0.tgz');
    expect(bytes.equals(bodies[won]!.bytes)).toBe(true);
    expect((await ci.get('/race')).json.versions['1.0.0'].dist.integrity).toBe(bodies[won]!.integrity);
  });

  test('many versions at once: none is lost', async () => {
    const versions = Array.from({ length: 20 }, (_, number) => `1.${number}.0`);
    const answers = await Promise.all(versions.map((version) => ci.publish({ name: '@acme/many', version })));
    expect(answers.map(({ status }) => status)).toEqual(versions.map(() => 201));
    expect((await versionsOf('@acme%2fmany')).sort()).toEqual([...versions].sort());
    for (const { built } of answers)
      expect((await ci.bytes(`/@acme/many/-/${built.filename}`)).bytes.equals(built.bytes)).toBe(true);
  });

  test('bytes that are not what their package says are refused, and leave nothing', async () => {
    const built = buildPackage({ name: 'bent', version: '1.0.0' });
    for (const wrong of [{ integrity: `sha512-${Buffer.alloc(64).toString('base64')}` }, { shasum: '0'.repeat(40) }]) {
      const answer = await ci.put(publishBody({ ...built, ...wrong }));
      expect(answer).toMatchObject({ status: 400, json: { error: expect.stringContaining('bent@1.0.0') } });
    }
    expect((await ci.get('/bent')).status).toBe(404);
    expect(await larder.store.catalog('npm').keys()).toEqual([]);
  });

  test('what is no publish of one version under its own name is refused in words', async () => {
    const body = () => publishBody(buildPackage({ name: 'plain', version: '1.0.0' }));
    const cases: [string, (document: ReturnType<typeof body>) => unknown][] = [
      ['the document names "else"', (one) => ({ ...one, name: 'else' })],
      ['one version', (one) => ({ ...one, versions: { ...(one.versions as object), '2.0.0': {} } })],
      ['is no version', (one) => ({ ...one, versions: { one: {} } })],
      ['says plain@1.0.0', (one) => ({ ...one, versions: { '1.0.1': Object.values(one.versions as object)[0] } })],
      ['points at', (one) => ({ ...one, 'dist-tags': { latest: '3.0.0' } })],
      ['no tarball', (one) => ({ ...one, _attachments: { 'x.txt': { data: '' } } })],
      ['no JSON', () => '{"name":'],
    ];
    for (const [words, change] of cases) {
      const answer = await ci.send('PUT', '/plain', change(body()));
      expect(answer, words).toMatchObject({ status: 400, json: { error: expect.stringContaining(words) } });
    }
    expect((await ci.get('/plain')).status).toBe(404);
  });

  test('a package over the limit is a 413 that names the setting', async () => {
    const built = buildPackage({ name: 'large', version: '1.0.0', files: { 'data.bin': randomText(3 << 20) } });
    const answer = await ci.put(publishBody(built));
    expect(answer).toMatchObject({ status: 413, json: { error: expect.stringContaining('npm.mostPublish') } });
  });

  test('needs a token that may write', async () => {
    const body = publishBody(buildPackage({ name: 'guarded', version: '1.0.0' }));
    const { tokens } = larder.context('npm').access;
    const reader = await tokens.create({ name: 'reader', actions: ['read'], services: ['npm'] });
    const pypi = await tokens.create({ name: 'pypi', actions: ['read', 'write'], services: ['pypi'] });
    const url = larder.url('npm');
    expect((await new Publisher(url).put(body)).status).toBe(401);
    expect((await new Publisher(url, 'lrd_00000000_none').put(body)).status).toBe(401);
    expect((await new Publisher(url, reader.secret).put(body)).status).toBe(403);
    expect((await new Publisher(url, pypi.secret).put(body)).status).toBe(403);
    for (const path of ['/guarded/-rev/1', '/guarded/-/guarded-1.0.0.tgz/-rev/1', '/-/package/guarded/dist-tags/x'])
      expect((await new Publisher(url, reader.secret).send('DELETE', path)).status, path).toBe(403);
  });

  test('a name that an origin has becomes one of this site, and nothing of the origin gets into it', async () => {
    origin.publish({ name: 'shared-name', version: '9.0.0' });
    expect(await versionsOf('shared-name')).toEqual(['9.0.0']);
    expect((await ci.publish({ name: 'shared-name', version: '1.0.0' })).status).toBe(201);
    const asked = server.count(origin.packumentPath('shared-name'));
    expect(await versionsOf('shared-name')).toEqual(['1.0.0']);
    expect((await ci.bytes('/shared-name/-/shared-name-9.0.0.tgz')).status).toBe(404);
    expect(server.count(origin.packumentPath('shared-name'))).toBe(asked);
    expect((await ci.get('/shared-name?write=true')).json.versions).not.toHaveProperty(['9.0.0']);
  });

  test('a name that the site does not want is refused', async () => {
    const answer = await ci.publish({ name: 'unwanted', version: '1.0.0' });
    expect(answer).toMatchObject({ status: 403, json: { error: expect.stringContaining('unwanted') } });
  });

  test('tags that are none, or point at nothing, are refused', async () => {
    await ci.publish({ name: 'tagged', version: '1.0.0' });
    for (const [tag, version] of [
      ['1.0.0', '1.0.0'],
      ['v2.0.0', '1.0.0'],
      ['__proto__', '1.0.0'],
      ['x', 'latest'],
    ])
      expect((await ci.send('PUT', `/-/package/tagged/dist-tags/${tag}`, JSON.stringify(version))).status).toBe(400);
    expect((await ci.send('PUT', '/-/package/tagged/dist-tags/x', '"9.0.0"')).status).toBe(404);
    expect((await ci.get('/-/package/tagged/dist-tags')).json).toEqual({ latest: '1.0.0' });
  });

  test("a mirrored package is nobody's to change", async () => {
    origin.publish({ name: 'upstream-only', version: '1.0.0' });
    await ci.get('/upstream-only');
    for (const [method, path, body] of [
      ['PUT', '/-/package/upstream-only/dist-tags/mine', '"1.0.0"'],
      ['DELETE', '/upstream-only/-rev/1-0', undefined],
      ['GET', '/upstream-only?write=true', undefined],
    ] as const)
      expect((await ci.send(method, path, body)).status, `${method} ${path}`).toBe(404);
    expect(await versionsOf('upstream-only')).toEqual(['1.0.0']);
  });
});

test('a star changes who stars it, and nothing else', async () => {
  await ci.publish({ name: 'bright', version: '1.0.0' });
  const { json: seen } = await ci.get('/bright?write=true');
  const star = { _id: 'bright', _rev: seen._rev, users: { ci: true } };
  expect((await ci.send('PUT', '/bright', star)).status).toBe(200);
  const { json } = await ci.get('/bright');
  expect(json.users).toEqual({ ci: true });
  expect(json.versions['1.0.0'].dist.integrity).toBe(seen.versions['1.0.0'].dist.integrity);
  expect(json['dist-tags']).toEqual({ latest: '1.0.0' });
});

describe('taking back', () => {
  test('does not take what was published while npm was looking', async () => {
    for (const version of ['1.0.0', '1.1.0']) await ci.publish({ name: 'busy', version });
    const { json: seen } = await ci.get('/busy?write=true');
    await ci.publish({ name: 'busy', version: '1.2.0' });
    delete seen.versions['1.0.0'];
    const answer = await ci.send('PUT', `/busy/-rev/${seen._rev}`, seen);
    expect(answer).toMatchObject({ status: 409, json: { error: expect.stringContaining('run the command again') } });
    expect(await versionsOf('busy')).toEqual(['1.0.0', '1.1.0', '1.2.0']);
    expect((await ci.send('DELETE', `/busy/-rev/${seen._rev}`)).status).toBe(409);
  });

  test('what is deprecated loses no version that the client did not know', async () => {
    await ci.publish({ name: 'known', version: '1.0.0' });
    await ci.publish({ name: 'known', version: '1.1.0' });
    const { json: seen } = await ci.get('/known?write=true');
    delete seen.versions['1.1.0'];
    seen.versions['1.0.0'].deprecated = 'old';
    expect((await ci.put(seen)).status).toBe(201);
    expect(await versionsOf('known')).toEqual(['1.0.0', '1.1.0']);
  });

  test('a version may be published again afterwards, with other bytes', async () => {
    const first = await ci.publish({ name: 'again', version: '1.0.0', files: { a: 'first' } });
    const { json: seen } = await ci.get('/again?write=true');
    expect((await ci.send('DELETE', `/again/-rev/${seen._rev}`)).status).toBe(201);
    expect((await ci.get('/again')).status).toBe(404);
    const second = await ci.publish({ name: 'again', version: '1.0.0', files: { a: 'second' } });
    expect(second.status).toBe(201);
    const { bytes } = await ci.bytes('/again/-/again-1.0.0.tgz');
    expect(bytes.equals(second.built.bytes)).toBe(true);
    expect(bytes.equals(first.built.bytes)).toBe(false);
  });
});

/** Text that packs badly. */
function randomText(length: number): string {
  const hash = (number: number) => createHash('sha512').update(String(number)).digest('base64');
  return Array.from({ length: Math.ceil(length / 88) }, (_, number) => hash(number)).join('');
}
