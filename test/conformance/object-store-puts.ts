import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { bytesOf, etagOf, fresh, keysUnder, MIB, type Opened, read, streamOf } from './object-bodies.ts';

/** What is put, what is absent, and parts of it. */
export function putConformance(opened: Opened): void {
  describe('what is put', () => {
    test('a buffer comes back as it was put, with its size and an etag that head, get and put agree on', async () => {
      const key = fresh('object.json');
      const put = await opened().put(key, Buffer.from('{"a":1}'));
      const got = await opened().get(key);
      const head = await opened().head(key);
      expect(put).toEqual({
        stored: true,
        etag: got?.stat.etag,
        ...('modified' in put && { modified: head?.modified }),
      });
      expect(head).toMatchObject({ size: 7, etag: got?.stat.etag });
      expect(Math.abs(Date.now() - head!.modified.getTime())).toBeLessThan(120_000);
      expect((await bytesOf(got!.body)).toString()).toBe('{"a":1}');
    });

    test('a stream of known size comes back as it was put', async () => {
      const key = fresh('stream');
      const bytes = randomBytes(300_000);
      await opened().put(key, streamOf(bytes, 7_777), { size: bytes.length });
      expect(bytes.equals(await read(opened(), key))).toBe(true);
    });

    test('a stream of unknown size comes back as it was put', async () => {
      const key = fresh('unknown-size');
      const bytes = randomBytes(200_000);
      await opened().put(key, streamOf(bytes, 50_000));
      expect(bytes.equals(await read(opened(), key))).toBe(true);
    });

    test('an empty object is an object', async () => {
      const [one, other] = [fresh('empty'), fresh('empty-stream')];
      await opened().put(one, Buffer.alloc(0));
      await opened().put(other, Readable.from([]), { size: 0 });
      expect(await opened().head(one)).toMatchObject({ size: 0 });
      expect(await read(opened(), one)).toHaveLength(0);
      expect(await read(opened(), other)).toHaveLength(0);
    });

    test('a second put replaces the first, and the etag says so', async () => {
      const key = fresh('replaced');
      const first = await opened().put(key, Buffer.from('first'));
      const second = await opened().put(key, Buffer.from('second one'));
      expect(etagOf(second)).not.toBe(etagOf(first));
      expect((await read(opened(), key)).toString()).toBe('second one');
      expect((await opened().head(key))?.etag).toBe(etagOf(second));
    });

    test('20 MB arrive in chunks of at most 1 MiB', async () => {
      const key = fresh('large');
      const bytes = randomBytes(20 * MIB + 17);
      await opened().put(key, streamOf(bytes, 64 * 1024), { size: bytes.length });
      const { body, stat } = (await opened().get(key))!;
      const hash = createHash('sha256');
      let largest = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        largest = Math.max(largest, chunk.length);
        hash.update(chunk);
      }
      expect(stat.size).toBe(bytes.length);
      expect(largest).toBeLessThanOrEqual(MIB);
      expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    });
  });

  describe('what is absent', () => {
    test('absence is a value, for head, get, copy and delete', async () => {
      const key = fresh('nothing/here');
      expect(await opened().head(key)).toBeUndefined();
      expect(await opened().get(key)).toBeUndefined();
      expect(await opened().get(key, { start: 0, end: 9 })).toBeUndefined();
      expect(await opened().copy(key, fresh('copy'))).toBe(false);
      await opened().delete(key);
      expect(await keysUnder(opened(), key)).toEqual([]);
    });

    test('what is deleted is gone, and deleting it again is no error', async () => {
      const key = fresh('deleted');
      await opened().put(key, Buffer.from('x'));
      await opened().delete(key);
      await opened().delete(key);
      expect(await opened().head(key)).toBeUndefined();
      expect(await opened().get(key)).toBeUndefined();
      expect((await opened().put(key, Buffer.from('again'), { ifAbsent: true })).stored).toBe(true);
    });
  });

  describe('ranges', () => {
    const bytes = randomBytes(3 * MIB + 11);
    const key = fresh('ranged');

    beforeAll(async () => {
      await opened().put(key, bytes);
    });

    test.each<ByteRange>([
      { start: 0, end: 0 },
      { start: 0, end: 99 },
      { start: 5, end: 70_000 },
      { start: MIB - 1, end: MIB },
      { start: 1, end: 2 * MIB + 5 },
      { start: bytes.length - 1, end: bytes.length - 1 },
      { start: 0, end: bytes.length - 1 },
    ])('bytes $start to $end, both included, with the facts of the whole', async (range) => {
      const got = (await opened().get(key, range))!;
      expect(got.stat.size).toBe(bytes.length);
      expect(bytes.subarray(range.start, range.end + 1).equals(await bytesOf(got.body))).toBe(true);
    });

    test('a reader that leaves in the middle harms nobody', async () => {
      for (let turn = 0; turn < 5; turn += 1) {
        const { body } = (await opened().get(key))!;
        for await (const chunk of body) if ((chunk as Buffer).length > 0) break;
        body.destroy();
      }
      expect(bytes.equals(await read(opened(), key))).toBe(true);
    });
  });
}
