import { expect, test } from 'vitest';
import { isOldEnough, matcher } from '../../../shared/upstream/name-policy.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');

test('what has no time, or none that can be read, is not old enough', () => {
  expect(isOldEnough('2026-11-01T00:00:00Z', NOW)).toBe(true);
  expect(isOldEnough('2026-12-01T00:00:00Z', NOW)).toBe(false);
  expect(isOldEnough(undefined, NOW)).toBe(false);
  expect(isOldEnough('yesterday', NOW)).toBe(false);
});

test('no patterns fit nothing, and patterns are written as names are', () => {
  expect(matcher([])('any')).toBe(false);
  expect(matcher(['Acme*'])('acme-ui')).toBe(false);
  expect(matcher(['Acme*'], (name) => name.toLowerCase())('acme-ui')).toBe(true);
});
