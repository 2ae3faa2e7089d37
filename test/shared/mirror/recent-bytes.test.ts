import { expect, test } from 'vitest';
import { RecentBytes } from '../../../shared/mirror/recent-bytes.ts';

const MIB = 1 << 20;
const numbered = (number: number, length = MIB) => Buffer.alloc(length, number);

test('the last bytes of a growing file are given as they came, from any place in them', () => {
  const recent = new RecentBytes();
  recent.add([Buffer.from('one'), Buffer.from('three')], 10);
  recent.add([Buffer.from('five')], 18);
  expect(recent.at(10, 100)?.toString()).toBe('one');
  expect(recent.at(12, 100)?.toString()).toBe('e');
  expect(recent.at(13, 2)?.toString()).toBe('th');
  expect(recent.at(21, 100)?.toString()).toBe('e');
  expect([recent.at(9, 1), recent.at(22, 1)]).toEqual([undefined, undefined]);
  recent.clear();
  expect(recent.at(12, 1)).toBeUndefined();
});

test('of one file the last 16 MiB are kept, and what does not follow begins anew', () => {
  const recent = new RecentBytes();
  for (let number = 0; number < 20; number += 1) recent.add([numbered(number)], number * MIB);
  expect(recent.at(4 * MIB - 1, 1)).toBeUndefined();
  expect(recent.at(4 * MIB, 1)).toEqual(Buffer.from([4]));
  expect(recent.at(20 * MIB - 1, 9)).toEqual(Buffer.from([19]));
  recent.add([Buffer.from('again')], 0);
  expect(recent.at(19 * MIB, 1)).toBeUndefined();
  expect(recent.at(0, 5)?.toString()).toBe('again');
  recent.clear();
});

test('of many files no more than 64 MiB are kept, and they are given back', () => {
  const files = Array.from({ length: 6 }, () => new RecentBytes());
  for (const [index, file] of files.entries())
    file.add(
      Array.from({ length: 16 }, () => numbered(index)),
      0,
    );
  expect(files.map((file) => file.at(16 * MIB - 1, 1) !== undefined)).toEqual([true, true, true, true, false, false]);
  for (const file of files) file.clear();
  const later = new RecentBytes();
  later.add([numbered(1)], 5);
  expect(later.at(5, 1)).toEqual(Buffer.from([1]));
  later.clear();
});
