import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { RenderedPage, RenderedPages } from '../../../services/pypi/rendered-pages.ts';

const text = 'a page '.repeat(1000);
const page = (stamp: string, length = text.length) => new RenderedPage(stamp, text.slice(0, length), undefined);

test('a page is the same text in every coding, and is compressed once', async () => {
  const one = page('s');
  expect((await one.bytes('identity')).toString()).toBe(text);
  expect(gunzipSync(await one.bytes('gzip')).toString()).toBe(text);
  expect(brotliDecompressSync(await one.bytes('br')).toString()).toBe(text);
  expect(zstdDecompressSync(await one.bytes('zstd')).toString()).toBe(text);
  const [first, second] = await Promise.all([one.bytes('gzip'), one.bytes('gzip')]);
  expect(first).toBe(second);
});

test('every representation has a strong tag of its own, which the same text has again', () => {
  const tags = (['identity', 'gzip', 'br', 'zstd'] as const).map((coding) => page('s').etag(coding));
  expect(new Set(tags).size).toBe(4);
  for (const tag of tags) expect(tag).toMatch(/^"[\w-]+"$/);
  expect(page('other stamp').etag('gzip')).toBe(page('s').etag('gzip'));
  expect(page('s', 10).etag('gzip')).not.toBe(page('s').etag('gzip'));
});

test('a page is rendered when its stamp changes, and only then', () => {
  const pages = new RenderedPages(() => 0);
  let rendered = 0;
  const render = (stamp: string) => () => {
    rendered += 1;
    return page(stamp);
  };
  const first = pages.current('k', 'one', 1, render('one'));
  expect(pages.current('k', 'one', 2, render('one'))).toBe(first);
  expect(pages.current('k', 'two', 2, render('two'))).not.toBe(first);
  expect(pages.known('k', 'one', 2)).toBeUndefined();
  expect(rendered).toBe(2);
});

test('a page is trusted for a second, as long as no name has changed', () => {
  let now = 0;
  const pages = new RenderedPages(() => now);
  const one = pages.current('k', 's', 7, () => page('s'));
  expect(pages.trusted('k', 7)).toBe(one);
  expect(pages.trusted('k', 8)).toBeUndefined();
  now = 999;
  expect(pages.trusted('k', 7)).toBe(one);
  now = 1000;
  expect(pages.trusted('k', 7)).toBeUndefined();
  now = -1;
  expect(pages.trusted('k', 7)).toBeUndefined();
});

test('the pages that were not used for longest go when there is no room', () => {
  const pages = new RenderedPages(() => 0, 3 * page('s').weight);
  for (const key of ['a', 'b', 'c']) pages.current(key, 's', 1, () => page('s'));
  pages.known('a', 's', 1);
  pages.current('d', 's', 1, () => page('s'));
  expect(['a', 'b', 'c', 'd'].filter((key) => pages.known(key, 's', 1))).toEqual(['a', 'c', 'd']);
});

test('a page that is larger than the room is kept alone, and its room is given back', () => {
  const pages = new RenderedPages(() => 0, 2 * page('s').weight);
  pages.current('small', 's', 1, () => page('s', 10));
  const large = new RenderedPage('s', text.repeat(10), undefined);
  pages.current('large', 's', 1, () => large);
  expect(pages.known('small', 's', 1)).toBeUndefined();
  expect(pages.known('large', 's', 1)).toBe(large);
  for (const key of ['a', 'b']) pages.current(key, 's', 1, () => page('s'));
  expect(['large', 'a', 'b'].filter((key) => pages.known(key, 's', 1))).toEqual(['a', 'b']);
});
