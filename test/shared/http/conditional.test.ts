import { describe, expect, test } from 'vitest';
import { judgeConditions, rangeApplies } from '../../../shared/http/conditional.ts';

const LATER = 'Tue, 24 Nov 2026 00:00:00 GMT';
const THEN = 'Mon, 23 Nov 2026 00:00:00 GMT';
const EARLIER = 'Sun, 22 Nov 2026 00:00:00 GMT';
const facts = { etag: '"one"', lastModified: THEN };

describe('conditions', () => {
  const table: [Record<string, string>, string][] = [
    [{}, 'send'],
    [{ 'if-none-match': '"one"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"one"' }, 'not-modified'],
    [{ 'if-none-match': '"zero", "one"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"two"' }, 'send'],
    [{ 'if-none-match': '"two"', 'if-modified-since': LATER }, 'send'],
    [{ 'if-modified-since': THEN }, 'not-modified'],
    [{ 'if-modified-since': EARLIER }, 'send'],
    [{ 'if-modified-since': 'yesterday' }, 'send'],
    [{ 'if-match': '"one"' }, 'send'],
    [{ 'if-match': 'W/"one"' }, 'failed'],
    [{ 'if-match': '"two"' }, 'failed'],
    [{ 'if-match': '*' }, 'send'],
    [{ 'if-unmodified-since': EARLIER }, 'failed'],
    [{ 'if-unmodified-since': THEN }, 'send'],
    [{ 'if-match': '"one"', 'if-unmodified-since': EARLIER }, 'send'],
    [{ 'if-match': '"one"', 'if-none-match': '"one"' }, 'not-modified'],
  ];

  test.each(table)('%j → %s', (headers, verdict) => {
    expect(judgeConditions(headers, facts)).toBe(verdict);
  });
});

describe('If-Range', () => {
  const table: [string | undefined, boolean][] = [
    [undefined, true],
    ['"one"', true],
    ['W/"one"', false],
    ['"two"', false],
    [THEN, true],
    [LATER, false],
  ];

  test.each(table)('%s lets a range through: %s', (value, expected) => {
    expect(rangeApplies(value, facts)).toBe(expected);
  });
});
