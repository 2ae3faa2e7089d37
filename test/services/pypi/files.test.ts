import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { buildSdist, buildWheel } from '../../support/wheels.ts';
import { type Index, JSON_V1, startIndex } from './support.ts';

let origin: OriginServer;
let packages: PackageIndex;
let index: Index;
const wheel = buildWheel({ name: 'foo', version: '1.0', files: { 'foo/data.bin': Buffer.alloc(50_000, 'data') } });
const PATH = `/files/main/foo/${wheel.filename}`;
const AT_ORIGIN = `/files/${wheel.filename}`;

beforeEach(async () => {
  origin = await startOriginServer();
  packages = new PackageIndex(origin);
  index = await startIndex({ origins: [{ name: 'main', url: packages.url }] });
  packages.offer(wheel, { provenance: true });
});

afterEach(async () => {
  await index.close();
  await origin.close();
});

describe('a file', () => {
  test('is immutable, tagged by its digest, and as large as it says', async () => {
    const answer = await index.get(PATH);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe(`"${wheel.sha256}"`);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.get('content-length')).toBe(String(wheel.bytes.length));
    expect(answer.headers.get('accept-ranges')).toBe('bytes');
    expect(answer.headers.get('content-encoding')).toBeNull();
  });

  test('that is not held tells its facts by HEAD without being fetched', async () => {
    const answer = await index.get(PATH, {}, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-length')).toBe(String(wheel.bytes.length));
    expect(answer.headers.get('etag')).toBe(`"${wheel.sha256}"`);
    expect(origin.count(AT_ORIGIN)).toBe(0);
  });

  test('that is held is found without a page, and without the origin', async () => {
    await index.get(PATH);
    await index.settled();
    await index.context.catalog.delete('index/main/foo');
    await origin.goDark();
    expect((await index.get(PATH)).headers.get('x-larder-served')).toBe('hit');
  });

  test('whose bytes are not those of the page never looks complete', async () => {
    origin.set(AT_ORIGIN, { body: Buffer.alloc(wheel.bytes.length, 'x') });
    await expect(index.get(PATH)).rejects.toThrow();
    await index.settled();
    expect(await index.context.catalog.get(`file/main/foo/${wheel.filename}`)).toBeUndefined();
  });

  test.each([
    ['no page names', '/files/main/foo/foo-9.0-py3-none-any.whl', /on no page of the project "foo"/],
    ['no project has', '/files/main/nobody/nobody-1.0.tar.gz', /on no page/],
    ['no index has', '/files/nowhere/foo/foo-1.0-py3-none-any.whl', /on no page/],
    ['nobody uploaded', '/files/private/foo/foo-1.0-py3-none-any.whl', /was not uploaded/],
    ['is none', '/files/main/foo/readme.txt', /no address of a file/],
  ])('that %s is a 404 in words', async (_what, path, words) => {
    const answer = await index.get(path);
    expect(answer.status).toBe(404);
    expect(answer.text).toMatch(words);
  });
});

describe('an address out of a lock file', () => {
  const layout = (text: string) => {
    const hex = createHash('blake2b512').update(text).digest('hex').slice(0, 64);
    return `packages/${hex.slice(0, 2)}/${hex.slice(2, 4)}/${hex.slice(4)}`;
  };
  const offer = (name: string, filename: string, body: Buffer | string, at = origin) => {
    const path = `/${layout(filename)}/${encodeURIComponent(filename)}`;
    at.set(path, { body });
    const file = { filename, url: `${at.url}${path}`, hashes: {}, size: Buffer.byteLength(body) };
    const page = { meta: { 'api-version': '1.1' }, name, versions: [], files: [file] };
    at.set(`/simple/${name}/`, { body: JSON.stringify(page), type: JSON_V1 });
    return path;
  };

  test('is the same path here, before anybody saw the page, and on it', async () => {
    const path = offer('lock', 'lock-1.0+local.tar.gz', 'sdist');
    expect((await index.get(path)).text).toBe('sdist');
    expect((await index.page('lock')).files[0]!.url).toBe(`../..${path}`);
    expect((await index.get(path.replace('%2B', '+'))).text).toBe('sdist');
  });

  test('is of that path alone', async () => {
    const path = offer('lock', 'lock-1.0.tar.gz', 'sdist');
    const other = path.replace(/[0-9a-f]{60}/, 'f'.repeat(60));
    for (const one of [other, path.replace('1.0', '2.0')]) expect((await index.get(one)).status).toBe(404);
    await index.get(path);
    expect((await index.get(other)).status).toBe(404);
  });

  test('leads to an sdist whose name does not say where that of its project ends', async () => {
    const path = offer('foo-3', 'foo-3-1.tar.gz', 'sdist');
    origin.remove('/simple/foo/');
    expect((await index.get(path)).text).toBe('sdist');
    expect((await index.get(path)).status).toBe(200);
  });

  test('leads to the index that has it, although another one has the project', async () => {
    const other = await startOriginServer();
    const path = offer('foo', 'foo-7.0.tar.gz', 'theirs', other);
    const both = [
      { name: 'main', url: packages.url },
      { name: 'second', url: `${other.url}/simple/` },
    ];
    const wide = await index.again({ config: { origins: both } });
    expect((await wide.page('foo', '/second')).files[0]!.url).toBe(`../../..${path}`);
    expect((await wide.get(path)).text).toBe('theirs');
    await wide.close();
    await other.close();
  });
});

describe('METADATA', () => {
  test('is the bytes in the wheel, immutable, with ranges', async () => {
    const answer = await index.get(`${PATH}.metadata`);
    expect(answer.text).toBe(wheel.metadata!.toString());
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.get('content-length')).toBe(String(wheel.metadata!.length));
    const part = await index.get(`${PATH}.metadata`, { range: 'bytes=0-15' });
    expect([part.status, part.text]).toEqual([206, 'Metadata-Version']);
    expect(origin.count(AT_ORIGIN)).toBe(0);
  });

  test('of an sdist is not there', async () => {
    const sdist = packages.offer(await buildSdist({ name: 'foo', version: '0.5' }));
    expect((await index.get(`/files/main/foo/${sdist.filename}.metadata`)).status).toBe(404);
  });
});

describe('attestations', () => {
  const path = `/integrity/foo/1.0/${wheel.filename}/provenance`;

  test('come from the origin, and stay', async () => {
    expect(JSON.parse((await index.get(path)).text)).toEqual({ version: 1 });
    await origin.goDark();
    expect((await index.get(path)).status).toBe(200);
  });

  test.each([
    ['of another version', `/integrity/foo/2.0/${wheel.filename}/provenance`],
    ['of a file that is not there', '/integrity/foo/2.0/foo-2.0-py3-none-any.whl/provenance'],
    ['of a project that is not there', '/integrity/nobody/1.0/nobody-1.0.tar.gz/provenance'],
    ['of what is no name', '/integrity/%20/1.0/x/provenance'],
  ])('%s are a 404', async (_what, wrong) => {
    expect((await index.get(wrong)).status).toBe(404);
  });
});
