import { beforeEach, expect, test } from 'vitest';
import { HeldList } from '../../../shared/storage/held-list.ts';

let generation: number;
let time: number;
/** Makings that were begun; each ends when it is told to. */
let makings: PromiseWithResolvers<string[]>[];
let held: HeldList<string>;

beforeEach(() => {
  generation = 1;
  time = 1_000_000;
  makings = [];
  held = new HeldList({ catalog: { generation: () => generation }, now: () => time }, () => {
    makings.push(Promise.withResolvers());
    return makings.at(-1)!.promise;
  });
});

/** Asks, and lets what is made for it be `list`. */
function made(...list: string[]): Promise<readonly string[]> {
  const asked = held.list();
  makings.at(-1)!.resolve(list);
  return asked;
}

test('a list stands while no name changes, however long', async () => {
  expect(await made('a')).toEqual(['a']);
  time += 3_600_000;
  expect(await held.list()).toEqual(['a']);
  expect(makings).toHaveLength(1);
});

test('is made again when names have changed and a second has gone by, whichever way the clock goes', async () => {
  await made('a');
  generation = 2;
  time += 999;
  expect(await held.list()).toEqual(['a']);
  time += 1;
  expect(await made('a', 'b')).toEqual(['a', 'b']);
  generation = 3;
  time -= 1000;
  expect(await made('c')).toEqual(['c']);
});

test('a name that changes while it is made has it made again', async () => {
  const asked = held.list();
  generation = 2;
  makings[0]!.resolve(['a']);
  expect(await asked).toEqual(['a']);
  time += 1000;
  expect(await made('a', 'b')).toEqual(['a', 'b']);
});

test('is made once for all who ask meanwhile, and again after an error', async () => {
  const asked = [held.list(), held.list()];
  expect(makings).toHaveLength(1);
  makings[0]!.reject(new Error('no'));
  for (const one of await Promise.allSettled(asked)) expect(one.status).toBe('rejected');
  expect(await made('a')).toEqual(['a']);
});

test('what is forgotten is not given again, nor what was being made at that moment', async () => {
  await made('a');
  held.forget();
  const before = held.list();
  held.forget();
  const after = held.list();
  makings[1]!.resolve(['late']);
  expect(await before).toEqual(['late']);
  makings[2]!.resolve(['new']);
  expect(await after).toEqual(['new']);
  expect(await held.list()).toEqual(['new']);
  expect(makings).toHaveLength(3);
});
