import { describe, expect, test } from 'vitest';
import { parseJsonPage, parseJsonRoot, readKeptRecord } from '../../../services/pypi/parse-json.ts';

const URL_OF_PAGE = 'http://index.example/simple/foo/';
const SHA = 'A'.repeat(64);

function parse(page: object, dropped?: (name: string) => void) {
  return parseJsonPage(Buffer.from(JSON.stringify(page)), URL_OF_PAGE, 'foo', dropped);
}

const page = (...files: object[]) => ({ meta: { 'api-version': '1.4' }, name: 'foo', versions: ['1.0'], files });
const file = (more: object = {}) => ({ filename: 'foo-1.0.tar.gz', url: 'foo-1.0.tar.gz', hashes: {}, ...more });

describe('a page in JSON', () => {
  test('gives every fact that the API knows', () => {
    const full = file({
      url: '../../files/foo-1.0.tar.gz#sha256=x',
      hashes: { sha256: SHA, md5: 'b'.repeat(32) },
      size: 7,
      'upload-time': '2026-01-02T03:04:05.678900Z',
      'requires-python': '>=3.9',
      yanked: 'broken',
      'core-metadata': { sha256: SHA },
      provenance: '/integrity/foo',
    });
    const parsed = parse({
      ...page(full),
      meta: { 'api-version': '1.4', '_last-serial': 12, _secret: 'x' },
      'project-status': { status: 'archived', reason: 'gone fishing' },
      _private: { token: 'x' },
    });
    expect(parsed).toEqual({
      name: 'foo',
      versions: ['1.0'],
      lastSerial: 12,
      status: { status: 'archived', reason: 'gone fishing' },
      files: [
        {
          filename: 'foo-1.0.tar.gz',
          url: 'http://index.example/files/foo-1.0.tar.gz',
          hashes: { sha256: 'a'.repeat(64), md5: 'b'.repeat(32) },
          size: 7,
          'upload-time': '2026-01-02T03:04:05.678900Z',
          'requires-python': '>=3.9',
          yanked: 'broken',
          'core-metadata': { sha256: 'a'.repeat(64) },
          provenance: 'http://index.example/integrity/foo',
        },
      ],
    });
  });

  test.each([
    ['core-metadata', true, true],
    ['dist-info-metadata', { sha256: SHA }, { sha256: 'a'.repeat(64) }],
    ['data-dist-info-metadata', true, true],
    ['core-metadata', { sha512: 'c'.repeat(128) }, true],
    ['core-metadata', { sha256: 'no digest' }, true],
    ['core-metadata', null, false],
  ])('takes METADATA from %s: %j', (key, value, expected) => {
    expect(parse(page(file({ [key]: value }))).files[0]!['core-metadata']).toEqual(expected);
  });

  test('of API 1.0 gets its versions from its files', () => {
    const old = { meta: { 'api-version': '1.0' }, name: 'foo', files: [file(), file({ filename: 'foo-2.0.tar.gz' })] };
    expect(parse(old).versions).toEqual(['1.0', '2.0']);
  });

  test.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05+02:00', '2026-01-02T01:04:05.000Z'],
    ['2026-01-02T03:04:05.1234567Z', '2026-01-02T03:04:05.123Z'],
    ['yesterday', undefined],
    ['', undefined],
  ])('has the upload time %j told as the API tells it', (text, expected) => {
    expect(parse(page(file({ 'upload-time': text }))).files[0]!['upload-time']).toBe(expected);
  });

  test('loses files that cannot be used, and says which', () => {
    const dropped: string[] = [];
    const parsed = parse(
      page(
        file(),
        file({ filename: '../../etc/passwd' }),
        file({ filename: 'foo-1.0.whl' }),
        file({ filename: 'foo-2.0.tar.gz', url: 'javascript:alert(1)' }),
        file({ filename: 'foo-3.0.tar.gz', url: 'file:///etc/passwd' }),
        file({ filename: 'foo-4.0.tar.gz', size: -1 }),
        file({ filename: 'foo-5.0.tar.gz', hashes: { sha256: 5 } }),
        { url: 'x' },
        null as never,
        'text' as never,
      ),
      (name) => dropped.push(name),
    );
    expect(parsed.files.map((one) => one.filename)).toEqual(['foo-1.0.tar.gz']);
    expect(dropped).toHaveLength(9);
    expect(dropped).toContain('../../etc/passwd');
  });

  test('loses hashes that are none, and users in links', () => {
    const [only] = parse(
      page(
        file({ url: 'http://user:secret@files.example/foo-1.0.tar.gz', hashes: { sha256: '"><script>', md5: 'zz' } }),
      ),
    ).files;
    expect(only!.hashes).toEqual({});
    expect(only!.url).toBe('http://files.example/foo-1.0.tar.gz');
  });

  test('may say its status as one word, and nonsense in its place is passed over', () => {
    expect(parse({ ...page(), 'project-status': 'quarantined' }).status).toEqual({ status: 'quarantined' });
    expect(parse({ ...page(), 'project-status': 7 }).status).toBeUndefined();
    expect(parse({ ...page(), meta: { 'api-version': '1.4', '_last-serial': 'x' } }).lastSerial).toBeUndefined();
  });

  test.each([
    ['no JSON', '<html>'],
    ['a list', '[]'],
    ['no files', '{"meta":{"api-version":"1.0"},"name":"foo"}'],
    ['no version of the API', '{"meta":{},"name":"foo","files":[]}'],
    ['another major version', '{"meta":{"api-version":"2.0"},"name":"foo","files":[]}'],
    ['version ten', '{"meta":{"api-version":"10.0"},"name":"foo","files":[]}'],
  ])('that is %s is refused without its query', (_what, text) => {
    const parsing = () => parseJsonPage(Buffer.from(text), `${URL_OF_PAGE}?token=secret`, 'foo');
    expect(parsing).toThrow(expect.objectContaining({ kind: 'upstream-failed' }));
    expect(parsing).not.toThrow(/secret/);
  });
});

test('a root list in JSON gives its names', () => {
  const bytes = Buffer.from(
    '{"meta":{"api-version":"1.4"},"projects":[{"name":"Foo","_last-serial":1},{"name":"bar"}]}',
  );
  expect(parseJsonRoot(bytes, URL_OF_PAGE)).toEqual(['Foo', 'bar']);
  expect(parseJsonRoot(Buffer.from('{"projects":[1,null,{"name":7},{"name":"a"}]}'), URL_OF_PAGE)).toEqual(['a']);
  for (const text of ['{"projects":1}', 'null', '[]'])
    expect(() => parseJsonRoot(Buffer.from(text), URL_OF_PAGE)).toThrow(/no list of projects/);
});

describe('what was kept with a file', () => {
  test('is read again, with and without an address', () => {
    const record = { filename: 'foo-1.0.tar.gz', url: '', hashes: {}, yanked: false, 'core-metadata': false };
    expect(readKeptRecord(JSON.stringify(record))).toEqual(record);
    const there = { ...record, url: 'http://files.example/foo-1.0.tar.gz' };
    expect(readKeptRecord(JSON.stringify(there))).toEqual(there);
  });

  test.each(['', '{', 'null', '7', '{"filename":"../x","url":""}', '{"filename":"foo-1.0.tar.gz","url":"ftp://x/y"}'])(
    'is not believed when it is %j',
    (text) => {
      expect(readKeptRecord(text)).toBeUndefined();
    },
  );
});
