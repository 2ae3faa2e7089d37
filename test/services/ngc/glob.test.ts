import { describe, expect, test } from 'vitest';
import { matchesGlob } from '../../../services/ngc/glob.ts';

describe('a pattern', () => {
  test.each([
    ['nvidia/tao/ocrnet', '*', true],
    ['', '*', true],
    ['', '', true],
    ['a', '', false],
    ['nvidia/tao/ocrnet', 'nvidia/*', true],
    ['nvidia/tao/ocrnet', 'nvidia/*/ocr???', true],
    ['nvidia/tao/ocrnet', 'nvidia/*/ocr??', false],
    ['nvidia/tao/ocrnet', '*net', true],
    ['nvidia/tao/ocrnet', 'n*a*o*t', true],
    ['nvidia/tao/ocrnet', 'tao', false],
    ['aab', '*ab', true],
    ['abcbd', 'a*b', false],
    ['a.b', 'a?b', true],
    ['a.b', 'a.b', true],
    ['axb', 'a.b', false],
    ['a[1]', 'a[1]', true],
  ])('%j by %j is %s', (text, pattern, fits) => {
    expect(matchesGlob(text, pattern)).toBe(fits);
  });

  test('of many stars comes to an end', () => {
    const started = performance.now();
    for (let turn = 0; turn < 1000; turn += 1)
      expect(matchesGlob('a'.repeat(200), `${'*a'.repeat(100)}*b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
