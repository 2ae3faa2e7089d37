import { expect, test } from 'vitest';
import { parseRange } from '../../../shared/model/byte-range.ts';

const r = (start: number, end: number) => ({ start, end });

const table: [string | undefined, unknown][] = [
  [undefined, undefined],
  ['bytes=0-9', [r(0, 9)]],
  ['bytes=0-0', [r(0, 0)]],
  ['bytes=90-', [r(90, 99)]],
  ['bytes=90-1000', [r(90, 99)]],
  ['bytes=-10', [r(90, 99)]],
  ['bytes=-1000', [r(0, 99)]],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-,0-1', [r(0, 1)]],
  ['bytes=0-1, 5-6', [r(0, 1), r(5, 6)]],
  ['BYTES=0-1', [r(0, 1)]],
  ['bytes=5-1', undefined],
  ['bytes=', undefined],
  ['bytes=-', undefined],
  ['bytes=a-b', undefined],
  ['items=0-1', undefined],
  ['bytes=0-99,0-99', undefined],
  [`bytes=${Array.from({ length: 33 }, (_, i) => `${i}-${i}`).join(',')}`, undefined],
  [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
];

test.each(table)('%s of 100 bytes', (header, expected) => {
  expect(parseRange(header, 100)).toEqual(expected);
});

test('nothing of an empty body can be had', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
});
