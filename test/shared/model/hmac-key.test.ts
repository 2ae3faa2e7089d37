import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { HmacKey } from '../../../shared/model/hmac-key.ts';

describe('a key that signs', () => {
  test('says what HMAC-SHA256 says, for keys and texts of any length', () => {
    for (const keyBytes of [0, 1, 20, 32, 63, 64]) {
      const bytes = randomBytes(keyBytes);
      const key = new HmacKey(bytes);
      for (const length of [0, 1, 55, 64, 1365, 1366, 4096, 10_000])
        for (const text of ['a'.repeat(length), 'ü€'.repeat(length), '🗝'.repeat(length)])
          expect(key.sign(text)).toBe(createHmac('sha256', bytes).update(text).digest('hex'));
    }
  });

  test('says of a short text after a long one what it says of it alone', () => {
    const key = new HmacKey(Buffer.from('key'));
    const alone = key.sign('short');
    key.sign('long '.repeat(200));
    expect(key.sign('short')).toBe(alone);
  });

  test('is refused when it is longer than a block', () => {
    expect(() => new HmacKey(Buffer.alloc(65))).toThrow(RangeError);
  });
});
