import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { buildWheel } from '../../support/wheels.ts';
import { filenames, type Index, startIndex, upload } from './support.ts';

let origin: OriginServer;
let packages: PackageIndex;
let connected: Index;
let site: Index;

const wheel = (version: string, name = 'foo') => buildWheel({ name, version });

beforeEach(async () => {
  origin = await startOriginServer();
  packages = new PackageIndex(origin);
  connected = await startIndex({ origins: [{ name: 'main', url: packages.url }] });
  for (const version of ['1.0', '2.0', '3.0']) packages.offer(wheel(version), { provenance: true });
  packages.offer(wheel('1.0', 'bar'));
});

afterEach(async () => {
  await site?.close();
  await connected.close();
  await origin.close();
});

/** Fetches these, then takes the network away. */
async function holdAndCut(...paths: string[]): Promise<void> {
  for (const path of paths) expect((await connected.get(path)).status, path).toBe(200);
  await connected.settled();
  site = await connected.again({ mode: 'airgapped' });
  const asked = origin.calls().length;
  await origin.goDark();
  expect(origin.calls()).toHaveLength(asked);
}

const file = (version: string) => `/files/main/foo/foo-${version}-py3-none-any.whl`;

async function wants(): Promise<object[]> {
  const found = [];
  for await (const want of site.context.wants.list()) found.push(want.item);
  return found;
}

describe('without a network a page', () => {
  test('lists only what is held, and says how much that is', async () => {
    await holdAndCut('/simple/foo/', file('1.0'), file('3.0'));
    const page = await site.page('foo');
    expect(filenames(page)).toEqual(['foo-1.0-py3-none-any.whl', 'foo-3.0-py3-none-any.whl']);
    expect(page.versions).toEqual(['1.0', '3.0']);
    expect(page.meta['api-version']).toBe('1.4');
    expect(page._larder).toEqual({ held: 2, listed: 2 });
    expect((await site.get(file('1.0'))).status).toBe(200);
    expect((await site.get(`${file('3.0')}.metadata`)).text).toMatch(/^Metadata-Version/);
  });

  test('is given however old it is', async () => {
    await holdAndCut('/simple/foo/', file('1.0'));
    site.clock.now += 400 * 86_400_000;
    expect(filenames(await site.page('foo'))).toHaveLength(1);
  });

  test('forgets nothing that the origin took away since', async () => {
    await connected.get(file('1.0'));
    origin.set('/simple/foo/', {
      body: JSON.stringify({ meta: { 'api-version': '1.1' }, name: 'foo', versions: [], files: [] }),
      type: 'application/vnd.pypi.simple.v1+json',
    });
    connected.clock.now += 2 * 86_400_000;
    expect(filenames(await connected.page('foo'))).toEqual([]);
    await holdAndCut();
    const page = await site.page('foo');
    expect(filenames(page)).toEqual(['foo-1.0-py3-none-any.whl']);
    expect(page.files[0]).toMatchObject({ 'upload-time': '2026-01-01T00:00:00Z' });
  });

  test('is made from the files alone where the page itself is not held', async () => {
    await holdAndCut(file('2.0'));
    await site.context.catalog.delete('index/main/foo');
    const page = await site.page('foo');
    expect(filenames(page)).toEqual(['foo-2.0-py3-none-any.whl']);
    expect(await wants()).toEqual([]);
  });

  test('offers attestations that are held, and no others', async () => {
    const [first] = (await connected.page('foo')).files;
    await holdAndCut(file('1.0'), file('2.0'), new URL(String(first!.provenance)).pathname);
    const page = await site.page('foo');
    expect(page.files.map((one) => 'provenance' in one)).toEqual([true, false]);
    expect((await site.get(new URL(String(page.files[0]!.provenance)).pathname)).status).toBe(200);
  });

  test('shows at once what an import brings', async () => {
    await holdAndCut(file('1.0'));
    expect(filenames(await site.page('foo'))).toHaveLength(1);
    const entry = (await site.context.catalog.get('file/main/foo/foo-1.0-py3-none-any.whl'))!;
    const record = { ...JSON.parse(entry.headers['x-larder-file']!), filename: 'foo-1.1-py3-none-any.whl' };
    await site.context.catalog.put({
      ...entry,
      key: 'file/main/foo/foo-1.1-py3-none-any.whl',
      headers: { 'x-larder-file': JSON.stringify(record) },
    });
    expect(filenames(await site.page('foo'))).toHaveLength(2);
  });

  test('does not believe facts that came with a file and belong to another', async () => {
    await holdAndCut(file('1.0'));
    const entry = (await site.context.catalog.get('file/main/foo/foo-1.0-py3-none-any.whl'))!;
    for (const [key, facts] of [
      ['foo-7.0.tar.gz', entry.headers['x-larder-file']!],
      ['foo-8.0.tar.gz', '{broken'],
    ])
      await site.context.catalog.put({ ...entry, key: `file/main/foo/${key}`, headers: { 'x-larder-file': facts! } });
    expect(filenames(await site.page('foo'))).toEqual(['foo-1.0-py3-none-any.whl']);
  });

  test('of what was uploaded is as it was', async () => {
    const own = wheel('1.0', 'acme');
    await upload(connected.store, 'acme', own);
    await holdAndCut();
    expect(filenames(await site.page('acme'))).toEqual([own.filename]);
  });
});

describe('without a network', () => {
  test('a project that is not held is a 404 that says so, and a want', async () => {
    await holdAndCut(file('1.0'));
    const answer = await site.get('/simple/bar/');
    expect(answer.status).toBe(404);
    expect(answer.text).toMatch(/"bar" is not held here.*list of wants/);
    await site.get('/simple/bar/');
    expect(await wants()).toEqual([{ python: 'bar' }]);
  });

  test('so is one whose page came without any of its files', async () => {
    await holdAndCut('/simple/foo/');
    const answer = await site.get('/simple/foo/');
    expect(answer.status).toBe(404);
    expect(answer.text).toMatch(/none of its files is held here.*list of wants/);
    expect(await wants()).toEqual([{ python: 'foo' }]);
  });

  test('a file that is not held is a 404, and a want of its version', async () => {
    await holdAndCut(file('1.0'));
    const answer = await site.get(file('2.0'));
    expect(answer.status).toBe(404);
    expect(answer.text).toMatch(/foo-2\.0-py3-none-any\.whl is not held here.*list of wants/);
    const lock = `/packages/aa/bb/${'c'.repeat(60)}/bar-1.0-py3-none-any.whl`;
    expect((await site.get(lock)).status).toBe(404);
    expect(await wants()).toEqual(expect.arrayContaining([{ python: 'foo==2.0' }, { python: 'bar==1.0' }]));
  });

  test('the list of projects has those that are held', async () => {
    await upload(connected.store, 'acme', wheel('1.0', 'acme'));
    await holdAndCut('/simple/bar/', file('1.0'));
    const list = await site.get('/simple/', { accept: 'application/vnd.pypi.simple.v1+json' });
    expect(JSON.parse(list.text).projects).toEqual([{ name: 'acme' }, { name: 'foo' }]);
  });

  test('a second index has what the first does not hold', async () => {
    const both = [
      { name: 'other', url: 'http://other.example/simple/' },
      { name: 'main', url: packages.url },
    ];
    await connected.get(file('1.0'));
    site = await connected.again({ mode: 'airgapped', config: { origins: both } });
    expect(filenames(await site.page('foo'))).toHaveLength(1);
    expect((await site.get('/other/simple/foo/')).status).toBe(404);
  });

  test('no index has to be named', async () => {
    site = await connected.again({ mode: 'airgapped', config: { python: '/nonexistent/python' } });
    const answer = await site.get('/simple/foo/');
    expect(answer.status).toBe(404);
    expect(answer.text).toMatch(/not held here/);
  });
});
