import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { buildSdist, buildWheel } from '../../support/wheels.ts';
import { filenames, HTML_V1, type Index, JSON_V1, startIndex } from './support.ts';

let origin: OriginServer;
let packages: PackageIndex;
let index: Index;

beforeEach(async () => {
  origin = await startOriginServer();
  packages = new PackageIndex(origin);
  index = await startIndex({ origins: [{ name: 'main', url: packages.url }] });
  packages.offer(buildWheel({ name: 'Foo.Bar', version: '1.0+local', requiresPython: '>=3.9' }), { provenance: true });
  packages.offer(await buildSdist({ name: 'Foo.Bar', version: '0.9' }), { yanked: 'broken' });
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await index.close();
  await origin.close();
});

const PAGE = '/simple/foo-bar/';

describe('a project page', () => {
  test('has every fact of its files, and addresses relative to itself', async () => {
    const page = await index.page('foo-bar');
    expect(page.meta['api-version']).toBe('1.4');
    expect(page.versions).toBeDefined();
    expect(page.files).toHaveLength(2);
    expect(page.files[0]).toMatchObject({
      filename: 'Foo_Bar-1.0+local-py3-none-any.whl',
      url: '../../files/main/foo-bar/Foo_Bar-1.0%2Blocal-py3-none-any.whl',
      'requires-python': '>=3.9',
      'upload-time': '2026-01-01T00:00:00Z',
      yanked: false,
      'core-metadata': true,
    });
    expect(page.files[1]).toMatchObject({ yanked: 'broken', 'core-metadata': false });
    const file = await fetch(new URL(String(page.files[0]!.url), `${index.url}${PAGE}`));
    expect(Buffer.from(await file.arrayBuffer())).toHaveLength(Number(page.files[0]!.size));
  });

  test('names attestations by a full address, at the host that the client used', async () => {
    const page = await index.page('foo-bar');
    expect(page.files[0]!.provenance).toBe(
      `${index.url}/integrity/foo-bar/1.0%2Blocal/Foo_Bar-1.0%2Blocal-py3-none-any.whl/provenance`,
    );
    const answer = await fetch(String(page.files[0]!.provenance));
    expect(await answer.json()).toEqual({ version: 1 });
    expect(page.files[1]).not.toHaveProperty('provenance');
  });

  test.each([
    [JSON_V1, JSON_V1],
    ['application/vnd.pypi.simple.latest+json', JSON_V1],
    [HTML_V1, HTML_V1],
    ['application/vnd.pypi.simple.latest+html', HTML_V1],
    ['*/*', 'text/html; charset=utf-8'],
  ])('asked for as %s comes as %s', async (accept, type) => {
    const answer = await index.get(PAGE, { accept });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(type);
    expect(answer.headers.get('vary')).toMatch(/accept/i);
    expect(answer.text.startsWith('{')).toBe(type === JSON_V1);
  });

  test('can be chosen by ?format=, whose plus is a blank', async () => {
    const answer = await index.get(`${PAGE}?format=application/vnd.pypi.simple.v1+json`, { accept: 'text/html' });
    expect(answer.headers.get('content-type')).toBe(JSON_V1);
    expect((await index.get(`${PAGE}?format=nonsense`)).status).toBe(406);
  });

  test('that no client could read is refused in words', async () => {
    const answer = await index.get(PAGE, { accept: 'application/xml' });
    expect(answer.status).toBe(406);
    expect(answer.text).toContain(JSON_V1);
  });

  test('has as HEAD what it has as GET', async () => {
    const asked: Record<string, string>[] = [
      { accept: JSON_V1 },
      { accept: 'text/html', 'accept-encoding': 'identity' },
    ];
    for (const headers of asked) {
      const get = await raw(PAGE, 'GET', headers);
      const head = await raw(PAGE, 'HEAD', headers);
      expect(head.body).toHaveLength(0);
      for (const name of ['content-type', 'content-length', 'etag', 'cache-control', 'vary'])
        expect(head.headers[name], name).toBe(get.headers[name]);
    }
  });

  test('comes compressed as the client likes, with a tag for each coding', async () => {
    const plain = await raw(PAGE, 'GET', { accept: JSON_V1 });
    const tags = new Set([plain.headers.etag]);
    const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };
    for (const [coding, decode] of Object.entries(decoders)) {
      const answer = await raw(PAGE, 'GET', { accept: JSON_V1, 'accept-encoding': `${coding}, deflate` });
      expect(answer.headers['content-encoding']).toBe(coding);
      expect(answer.headers['content-length']).toBe(String(answer.body.length));
      expect(decode(answer.body)).toEqual(plain.body);
      tags.add(answer.headers.etag);
    }
    expect(tags.size).toBe(4);
    expect((await raw(PAGE, 'GET', { accept: JSON_V1, 'accept-encoding': 'compress' })).headers).not.toHaveProperty(
      'content-encoding',
    );
  });

  test('that a client has is not sent again, and its coding counts', async () => {
    const headers = { accept: JSON_V1, 'accept-encoding': 'gzip' };
    const first = await raw(PAGE, 'GET', headers);
    const again = await raw(PAGE, 'GET', { ...headers, 'if-none-match': first.headers.etag! });
    expect(again.status).toBe(304);
    expect(again.body).toHaveLength(0);
    expect(again.headers.vary).toMatch(/accept/i);
    const other = await raw(PAGE, 'GET', { accept: JSON_V1, 'if-none-match': first.headers.etag! });
    expect(other.status).toBe(200);
  });

  test('may be used for a short while without asking', async () => {
    expect((await index.get(PAGE)).headers.get('cache-control')).toBe('public, max-age=30');
    const strict = await index.again({ config: { ...index.context.config, pageSeconds: 0 } });
    expect((await strict.get(PAGE)).headers.get('cache-control')).toBe('no-cache');
    await strict.close();
  });

  test('changes when the origin changes it, and not before it has to be asked', async () => {
    expect((await index.page('foo-bar')).files).toHaveLength(2);
    packages.offer(buildWheel({ name: 'Foo.Bar', version: '2.0' }));
    expect((await index.page('foo-bar')).files).toHaveLength(2);
    index.clock.now += 700_000;
    // stale: given at once, and the origin is asked behind it
    expect((await index.page('foo-bar')).files).toHaveLength(2);
    await index.settled();
    expect((await index.page('foo-bar')).files).toHaveLength(3);
  });

  test('tells the serial of its origin', async () => {
    origin.set('/simple/serial/', {
      body: JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'serial', files: [] }),
      type: JSON_V1,
      headers: { 'x-pypi-last-serial': '77' },
    });
    const answer = await index.get('/simple/serial/', { accept: JSON_V1 });
    expect(answer.headers.get('x-pypi-last-serial')).toBe('77');
    expect(JSON.parse(answer.text).meta['_last-serial']).toBe(77);
  });

  test('of a project in quarantine offers no files, and they cannot be had', async () => {
    const page = await pageAtOrigin();
    origin.set('/simple/foo-bar/', {
      body: JSON.stringify({ ...page, meta: { 'api-version': '1.4' }, 'project-status': { status: 'quarantined' } }),
      type: JSON_V1,
    });
    const shown = await index.page('foo-bar');
    expect(shown.files).toEqual([]);
    expect(shown['project-status']).toEqual({ status: 'quarantined' });
    const answer = await index.get(PAGE);
    expect(answer.text).toContain('<meta name="pypi:project-status" content="quarantined">');
    expect(answer.text).not.toContain('<a ');
    expect((await index.get(`/files/main/foo-bar/${page.files[0]!.filename}`)).status).toBe(404);
  });

  test('loses files that cannot be used, and the log says so once', async () => {
    const page = await pageAtOrigin();
    const bad = { ...page.files[0], filename: 'x/../../evil.whl' };
    origin.set('/simple/foo-bar/', { body: JSON.stringify({ ...page, files: [bad, ...page.files] }), type: JSON_V1 });
    expect(filenames(await index.page('foo-bar'))).toHaveLength(2);
    await index.get(PAGE);
    const lines = index.log.filter((line) => line.event === 'file-dropped');
    expect(lines).toEqual([expect.objectContaining({ project: 'foo-bar', origin: 'main', count: 1 })]);
  });
});

describe('an address', () => {
  test.each([
    ['/simple', '/simple/'],
    ['/simple?format=x', '/simple/?format=x'],
    ['/main/simple', '/main/simple/'],
    ['/simple/foo-bar', '/simple/foo-bar/'],
    ['/simple/Foo.Bar/', '/simple/foo-bar/'],
    ['/simple/Foo_Bar', '/simple/foo-bar/'],
    ['/simple/FOO--BAR/?format=a+b', '/simple/foo-bar/?format=a+b'],
    ['/main/simple/Foo.Bar', '/main/simple/foo-bar/'],
  ])('%s leads to %s, behind any prefix', async (path, target) => {
    const answer = await index.get(path);
    expect(answer.status).toBe(301);
    const location = answer.headers.get('location')!;
    expect(location).not.toMatch(/^(\/|http)/);
    const at = (base: string) => new URL(location, `${base}${path}`).href;
    expect(at('http://a.example')).toBe(`http://a.example${target}`);
    expect(at('http://a.example/deep/prefix')).toBe(`http://a.example/deep/prefix${target}`);
  });

  test('that is the root leads people to the list', async () => {
    const answer = await index.get('/');
    expect(answer.status).toBe(302);
    expect(new URL(answer.headers.get('location')!, `${index.url}/`).pathname).toBe('/simple/');
  });

  test('of one index alone shows that index, with addresses that hold there', async () => {
    const page = await index.page('foo-bar', '/main');
    const file = await fetch(new URL(String(page.files[0]!.url), `${index.url}/main${PAGE}`));
    expect(file.status).toBe(200);
    expect((await index.get('/other/simple/foo-bar/')).status).toBe(404);
  });
});

describe('a project that', () => {
  test('the origin does not know is a 404 in words', async () => {
    const answer = await index.get('/simple/nobody/');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(answer.text).toContain('no project "nobody" here: no index here knows it (main)');
  });

  test('the origin cannot tell of, since it is out, is a 502 in words', async () => {
    await origin.goDark();
    const answer = await index.get(PAGE);
    expect(answer.status).toBe(502);
    expect(answer.text).not.toMatch(/node_modules|at .*\.ts/);
  });

  test('was seen before is given while the origin is out, also long after', async () => {
    await index.page('foo-bar');
    await origin.goDark();
    index.clock.now += 10 * 86_400_000;
    expect((await index.page('foo-bar')).files).toHaveLength(2);
  });

  test('has an origin that nobody can name is an error that says what to set', async () => {
    vi.stubEnv('PATH', '/nonexistent');
    const lost = await index.again({ config: { ...index.context.config, origins: [], python: '/nonexistent/python' } });
    const answer = await lost.get('/simple/foo/');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBeTruthy();
    expect(answer.text).toContain('set pypi.origins');
    // what does not need an origin is there
    expect((await lost.get('/simple/')).status).toBe(200);
    await lost.close();
  });
});

/** What the origin says of the project. */
async function pageAtOrigin() {
  return (await (await fetch(`${packages.url}foo-bar/`)).json()) as { files: { filename: string }[] };
}

interface Raw {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** As it comes: fetch would undo the coding. */
function raw(path: string, method: string, headers: Record<string, string>): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const asked = request(`${index.url}${path}`, { method, headers }, async (res) => {
      const body = Buffer.concat(await res.toArray());
      resolve({ status: res.statusCode!, headers: res.headers as Record<string, string>, body });
    });
    asked.on('error', reject);
    asked.end();
  });
}
