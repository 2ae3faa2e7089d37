import { describe, expect, test } from 'vitest';
import { parseHtmlPage, parseHtmlRoot } from '../../../services/pypi/parse-html.ts';
import { joinRootNames, readRootNames } from '../../../services/pypi/root-names.ts';

const PAGE = 'http://index.example/simple/foo/';
const SHA = 'a'.repeat(64);

const parse = (html: string, url = PAGE, project = 'foo') => parseHtmlPage(Buffer.from(html), url, project);
const first = (html: string) => parse(html).files[0]!;

describe('a page in HTML', () => {
  test('gives its files with all that attributes say', () => {
    const html = `<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4">
      <meta name="pypi:project-status" content="archived"><meta name="pypi:project-status-reason" content="a &amp; b">
      </head><body>
      <a href="../../packages/foo-1.0-py3-none-any.whl#sha256=${SHA}" data-requires-python="&gt;=3.9,&lt;4"
         data-core-metadata="sha256=${SHA}" data-yanked="a &quot;reason&quot;" data-gpg-sig="true"
         data-provenance="https://index.example/prov">foo-1.0-py3-none-any.whl</a>
      </body></html>`;
    expect(parse(html)).toEqual({
      name: 'foo',
      versions: ['1.0'],
      status: { status: 'archived', reason: 'a & b' },
      files: [
        {
          filename: 'foo-1.0-py3-none-any.whl',
          url: 'http://index.example/packages/foo-1.0-py3-none-any.whl',
          hashes: { sha256: SHA },
          yanked: 'a "reason"',
          'requires-python': '>=3.9,<4',
          'core-metadata': { sha256: SHA },
          provenance: 'https://index.example/prov',
        },
      ],
    });
  });

  test.each([
    ['data-core-metadata="true"', true],
    ['data-dist-info-metadata="true"', true],
    ['data-core-metadata', true],
    [`data-dist-info-metadata="sha256=${SHA}"`, { sha256: SHA }],
    [`data-core-metadata="sha256=${SHA}" data-dist-info-metadata="sha256=${'b'.repeat(64)}"`, { sha256: SHA }],
    ['data-core-metadata="false"', false],
    ['', false],
  ])('has METADATA by %s', (attribute, expected) => {
    expect(first(`<a href="foo-1.0-py3-none-any.whl" ${attribute}>x</a>`)['core-metadata']).toEqual(expected);
  });

  test.each([
    ['data-yanked', true],
    ['data-yanked=""', true],
    ['data-yanked="why"', 'why'],
    ['', false],
  ])('is yanked by %j: %j', (attribute, expected) => {
    expect(first(`<a href="foo-1.0.tar.gz" ${attribute}>foo-1.0.tar.gz</a>`).yanked).toBe(expected);
  });

  test.each([
    [`#sha256=${SHA}`, { sha256: SHA }],
    [`#md5=${'b'.repeat(32)}`, { md5: 'b'.repeat(32) }],
    [`#blake2b=${'c'.repeat(128)}`, { blake2b: 'c'.repeat(128) }],
    [`#egg=foo&sha512=${'D'.repeat(128)}`, { sha512: 'd'.repeat(128) }],
    [`?x=1&sha256=${SHA}`, {}],
    ['#sha256=nonsense', {}],
    ['#egg=foo-1.0', {}],
    ['', {}],
  ])('has the hashes of the fragment %s', (fragment, expected) => {
    expect(first(`<a href="foo-1.0.tar.gz${fragment}">foo-1.0.tar.gz</a>`).hashes).toEqual(expected);
  });

  test('takes the name of a file from the link where the text is another, decoded once', () => {
    expect(first('<a href="/x/foo-1.0%2Bcu121-py3-none-any.whl">download</a>').filename).toBe(
      'foo-1.0+cu121-py3-none-any.whl',
    );
    expect(parse('<a href="/x/foo-1.0%252Bcu121.tar.gz">download</a>').files).toEqual([]);
  });

  test('of PyTorch has links from the root, and to other hosts', () => {
    const html = `<a href="/whl/cu121/foo-1.0%2Bcu121-cp312-cp312-linux_x86_64.whl#sha256=${SHA}">foo-1.0+cu121-cp312-cp312-linux_x86_64.whl</a><br/>
      <a href="https://other.example/whl/foo-1.1-cp312-cp312-linux_x86_64.whl">foo-1.1-cp312-cp312-linux_x86_64.whl</a>`;
    expect(parse(html, 'https://index.example/whl/cu121/foo/').files.map((file) => file.url)).toEqual([
      'https://index.example/whl/cu121/foo-1.0%2Bcu121-cp312-cp312-linux_x86_64.whl',
      'https://other.example/whl/foo-1.1-cp312-cp312-linux_x86_64.whl',
    ]);
  });

  test('has its links relative to its first base', () => {
    const html = '<base href="/elsewhere/"><base href="/no/"><a href="foo-1.0.tar.gz">foo-1.0.tar.gz</a>';
    expect(first(html).url).toBe('http://index.example/elsewhere/foo-1.0.tar.gz');
    expect(first('<base href="javascript:x"><a href="foo-1.0.tar.gz">x</a>').url).toBe(`${PAGE}foo-1.0.tar.gz`);
  });

  test('that is flat has the files of other projects left out', () => {
    const html = ['foo-1.0.tar.gz', 'Foo_Bar-1.0.tar.gz', 'FOO-2.0.tar.gz', 'bar-1.0.zip', '../', 'style.css']
      .map((name) => `<a href="${name}">${name}</a>`)
      .join('\n');
    expect(parse(html).files.map((file) => file.filename)).toEqual(['foo-1.0.tar.gz', 'FOO-2.0.tar.gz']);
    expect(parse(html, PAGE, 'foo-bar').files.map((file) => file.filename)).toEqual(['Foo_Bar-1.0.tar.gz']);
  });

  test('offers a file once, and nothing that is no http', () => {
    const html = `<a href="foo-1.0.tar.gz">foo-1.0.tar.gz</a><a href="/again/foo-1.0.tar.gz">foo-1.0.tar.gz</a>
      <a href="javascript:foo-2.0.tar.gz">foo-2.0.tar.gz</a><a href="file:///foo-3.0.tar.gz">foo-3.0.tar.gz</a>
      <a href="data:text/html,foo-4.0.tar.gz">foo-4.0.tar.gz</a><a>foo-5.0.tar.gz</a><a href="http://[">foo-6.0.tar.gz</a>`;
    expect(parse(html).files.map((file) => file.url)).toEqual([`${PAGE}foo-1.0.tar.gz`]);
  });

  test('of another major version is refused', () => {
    const html = '<meta name="pypi:repository-version" content="2.0"><a href="foo-1.0.tar.gz">x</a>';
    expect(() => parse(html)).toThrow(/API version is 2.0/);
  });

  test('that is broken gives what can be read of it', () => {
    expect(parse('<a href="foo-1.0.tar.gz">foo-1.0.tar.gz<a href=foo-2.0.tar.gz>foo-2.0.tar.gz').files).toHaveLength(2);
    expect(parse('').files).toEqual([]);
    expect(parse('\0\xff<<<>>>').files).toEqual([]);
  });
});

describe('a root page', () => {
  test('gives the names of its links, with or without a slash', () => {
    const html = '<a href="foo/">foo</a><a href="bar/">bar/</a><a href="x"></a>';
    expect(parseHtmlRoot(Buffer.from(html), PAGE, false)).toEqual(['foo', 'bar']);
  });

  test('that is flat gives the projects of its files, each once', () => {
    const html =
      '<a href="foo-1.0.tar.gz">x</a><a href="foo-2.0.tar.gz">x</a><a href="b_c-1.0.zip">x</a><a href="x">y</a>';
    expect(parseHtmlRoot(Buffer.from(html), PAGE, true)).toEqual(['foo', 'b-c']);
  });

  test('is joined with others: normalised, sorted, each name once, what is no name left out', () => {
    const html = readRootNames(Buffer.from('<a>B_b</a><a href="x">../</a><a href="x">B_b</a><a href="y">a b</a>'), {
      url: PAGE,
      json: false,
      flat: false,
    });
    const json = readRootNames(Buffer.from('{"projects":[{"name":"b.b"},{"name":"a"},{"name":"<script>"}]}'), {
      url: PAGE,
      json: true,
      flat: false,
    });
    expect(joinRootNames([html, json, ['z']])).toEqual(['a', 'b-b', 'z']);
  });
});
