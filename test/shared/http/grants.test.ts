import { beforeEach, describe, expect, test } from 'vitest';
import { Grants } from '../../../shared/http/grants.ts';
import { MemoryStore } from '../../../shared/storage/memory-store.ts';

let objects: MemoryStore;
const clock = { now: Date.parse('2026-11-24T12:00:00Z') };
const now = () => clock.now;

beforeEach(() => {
  objects = new MemoryStore();
});

describe('leave that stands in an address', () => {
  test('is good for what it was given for, at every replica, until it is over', async () => {
    const grant = await new Grants(objects, { now }).give('put a 5', 60);
    const replica = new Grants(objects, { now });
    await replica.check('put a 5', grant);
    await expect(replica.check('put b 5', grant)).rejects.toThrow(/not given out for this/);
    clock.now += 61_000;
    await expect(replica.check('put a 5', grant)).rejects.toThrow(/no longer good/);
  });

  test.each(['', '1.2', `9999999999.${'0'.repeat(64)}`, 'x'.repeat(100_000)])(
    'is not made up: %.20s',
    async (grant) => {
      await expect(new Grants(objects, { now }).check('put a 5', grant)).rejects.toMatchObject({ kind: 'forbidden' });
    },
  );

  test('cannot be prolonged by whoever has it', async () => {
    const [until, signature] = (await new Grants(objects, { now }).give('x', 60)).split('.');
    await expect(new Grants(objects, { now }).check('x', `${Number(until) + 999}.${signature}`)).rejects.toThrow();
  });

  test('means nothing in another store', async () => {
    const grant = await new Grants(new MemoryStore(), { now }).give('x', 60);
    await expect(new Grants(objects, { now }).check('x', grant)).rejects.toThrow();
  });
});
