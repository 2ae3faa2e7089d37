import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type BuiltFile, buildSdist, buildWheel } from '../../support/wheels.ts';
import { filenames, type Index, JSON_V1, startIndex } from './support.ts';

let origin: OriginServer;
let files: OriginServer;
let index: Index | undefined;

beforeEach(async () => {
  origin = await startOriginServer();
  files = await startOriginServer();
});

afterEach(async () => {
  await index?.close();
  index = undefined;
  await origin.close();
  await files.close();
});

async function startOver(settings: object): Promise<Index> {
  index = await startIndex({ origins: [{ name: 'main', ...settings }] });
  return index;
}

const html = (...lines: string[]) => ({
  body: `<!DOCTYPE html><html><body>${lines.join('\n')}</body></html>`,
  type: 'text/html',
});
const link = (href: string, file: BuiltFile, attributes = '') =>
  `<a href="${href}#sha256=${file.sha256}" ${attributes}>${file.filename}</a>`;

describe('an index of plain HTML', () => {
  test('is read, its files are served, and METADATA is read out of its wheels without fetching them', async () => {
    const data = { 'foo/data.bin': Buffer.alloc(600_000, 'x') };
    const wheel = buildWheel({ name: 'foo', version: '1.0', requiresDist: ['bar>=1'], files: data });
    origin.set('/simple/foo/', html(link(`../../f/${wheel.filename}`, wheel, 'data-requires-python="&gt;=3.9"')));
    origin.set(`/f/${wheel.filename}`, { body: wheel.bytes, etag: '"w"' });
    const found = await startOver({ url: `${origin.url}/simple/` });
    const page = await found.page('foo');
    // nobody knows the size: an honest 1.0
    expect(page.meta['api-version']).toBe('1.0');
    expect(page).not.toHaveProperty('versions');
    expect(page.files[0]).toMatchObject({ 'requires-python': '>=3.9', 'core-metadata': true });
    const metadata = await found.get(`/files/main/foo/${wheel.filename}.metadata`);
    expect(metadata.status).toBe(200);
    expect(metadata.text).toBe(wheel.metadata!.toString());
    const whole = origin.calls(`/f/${wheel.filename}`).filter((call) => call.method === 'GET' && !call.headers.range);
    expect(whole).toEqual([]);
    const answer = await fetch(`${found.url}/files/main/foo/${wheel.filename}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(wheel.bytes)).toBe(true);
  });

  test('that says nothing of a hash has its files served all the same', async () => {
    origin.set('/simple/foo/', html('<a href="/f/foo-1.0.tar.gz">foo-1.0.tar.gz</a>'));
    origin.set('/f/foo-1.0.tar.gz', { body: 'sdist' });
    const found = await startOver({ url: `${origin.url}/simple/` });
    expect((await found.get('/files/main/foo/foo-1.0.tar.gz')).text).toBe('sdist');
  });

  test('is asked with a slash, whatever the settings say', async () => {
    origin.set('/simple/foo/', html());
    const found = await startOver({ url: `${origin.url}/simple` });
    expect((await found.page('foo')).files).toEqual([]);
  });
});

describe('a flat page of links', () => {
  test('has the files of each project, and is asked once for all', async () => {
    const foo = buildWheel({ name: 'foo', version: '1.0' });
    const bar = await buildSdist({ name: 'bar-baz', version: '2.0' });
    origin.set(
      '/links.html',
      html(link(`f/${foo.filename}`, foo), link(`f/${bar.filename}`, bar), '<a href="../">up</a>'),
    );
    origin.set(`/f/${foo.filename}`, { body: foo.bytes });
    const found = await startOver({ url: `${origin.url}/links.html`, kind: 'find-links' });
    expect(filenames(await found.page('foo'))).toEqual([foo.filename]);
    expect(filenames(await found.page('bar-baz'))).toEqual([bar.filename]);
    expect((await found.get('/simple/nobody/')).status).toBe(404);
    expect((await found.get(`/files/main/foo/${foo.filename}`)).status).toBe(200);
    expect(origin.count('/links.html')).toBe(1);
    const list = await found.get('/simple/', { accept: JSON_V1 });
    expect(JSON.parse(list.text).projects).toEqual([{ name: 'bar-baz' }, { name: 'foo' }]);
  });

  test('does not know what is not on it: the next index is asked', async () => {
    origin.set('/links.html', html());
    files.set('/simple/foo/', html('<a href="foo-1.0.tar.gz">foo-1.0.tar.gz</a>'));
    index = await startIndex({
      origins: [
        { name: 'links', url: `${origin.url}/links.html`, kind: 'find-links' },
        { name: 'main', url: `${files.url}/simple/` },
      ],
    });
    expect(filenames(await index.page('foo'))).toEqual(['foo-1.0.tar.gz']);
  });
});

describe('the layout of PyTorch', () => {
  const wheel = buildWheel({ name: 'torch', version: '2.5.1+cu121', tag: 'cp312-cp312-linux_x86_64' });
  const encoded = wheel.filename.replace('+', '%2B');

  test('has links from the root, no METADATA, plus signs, and 403 for what is not there', async () => {
    origin.set('/whl/cu121/torch/', html(link(`/whl/cu121/${encoded}`, wheel)));
    origin.set(`/whl/cu121/${encoded}`, { body: wheel.bytes, etag: '"w"' });
    origin.set('/whl/cu121/nobody/', { body: 'AccessDenied', status: 403 });
    const found = await startOver({ url: `${origin.url}/whl/cu121`, kind: 'pytorch' });
    const page = await found.page('torch');
    expect(page.files[0]).toMatchObject({ filename: wheel.filename, url: `../../files/main/torch/${encoded}` });
    for (const name of [wheel.filename, encoded]) {
      const answer = await fetch(`${found.url}/files/main/torch/${name}`);
      expect(Buffer.from(await answer.arrayBuffer()).equals(wheel.bytes)).toBe(true);
    }
    expect((await found.get(`/files/main/torch/${encoded}.metadata`)).text).toBe(wheel.metadata!.toString());
    expect((await found.get('/simple/nobody/')).status).toBe(404);
  });

  test('is not passed over by an ordinary index, whose 403 is a refusal', async () => {
    origin.set('/simple/nobody/', { body: 'AccessDenied', status: 403 });
    const found = await startOver({ url: `${origin.url}/simple/` });
    expect((await found.get('/simple/nobody/')).status).toBe(403);
  });

  test('links to other hosts, whose files come through us', async () => {
    origin.set('/whl/torch/', html(link(`${files.url}/r2/${encoded}`, wheel)));
    files.set(`/r2/${encoded}`, { body: wheel.bytes });
    const found = await startOver({ url: `${origin.url}/whl/`, kind: 'pytorch' });
    const [file] = (await found.page('torch')).files;
    expect(file!.url).toBe(`../../files/main/torch/${encoded}`);
    expect((await found.get(`/files/main/torch/${encoded}`)).status).toBe(200);
    expect(files.count(`/r2/${encoded}`)).toBe(1);
  });
});

describe('hosts of files', () => {
  const sdist = { filename: 'foo-1.0.tar.gz', url: '', hashes: {} };
  const page = (url: string) => ({
    body: JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'foo', files: [{ ...sdist, url }] }),
    type: JSON_V1,
  });

  test('may be pinned: then no page can lead elsewhere', async () => {
    origin.set('/simple/foo/', page(`${files.url}/foo-1.0.tar.gz`));
    files.set('/foo-1.0.tar.gz', { body: 'x' });
    const found = await startOver({ url: `${origin.url}/simple/`, fileHosts: ['files.example'] });
    const answer = await found.get('/files/main/foo/foo-1.0.tar.gz');
    expect(answer.status).toBe(502);
    expect(answer.text).toContain(`${files.host} is not among the hosts`);
    expect(files.calls()).toEqual([]);
  });

  test('are never told the credentials of the index', async () => {
    origin.set('/simple/foo/', page(`${files.url}/foo-1.0.tar.gz`));
    files.set('/foo-1.0.tar.gz', { body: 'x' });
    const found = await startOver({ url: `${origin.url}/simple/`, username: 'u', password: 'p' });
    expect((await found.get('/files/main/foo/foo-1.0.tar.gz')).status).toBe(200);
    const basic = `Basic ${Buffer.from('u:p').toString('base64')}`;
    expect(origin.calls('/simple/foo/')[0]!.headers.authorization).toBe(basic);
    expect(files.calls()[0]!.headers.authorization).toBeUndefined();
  });

  test("are never told a client's own token, and neither is the index", async () => {
    origin.set('/simple/foo/', page('/foo-1.0.tar.gz'));
    origin.set('/foo-1.0.tar.gz', { body: 'x' });
    const found = await startOver({ url: `${origin.url}/simple/` });
    await found.get('/files/main/foo/foo-1.0.tar.gz', { authorization: 'Bearer client-secret', cookie: 'a=b' });
    for (const call of origin.calls()) {
      expect(call.headers.authorization).toBeUndefined();
      expect(call.headers.cookie).toBeUndefined();
    }
  });
});

test('an index is asked for JSON first, and for compressed pages, but never for compressed files', async () => {
  origin.set('/simple/foo/', html('<a href="/foo-1.0.tar.gz">foo-1.0.tar.gz</a>'));
  origin.set('/foo-1.0.tar.gz', { body: 'x' });
  const found = await startOver({ url: `${origin.url}/simple/` });
  await found.get('/files/main/foo/foo-1.0.tar.gz');
  const [page] = origin.calls('/simple/foo/');
  expect(page!.headers.accept).toMatch(/^application\/vnd\.pypi\.simple\.v1\+json,.*text\/html;q=0\.01/);
  expect(page!.headers['accept-encoding']).toMatch(/gzip/);
  expect(origin.calls('/foo-1.0.tar.gz')[0]!.headers['accept-encoding']).toBe('identity');
});

test('a page that is no page is an error of the origin, in words', async () => {
  origin.set('/simple/foo/', { body: '{"broken', type: JSON_V1 });
  const found = await startOver({ url: `${origin.url}/simple/` });
  const answer = await found.get('/simple/foo/');
  expect(answer.status).toBe(502);
  expect(answer.text).toMatch(/cannot be used: it is not JSON/);
});
