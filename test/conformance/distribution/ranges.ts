import { beforeAll, describe, expect, test } from 'vitest';
import { digestOf, fresh } from './content.ts';
import { newName } from './registry.ts';
import type { Use } from './site.ts';

/** "A registry SHOULD support the `Range` request header in accordance with RFC 9110 (section 14)" (spec.md#pulling-blobs). */
export function rangeConformance(use: Use): void {
  describe('ranges of a blob', () => {
    const name = newName('ranges');
    const blob = fresh(2048);
    const path = `/v2/${name}/blobs/${digestOf(blob)}`;
    const part = (range: string, headers = {}) => use().anybody.get(path, { range: `bytes=${range}`, ...headers });

    beforeAll(async () => {
      await use().writer.pushBlob(name, blob);
    });

    test.each([
      ['from here to there', '500-1499', 500, 1499],
      ['of one byte', '0-0', 0, 0],
      ['to its end', '500-', 500, 2047],
      ['from its end', '-500', 1548, 2047],
      ['that go on beyond it are clipped', '2000-5000', 2000, 2047],
      ['from its end, of more than there is, are the whole', '-5000', 0, 2047],
    ])('%s are given: %s', async (_what, range, start, end) => {
      const answer = await part(range);
      expect(answer.status).toBe(206);
      expect(answer.headers['content-range']).toBe(`bytes ${start}-${end}/2048`);
      expect(answer.headers['content-length']).toBe(`${end - start + 1}`);
      expect(answer.bytes.equals(blob.subarray(start, end + 1))).toBe(true);
      expect(answer.headers['docker-content-digest']).toBe(digestOf(blob));
    });

    test.each(['5000-10000', '2048-', '-0', '2048-2048'])('beyond it are refused with its size: %s', async (range) => {
      const answer = await part(range);
      expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */2048']);
    });

    // RFC 9110 §14.2: "MAY ignore or reject a Range header field that contains an invalid ranges-specifier"
    test.each(['500-0', 'a-b', ''])('that are none are not heard: "%s"', async (range) => {
      const answer = await part(range);
      expect([200, 416]).toContain(answer.status);
      if (answer.status === 200) expect(answer.bytes.equals(blob)).toBe(true);
    });

    test('in another unit are not heard', async () => {
      const answer = await use().anybody.get(path, { range: 'lines=1-2' });
      expect([answer.status, answer.bytes.length]).toEqual([200, 2048]);
    });

    // RFC 9110 §14.6: "a multipart/byteranges payload"
    test('may be several at once', async () => {
      const answer = await part('0-9,100-199,-5');
      expect(answer.status).toBe(206);
      const boundary = /^multipart\/byteranges; ?boundary=(\S+)$/.exec(answer.headers['content-type']!)?.[1];
      expect(boundary).toBeDefined();
      const parts = answer.bytes.toString('latin1').split(`--${boundary}`).slice(1, -1);
      expect(parts.map((one) => /content-range: (.*)\r\n/i.exec(one)?.[1])).toEqual([
        'bytes 0-9/2048',
        'bytes 100-199/2048',
        'bytes 2043-2047/2048',
      ]);
      const bodies = parts.map((one) => Buffer.from(one.slice(one.indexOf('\r\n\r\n') + 4, -2), 'latin1'));
      expect(
        Buffer.concat(bodies).equals(Buffer.concat([blob.subarray(0, 10), blob.subarray(100, 200), blob.subarray(-5)])),
      ).toBe(true);
      expect(answer.headers['content-length']).toBe(`${answer.bytes.length}`);
    });

    // RFC 9110 §13.1.5, If-Range
    test('are given to who has the same blob, and the whole to who has another', async () => {
      expect((await part('0-9', { 'if-range': `"${digestOf(blob)}"` })).status).toBe(206);
      const other = await part('0-9', { 'if-range': '"sha256:other"' });
      expect([other.status, other.bytes.length]).toEqual([200, 2048]);
    });

    // RFC 9110 §14.2: "GET is the only method for which range handling is defined"
    test('are for GET alone, and offered on HEAD', async () => {
      const { status, headers } = await use().anybody.head(path, { range: 'bytes=0-9' });
      expect([status, headers['content-length'], headers['accept-ranges']]).toEqual([200, '2048', 'bytes']);
    });

    test('of an empty blob there are none', async () => {
      const digest = await use().writer.pushBlob(name, Buffer.alloc(0));
      const answer = await use().anybody.get(`/v2/${name}/blobs/${digest}`, { range: 'bytes=0-0' });
      expect(answer.status).toBe(416);
    });
  });
}
