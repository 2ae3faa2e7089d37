import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { etagOf, failing, fresh, held, keysUnder, MIB, type Opened, read, streamOf } from './object-bodies.ts';

/** Puts that fail, that race, and that have a condition. */
/**
 * @param atomic false for an engine that looks first and writes then, so that of racing conditional puts several may be
 * told that they won: one of them stands all the same
 */
export function raceConformance(opened: Opened, atomic = true): void {
  function expectWinner(winners: readonly string[], standing: string): void {
    expect(winners).toContain(standing);
    if (atomic) expect(winners).toHaveLength(1);
  }

  describe('whole or not at all', () => {
    test('a body that fails leaves nothing, and its error comes out', async () => {
      const key = fresh('failed');
      await expect(opened().put(key, failing(2 * MIB), { size: 4 * MIB })).rejects.toThrow();
      await expect(opened().put(key, failing(2 * MIB))).rejects.toThrow();
      expect(await opened().head(key)).toBeUndefined();
      expect(await keysUnder(opened(), key)).toEqual([]);
    });

    test('a body that fails leaves what stood there before', async () => {
      const key = fresh('failed-over');
      await opened().put(key, Buffer.from('before'));
      await expect(opened().put(key, failing(MIB), { size: 2 * MIB })).rejects.toThrow();
      expect((await read(opened(), key)).toString()).toBe('before');
    });

    test.each([
      ['shorter', 999],
      ['longer', 1_001],
    ])('a body that is %s than announced leaves nothing', async (_word, length) => {
      const key = fresh('wrong-size');
      await expect(opened().put(key, streamOf(Buffer.alloc(length), 100), { size: 1_000 })).rejects.toThrow();
      expect(await opened().head(key)).toBeUndefined();
    });

    test('nothing is seen of a body that is still arriving', async () => {
      const key = fresh('arriving');
      const gate = Promise.withResolvers<void>();
      const put = opened().put(key, held(gate.promise), { size: 2 * MIB });
      await sleep(50);
      expect(await opened().head(key)).toBeUndefined();
      expect(await opened().get(key)).toBeUndefined();
      expect(await keysUnder(opened(), key)).toEqual([]);
      gate.resolve();
      expect((await put).stored).toBe(true);
      expect(await read(opened(), key)).toHaveLength(2 * MIB);
    });

    test('large puts of one key at once leave one of them, whole', async () => {
      const key = fresh('crowded');
      const bodies = Array.from({ length: 4 }, (_, index) => Buffer.alloc(8 * MIB, index + 1));
      await Promise.all(bodies.map((bytes) => opened().put(key, streamOf(bytes, MIB), { size: bytes.length })));
      const got = await read(opened(), key);
      expect(bodies.filter((bytes) => bytes.equals(got))).toHaveLength(1);
    });

    test('whoever reads while others write sees one of the objects, never a mix', async () => {
      const key = fresh('rewritten');
      const writes = Array.from({ length: 12 }, (_, index) => Buffer.alloc(200_000, index + 1));
      await opened().put(key, writes[0]!);
      const writing = (async () => {
        for (const bytes of writes) await opened().put(key, bytes);
      })();
      for (let turn = 0; turn < 12; turn += 1) {
        const got = await read(opened(), key);
        expect(got).toHaveLength(200_000);
        expect(got.every((byte) => byte === got[0])).toBe(true);
      }
      await writing;
    });
  });

  describe('conditions', () => {
    test('ifAbsent stores once, and changes nothing after that', async () => {
      const key = fresh('once');
      expect((await opened().put(key, Buffer.from('first'), { ifAbsent: true })).stored).toBe(true);
      expect(await opened().put(key, Buffer.from('second'), { ifAbsent: true })).toEqual({ stored: false });
      expect(await opened().put(key, streamOf(Buffer.from('third'), 2), { size: 5, ifAbsent: true })).toEqual({
        stored: false,
      });
      expect((await read(opened(), key)).toString()).toBe('first');
    });

    test('of racing ifAbsent puts exactly one wins, and its bytes stand', async () => {
      const key = fresh('race');
      const bodies = Array.from({ length: 16 }, (_, index) => Buffer.from(`writer ${index}`));
      const outcomes = await Promise.all(bodies.map((bytes) => opened().put(key, bytes, { ifAbsent: true })));
      const winners = outcomes.flatMap(({ stored }, index) => (stored ? [bodies[index]!.toString()] : []));
      expectWinner(winners, (await read(opened(), key)).toString());
    });

    test('ifMatch replaces what has that etag, and nothing else', async () => {
      const key = fresh('matched');
      expect(await opened().put(key, Buffer.from('a'), { ifMatch: '"none"' })).toEqual({ stored: false });
      const first = etagOf(await opened().put(key, Buffer.from('a')));
      const second = await opened().put(key, Buffer.from('b'), { ifMatch: first });
      expect(second.stored).toBe(true);
      expect(await opened().put(key, Buffer.from('c'), { ifMatch: first })).toEqual({ stored: false });
      expect((await read(opened(), key)).toString()).toBe('b');
      expect((await opened().put(key, Buffer.from('d'), { ifMatch: etagOf(second) })).stored).toBe(true);
    });

    test('a deletion with ifMatch takes away what has that etag, and nothing else', async () => {
      const key = fresh('deleted-match');
      const first = etagOf(await opened().put(key, Buffer.from('a')));
      const second = etagOf(await opened().put(key, Buffer.from('b')));
      expect(await opened().delete(key, { ifMatch: first })).toBe(false);
      expect((await read(opened(), key)).toString()).toBe('b');
      expect(await opened().delete(key, { ifMatch: second })).toBe(true);
      expect(await opened().delete(key, { ifMatch: second })).toBe(false);
      expect(await opened().head(key)).toBeUndefined();
    });

    test('of a put and a deletion that race over one etag, one wins', async () => {
      const key = fresh('delete-race');
      const etag = etagOf(await opened().put(key, Buffer.from('start')));
      const [put, deleted] = await Promise.all([
        opened().put(key, Buffer.from('next'), { ifMatch: etag }),
        opened().delete(key, { ifMatch: etag }),
      ]);
      expect([put.stored, deleted].filter(Boolean)).toHaveLength(1);
      expect((await opened().head(key)) !== undefined).toBe(put.stored);
    });

    test('of racing ifMatch puts exactly one wins', async () => {
      const key = fresh('match-race');
      const etag = etagOf(await opened().put(key, Buffer.from('start')));
      const bodies = Array.from({ length: 8 }, (_, index) => Buffer.from(`writer ${index}`));
      const outcomes = await Promise.all(bodies.map((bytes) => opened().put(key, bytes, { ifMatch: etag })));
      const winners = outcomes.flatMap(({ stored }, index) => (stored ? [bodies[index]!.toString()] : []));
      expectWinner(winners, (await read(opened(), key)).toString());
    });
  });
}
