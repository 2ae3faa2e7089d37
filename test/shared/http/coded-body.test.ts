import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CodedBody } from '../../../shared/http/coded-body.ts';

const text = 'a page '.repeat(1000);

test('a body is the same text in every coding, and is compressed once', async () => {
  const one = new CodedBody(text);
  expect((await one.bytes('identity')).toString()).toBe(text);
  expect(gunzipSync(await one.bytes('gzip')).toString()).toBe(text);
  expect(brotliDecompressSync(await one.bytes('br')).toString()).toBe(text);
  expect(zstdDecompressSync(await one.bytes('zstd')).toString()).toBe(text);
  const [first, second] = await Promise.all([one.bytes('gzip'), one.bytes('gzip')]);
  expect(first).toBe(second);
});

test('every representation has a strong tag of its own, which the same text has again', () => {
  const body = new CodedBody(text);
  const tags = (['identity', 'gzip', 'br', 'zstd'] as const).map((coding) => body.etag(coding));
  expect(new Set(tags).size).toBe(4);
  for (const tag of tags) expect(tag).toMatch(/^"[\w-]+"$/);
  expect(new CodedBody(text).etag('gzip')).toBe(body.etag('gzip'));
  expect(new CodedBody(text.slice(0, 10)).etag('gzip')).not.toBe(body.etag('gzip'));
});
