import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { buildSdist, buildWheel } from '../../support/wheels.ts';
import { type Index, startIndex, upload } from './support.ts';

let origin: OriginServer;
let packages: PackageIndex;
let index: Index;

beforeEach(async () => {
  origin = await startOriginServer();
  packages = new PackageIndex(origin);
  index = await startIndex({ origins: [{ name: 'main', url: packages.url }] });
  packages.offer(buildWheel({ name: 'Foo', version: '1.0', requiresDist: ['bar>=1'], requiresPython: '>=3.9' }));
  packages.offer(await buildSdist({ name: 'Foo', version: '1.0' }));
  packages.offer(buildWheel({ name: 'Foo', version: '1.10' }));
  packages.offer(buildWheel({ name: 'Foo', version: '1.9' }));
  packages.offer(buildWheel({ name: 'Foo', version: '2.0' }), { yanked: 'broken' });
  packages.offer(buildWheel({ name: 'Foo', version: '3.0rc1' }));
});

afterEach(async () => {
  await index.close();
  await origin.close();
});

interface Body {
  info: Record<string, unknown>;
  urls: { filename: string; url: string; packagetype: string; digests: { sha256: string }; yanked_reason: string }[];
  releases?: Record<string, Body['urls']>;
}

async function json(path: string): Promise<Body> {
  const answer = await index.get(path);
  expect(answer.status, path).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/json');
  return JSON.parse(answer.text);
}

describe('the JSON API', () => {
  test('is of the newest version that is neither yanked nor a pre-release', async () => {
    const body = await json('/pypi/foo/json');
    expect(body.info.version).toBe('1.10');
    expect(Object.keys(body.releases!).sort()).toEqual(['1.0', '1.10', '1.9', '2.0', '3.0rc1']);
    expect(body.urls.map((file) => file.filename)).toEqual(['Foo-1.10-py3-none-any.whl']);
  });

  test('of one version says what METADATA says, and has no other releases', async () => {
    const body = await json('/pypi/Foo/1.0/json');
    expect(body.info).toMatchObject({
      name: 'Foo',
      version: '1.0',
      requires_dist: ['bar>=1'],
      requires_python: '>=3.9',
      yanked: false,
    });
    expect(body).not.toHaveProperty('releases');
    expect(body.urls.map((file) => file.packagetype).sort()).toEqual(['bdist_wheel', 'sdist']);
  });

  test('may be asked for with a slash at the end', async () => {
    expect((await json('/pypi/foo/json/')).info.version).toBe('1.10');
    expect((await json('/pypi/foo/1.0/json/')).info.version).toBe('1.0');
  });

  test('of a project called "simple" does not hide the view of an origin called "pypi"', async () => {
    packages.offer(buildWheel({ name: 'simple', version: '7' }));
    packages.offer(buildWheel({ name: 'json', version: '8' }));
    const both = await startIndex({ origins: [{ name: 'pypi', url: packages.url }] });
    const [api, view] = [await both.get('/pypi/simple/json'), await both.get('/pypi/simple/json/')];
    expect(JSON.parse(api.text).info).toMatchObject({ name: 'simple', version: '7' });
    expect(view.text).toMatch(/json-8-py3-none-any\.whl/);
    await both.close();
  });

  test('of a yanked version says so', async () => {
    const body = await json('/pypi/foo/2.0/json');
    expect(body.info).toMatchObject({ yanked: true, yanked_reason: 'broken' });
  });

  test('has the addresses of the page, to the letter: clients compare them', async () => {
    const body = await json('/pypi/foo/json');
    const page = await index.page('foo');
    const resolved = page.files.map((file) => new URL(String(file.url), `${index.url}/simple/foo/`).href);
    const urls = Object.values(body.releases!).flatMap((files) => files.map((file) => file.url));
    expect(urls.sort()).toEqual(resolved.sort());
    expect(body.urls[0]!.digests.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is made once per change, and is not sent again to who has it', async () => {
    const first = await index.get('/pypi/foo/json');
    const again = await index.get('/pypi/foo/json', { 'if-none-match': first.headers.get('etag')! });
    expect(again.status).toBe(304);
    packages.offer(buildWheel({ name: 'Foo', version: '1.11' }));
    index.clock.now += 2 * 86_400_000;
    expect((await json('/pypi/foo/json')).info.version).toBe('1.11');
  });

  test('does without METADATA while it cannot be had, and has it when it can', async () => {
    await index.page('foo');
    await origin.goDark();
    expect((await json('/pypi/foo/1.0/json')).info).toMatchObject({ requires_dist: null, version: '1.0' });
    await origin.comeBack();
    index.clock.now += 120_000;
    expect((await json('/pypi/foo/1.0/json')).info.requires_dist).toEqual(['bar>=1']);
  });

  test('has what was uploaded', async () => {
    await upload(index.store, 'acme', buildWheel({ name: 'acme', version: '1.0' }));
    expect((await json('/pypi/acme/json')).info.version).toBe('1.0');
  });

  test.each(['/pypi/foo/9.9/json', '/pypi/nobody/json', '/pypi/no%20name/json', '/pypi/foo/x/y/json'])(
    '%s is a 404 in words',
    async (path) => {
      const answer = await index.get(path);
      expect(answer.status).toBe(404);
      expect(answer.text.length).toBeGreaterThan(10);
    },
  );
});
