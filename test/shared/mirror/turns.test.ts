import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from '../../../shared/mirror/turns.ts';

test('what changes one name runs one after the other, also behind one that failed', async () => {
  const turns = new Turns();
  const said: string[] = [];
  const work = (word: string, fails = false) =>
    turns.run('a', async () => {
      said.push(`${word} begins`);
      await wait(1);
      said.push(`${word} ends`);
      if (fails) throw new Error(word);
      return word;
    });
  const all = await Promise.allSettled([work('one', true), work('two'), work('three')]);
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(said).toEqual(['one', 'two', 'three'].flatMap((word) => [`${word} begins`, `${word} ends`]));
});

test('another name does not wait', async () => {
  const turns = new Turns();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = turns.run('a', () => promise);
  expect(await turns.run('b', async () => 'done')).toBe('done');
  resolve();
  await first;
});
