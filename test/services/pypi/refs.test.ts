import { describe, expect, test } from 'vitest';
import { configSchema } from '../../../services/pypi/config.ts';
import type { Origin } from '../../../services/pypi/origins.ts';
import type { FileRecord } from '../../../services/pypi/project-page.ts';
import {
  filePath,
  fileRef,
  metadataRef,
  packagesPath,
  pageRef,
  parseFileAddress,
  provenanceRef,
} from '../../../services/pypi/refs.ts';

const HEX60 = 'c'.repeat(60);
const WHEEL = 'foo-1.0+cu121-py3-none-any.whl';

const record: FileRecord = {
  filename: WHEEL,
  url: `http://files.example/packages/aa/bb/${HEX60}/foo-1.0%2Bcu121-py3-none-any.whl`,
  hashes: { sha256: 'a'.repeat(64), md5: 'b'.repeat(32), blake2b_256: 'd'.repeat(64) },
  size: 10,
  yanked: false,
  'core-metadata': { sha256: 'e'.repeat(64) },
  provenance: 'http://index.example/integrity/foo',
};

const origin = (kind: Origin['kind'], url: string) => ({ name: 'main', kind, url }) as Origin;

describe('an address of a file', () => {
  test.each([
    [`/packages/aa/bb/${HEX60}/${WHEEL}`, { project: 'foo', version: '1.0+cu121', what: 'file' }],
    [`/packages/aa/bb/${HEX60}/foo-1.0%2Bcu121-py3-none-any.whl`, { filename: WHEEL, what: 'file' }],
    [`/packages/aa/bb/${HEX60}/${WHEEL}.metadata`, { filename: WHEEL, what: 'metadata' }],
    [`/files/torch/foo/${WHEEL}`, { origin: 'torch', project: 'foo', filename: WHEEL, what: 'file' }],
    [`/files/private/foo/${WHEEL}.metadata`, { origin: 'private', what: 'metadata' }],
    ['/files/main/foo-3/foo-3-1.tar.gz', { project: 'foo-3', version: '1' }],
  ])('%s', (path, expected) => {
    expect(parseFileAddress(path)).toMatchObject(expected);
  });

  test('in the layout of lock files keeps its path, decoded', () => {
    expect(parseFileAddress(`/packages/aa/bb/${HEX60}/foo-1.0%2Bcu121-py3-none-any.whl`)?.path).toBe(
      `packages/aa/bb/${HEX60}/${WHEEL}`,
    );
  });

  test.each([
    '/packages/aa/bb/short/foo-1.0.tar.gz',
    `/packages/AA/bb/${HEX60}/foo-1.0.tar.gz`,
    `/packages/aa/bb/${HEX60}/`,
    `/packages/aa/bb/${HEX60}/a%2Ffoo-1.0.tar.gz`,
    `/packages/aa/bb/${HEX60}/foo-1.0.tar.gz/more`,
    '/files/main/foo/..',
    '/files/main/foo/%2e%2e',
    '/files/main/foo/%252e%252e',
    '/files/main/Foo/foo-1.0.tar.gz',
    '/files/../foo/foo-1.0.tar.gz',
    '/files/main/foo/foo-1.0%0a.tar.gz',
    '/files/main/foo/foo-1.0%ff.tar.gz',
    '/files/main/foo/foo-1.0%2.tar.gz',
    '/files/main/foo/foo%252D1.0.tar.gz',
    '/files/main/foo/readme.txt',
    '/files/main/foo/.metadata',
    '/other/foo-1.0.tar.gz',
  ])('is not %s', (path) => {
    expect(parseFileAddress(path)).toBeUndefined();
  });
});

describe('our path of a file', () => {
  test('is the one of the index where that has the shape lock files know, with + as %2B', () => {
    expect(filePath('main', 'foo', record)).toBe(`packages/aa/bb/${HEX60}/foo-1.0%2Bcu121-py3-none-any.whl`);
  });

  test.each([
    ['http://files.example/whl/cu121/foo-1.0%2Bcu121-py3-none-any.whl'],
    [''],
    [`http://files.example/packages/aa/bb/${HEX60}/other-1.0.tar.gz`],
  ])('is one of our own for %s', (url) => {
    expect(filePath('main', 'foo', { ...record, url })).toBe('files/main/foo/foo-1.0%2Bcu121-py3-none-any.whl');
  });

  test('leads back to the same file', () => {
    for (const url of [record.url, 'http://files.example/whl/foo.whl']) {
      const address = parseFileAddress(`/${filePath('main', 'foo', { ...record, url })}`);
      expect(address).toMatchObject({ filename: WHEEL, project: 'foo' });
      if (address?.path) expect(address.path).toBe(packagesPath(url));
    }
  });
});

describe('a ref', () => {
  const config = configSchema.parse({});

  test('of a page is fresh for ten minutes and stale for a day, and names its want', () => {
    expect(pageRef(origin('simple', 'http://index.example/simple/'), 'foo', config)).toMatchObject({
      key: 'index/main/foo',
      source: 'http://index.example/simple/foo/',
      freshness: { fresh: 600, stale: 86_400 },
      want: { python: 'foo' },
    });
  });

  test('of a flat page is the same for all projects', () => {
    const flat = origin('find-links', 'http://index.example/links.html');
    expect(pageRef(flat, 'foo', config)).toMatchObject({
      key: 'index/main/',
      source: 'http://index.example/links.html',
    });
  });

  test('of a root list wants nothing', () => {
    expect(pageRef(origin('simple', 'http://index.example/simple/'), '', config)).toMatchObject({
      key: 'index/main/',
      source: 'http://index.example/simple/',
    });
    expect(pageRef(origin('simple', 'http://index.example/simple/'), '', config).want).toBeUndefined();
  });

  test('of a file promises what the page promises, keeps its facts and never grows old', () => {
    const ref = fileRef('main', 'foo', record);
    expect(ref).toMatchObject({
      key: `file/main/foo/${WHEEL}`,
      source: record.url,
      freshness: 'immutable',
      promised: { size: 10, sha256: 'a'.repeat(64), others: { md5: 'b'.repeat(32) } },
      want: { python: 'foo==1.0+cu121' },
    });
    expect(JSON.parse(ref.keep!['x-larder-file']!)).toEqual(record);
    // a hash that cannot be checked is no promise
    expect(ref.promised!.others).not.toHaveProperty('blake2b_256');
  });

  test('of METADATA promises the hash on the page, and has no source where the origin has none', () => {
    expect(metadataRef('main', 'foo', record)).toMatchObject({
      key: `metadata/main/foo/${WHEEL}`,
      source: `${record.url}.metadata`,
      promised: { sha256: 'e'.repeat(64) },
    });
    expect(metadataRef('main', 'foo', { ...record, 'core-metadata': true }).promised).toBeUndefined();
    expect(metadataRef('main', 'foo', { ...record, 'core-metadata': false }).source).toBe('');
  });

  test('of attestations is asked for again now and then', () => {
    const ref = provenanceRef('main', 'foo', { ...record, provenance: record.provenance! });
    expect(ref).toMatchObject({ key: `provenance/main/foo/${WHEEL}`, source: record.provenance });
    expect(ref.freshness).not.toBe('immutable');
  });
});
