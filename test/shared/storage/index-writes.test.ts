import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { IndexDatabase } from '../../../shared/storage/index-database.ts';
import { IndexWrites } from '../../../shared/storage/index-writes.ts';
import { scratch } from './support.ts';

async function facts() {
  const path = join(await scratch(), 'index.sqlite');
  const [database, other] = [new IndexDatabase(path), new IndexDatabase(path)];
  onTestFinished(() => {
    database.close();
    other.close();
  });
  return { database, other, writes: new IndexWrites(database) };
}

test('what is written in one turn is committed together, and is there for others when it resolves', async () => {
  const { database, other, writes } = await facts();
  const changes = () => Number(database.sql('PRAGMA data_version').get()!.data_version);
  const seen = () => Number(other.sql('PRAGMA data_version').get()!.data_version);
  const [before, own] = [seen(), changes()];
  const written = [1, 2, 3].map((one) => writes.write(() => database.setFact(`fact ${one}`, 'yes') ?? one));
  expect(other.fact('fact 1')).toBeUndefined();
  expect(await Promise.all(written)).toEqual([1, 2, 3]);
  expect([1, 2, 3].map((one) => other.fact(`fact ${one}`))).toEqual(['yes', 'yes', 'yes']);
  // SQLite counts commits of others
  expect(seen()).toBe(before + 1);
  expect(changes()).toBe(own);
});

test('one that fails takes nobody along, and leaves nothing of itself', async () => {
  const { database, writes } = await facts();
  const told = await Promise.allSettled([
    writes.write(() => database.setFact('first', 'yes')),
    writes.write(() => {
      database.setFact('second', 'yes');
      throw new Error('it cannot be written');
    }),
    writes.write(() => database.setFact('third', 'yes')),
  ]);
  expect(told.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(['first', 'second', 'third'].map((name) => database.fact(name))).toEqual(['yes', undefined, 'yes']);
});

test('what waits is written before the index is closed or opened anew', async () => {
  const { database, other, writes } = await facts();
  const written = writes.write(() => database.setFact('last', 'yes'));
  writes.flush();
  expect(other.fact('last')).toBe('yes');
  await written;
});

test('after the end nothing is written, in words', async () => {
  const { other, writes, database } = await facts();
  const written = writes.write(() => database.setFact('last', 'yes'));
  writes.end();
  await written;
  await expect(writes.write(() => database.setFact('late', 'yes'))).rejects.toMatchObject({ kind: 'unavailable' });
  expect([other.fact('last'), other.fact('late')]).toEqual(['yes', undefined]);
});
