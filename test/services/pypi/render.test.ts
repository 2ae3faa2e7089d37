import { describe, expect, test } from 'vitest';
import { parseHtmlPage } from '../../../services/pypi/parse-html.ts';
import { parseJsonPage } from '../../../services/pypi/parse-json.ts';
import type { FileRecord, ProjectPage } from '../../../services/pypi/project-page.ts';
import { type Links, renderHtmlPage, renderJsonPage, rootPieces } from '../../../services/pypi/render.ts';

const SHA = 'a'.repeat(64);
const wheel: FileRecord = {
  filename: 'foo-1.0+local-py3-none-any.whl',
  url: 'http://files.example/foo.whl',
  hashes: { sha256: SHA },
  size: 7,
  'upload-time': '2026-01-02T03:04:05Z',
  'requires-python': '>=3.9,<4',
  yanked: 'broken & "bad"',
  'core-metadata': { sha256: SHA },
  provenance: 'http://index.example/prov',
};
const sdist: FileRecord = {
  filename: 'foo-1.0.tar.gz',
  url: 'http://files.example/foo-1.0.tar.gz',
  hashes: {},
  size: 9,
  yanked: false,
  'core-metadata': false,
};
const page: ProjectPage = { name: 'foo', files: [wheel, sdist], versions: ['1.0+local', '1.0'], lastSerial: 5 };
const links: Links = {
  file: (file) => `../../files/main/foo/${encodeURIComponent(file.filename)}`,
  provenance: (file) => file.provenance && `http://larder.example/integrity/foo/1.0/${file.filename}/provenance`,
};
const json = (some: ProjectPage) => JSON.parse(renderJsonPage(some, links, { listed: some.files.length }));
const html = (some: ProjectPage) => renderHtmlPage(some, links);

describe('in JSON', () => {
  test('a page says everything, of API 1.4', () => {
    expect(json(page)).toEqual({
      meta: { 'api-version': '1.4', '_last-serial': 5 },
      name: 'foo',
      versions: ['1.0+local', '1.0'],
      files: [
        {
          filename: 'foo-1.0+local-py3-none-any.whl',
          url: '../../files/main/foo/foo-1.0%2Blocal-py3-none-any.whl',
          hashes: { sha256: SHA },
          size: 7,
          'upload-time': '2026-01-02T03:04:05Z',
          'requires-python': '>=3.9,<4',
          yanked: 'broken & "bad"',
          'core-metadata': { sha256: SHA },
          'data-dist-info-metadata': { sha256: SHA },
          provenance: 'http://larder.example/integrity/foo/1.0/foo-1.0+local-py3-none-any.whl/provenance',
        },
        {
          filename: 'foo-1.0.tar.gz',
          url: '../../files/main/foo/foo-1.0.tar.gz',
          hashes: {},
          size: 9,
          yanked: false,
          'core-metadata': false,
          'data-dist-info-metadata': false,
        },
      ],
      _larder: { listed: 2 },
    });
  });

  test('a page on which one file has no size is of API 1.0, and claims nothing of what came later', () => {
    const old = json({ ...page, files: [wheel, { ...sdist, size: undefined }], status: { status: 'archived' } });
    expect(old.meta['api-version']).toBe('1.0');
    expect(old).not.toHaveProperty('versions');
    expect(old).not.toHaveProperty('project-status');
  });

  test('METADATA is offered for every wheel, also where the origin has none, and for no sdist', () => {
    const files = [{ ...wheel, 'core-metadata': false as const }, sdist];
    expect(json({ ...page, files }).files.map((file: Record<string, unknown>) => file['core-metadata'])).toEqual([
      true,
      false,
    ]);
  });

  test('the key that pip 22.2 to 23.0 fails on is left out', () => {
    expect(renderJsonPage(page, links, { listed: 2 })).not.toContain('"dist-info-metadata"');
  });

  test('a status is told', () => {
    const status = { status: 'archived', reason: 'done' };
    expect(json({ ...page, status })['project-status']).toEqual(status);
  });
});

describe('in HTML', () => {
  test('a page says the same, with both names for METADATA', () => {
    const text = html({ ...page, status: { status: 'archived', reason: '"x" & y' } });
    const parsed = parseHtmlPage(Buffer.from(text), 'http://larder.example/simple/foo/', 'foo');
    expect(parsed).toEqual({
      name: 'foo',
      versions: ['1.0+local', '1.0'],
      status: { status: 'archived', reason: '"x" & y' },
      files: [
        {
          filename: wheel.filename,
          url: 'http://larder.example/files/main/foo/foo-1.0%2Blocal-py3-none-any.whl',
          hashes: wheel.hashes,
          yanked: wheel.yanked,
          'requires-python': wheel['requires-python'],
          'core-metadata': wheel['core-metadata'],
          provenance: 'http://larder.example/integrity/foo/1.0/foo-1.0+local-py3-none-any.whl/provenance',
        },
        {
          filename: sdist.filename,
          url: 'http://larder.example/files/main/foo/foo-1.0.tar.gz',
          hashes: {},
          yanked: false,
          'core-metadata': false,
        },
      ],
    });
    expect(text).toContain(`data-core-metadata="sha256=${SHA}"`);
    expect(text).toContain(`data-dist-info-metadata="sha256=${SHA}"`);
    expect(text).toContain('<meta name="pypi:repository-version" content="1.4">');
  });

  test('nothing that an origin says can break out', () => {
    const evil = '"><script>alert(1)</script>\'&';
    const text = html({
      ...page,
      name: evil,
      status: { status: evil, reason: evil },
      files: [{ ...wheel, yanked: evil, 'requires-python': evil, filename: evil }],
    });
    expect(text).not.toContain('<script');
    expect(text.match(/<(?!\/?(html|head|meta|title|body|h1|a|br|!DOCTYPE)\b)/g)).toBeNull();
  });

  test('a link has the strongest hash that installers know', () => {
    const some = (hashes: Record<string, string>) => html({ ...page, files: [{ ...sdist, hashes }] });
    expect(some({ md5: 'b'.repeat(32), sha256: SHA })).toContain(`#sha256=${SHA}"`);
    expect(some({ md5: 'b'.repeat(32) })).toContain(`#md5=${'b'.repeat(32)}"`);
    expect(some({ blake2b: 'c'.repeat(64) })).toContain(`#blake2b=${'c'.repeat(64)}"`);
    expect(some({})).toContain('foo-1.0.tar.gz"');
  });
});

test('what is rendered is read as the same page', () => {
  const text = renderJsonPage(page, { file: (file) => file.url, provenance: (file) => file.provenance }, { listed: 2 });
  expect(parseJsonPage(Buffer.from(text), 'http://larder.example/simple/foo/', 'foo')).toEqual(page);
});

describe('the list of all names', () => {
  const names = Array.from({ length: 12_000 }, (_, number) => `p${number}`);
  const whole = (format: 'json' | 'html', some: string[], serial?: number) =>
    [...rootPieces(some, format, serial)].join('');

  test('is JSON, however long', () => {
    expect(JSON.parse(whole('json', names, 3))).toEqual({
      meta: { 'api-version': '1.4', '_last-serial': 3 },
      projects: names.map((name) => ({ name })),
    });
    expect(JSON.parse(whole('json', []))).toEqual({ meta: { 'api-version': '1.4' }, projects: [] });
  });

  test('is HTML, however long', () => {
    expect(whole('html', names).match(/<a href="p\d+\/">p\d+<\/a>/g)).toHaveLength(12_000);
    expect(whole('html', [])).toMatch(/<body>\s*<\/body>\s*<\/html>\s*$/);
  });
});
