import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { contradicts, digestOf, digestOfHex, PromiseCheck, parseDigest } from '../../../shared/model/digest.ts';
import { ageOf } from '../../../shared/model/freshness.ts';

const bytes = Buffer.from('some bytes');
const hex = (name: string) => createHash(name).update(bytes).digest('hex');

async function checked(...promised: Parameters<typeof PromiseCheck.start>) {
  const check = await PromiseCheck.start(...promised);
  check.update(bytes.subarray(0, 4));
  check.update(bytes.subarray(4));
  return check.finish('file');
}

describe('promises', () => {
  const kept: [string, object][] = [
    ['none', {}],
    ['the size', { size: 10 }],
    ['sha256', { sha256: hex('sha256') }],
    ['sha256 in capitals', { sha256: hex('sha256').toUpperCase() }],
    ['sha512', { sha512: hex('sha512') }],
    ['older ones', { others: { md5: hex('md5'), sha1: hex('sha1'), sha384: hex('sha384') } }],
    ["git's", { size: 10, gitBlob: createHash('sha1').update('blob 10\0').update(bytes).digest('hex') }],
  ];

  test.each(kept)('that are kept pass: %s', async (_name, promised) => {
    expect(await checked(promised)).toEqual({ digest: digestOf(bytes), size: 10 });
  });

  const broken: [string, object, RegExp][] = [
    ['the size', { size: 11 }, /11 bytes were promised and 10 arrived/],
    ['sha256', { sha256: '0'.repeat(64) }, /sha256 0+ was promised/],
    ['sha512', { sha512: '0'.repeat(128) }, /sha512/],
    ['md5', { others: { md5: '0'.repeat(32) } }, /md5/],
    ["git's", { size: 10, gitBlob: '0'.repeat(40) }, /gitBlob/],
  ];

  test.each(broken)('that are broken are named: %s', async (_name, promised, words) => {
    await expect(checked({ sha256: hex('sha256') }, promised)).rejects.toThrow(words);
  });

  test('by BLAKE3 are checked where there is time to get ready', async () => {
    // the vectors of the BLAKE3 project begin with this one
    const empty = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
    const of = async (blake3: string) => (await PromiseCheck.start(undefined, { others: { blake3 } })).finish('file');
    expect((await of(empty.toUpperCase())).size).toBe(0);
    await expect(of('0'.repeat(64))).rejects.toThrow(`blake3 ${'0'.repeat(64)} was promised and ${empty} arrived`);
    expect((await PromiseCheck.start({ size: 0, sha256: digestOf('').slice(7) })).finish('file').size).toBe(0);
  });

  test('can be held against a digest that is known', () => {
    expect(contradicts({ sha256: hex('sha256') }, digestOf(bytes), 10)).toBe(false);
    expect(contradicts({ sha256: '0'.repeat(64) }, digestOf(bytes), 10)).toBe(true);
    expect(contradicts({ size: 9 }, digestOf(bytes), 10)).toBe(true);
    expect(contradicts(undefined, digestOf(bytes), 10)).toBe(false);
  });
});

test('a digest is 64 hex digits behind its algorithm, and nothing else', () => {
  expect(parseDigest(`sha256:${'a'.repeat(64)}`)).toBeDefined();
  for (const text of [
    '',
    'sha256:',
    `sha256:${'A'.repeat(64)}`,
    `sha512:${'a'.repeat(64)}`,
    `sha256:${'a'.repeat(63)}`,
  ])
    expect(parseDigest(text)).toBeUndefined();
  expect(() => digestOfHex('../etc')).toThrow('is not 64 hex digits');
});

describe('a name', () => {
  const at = '2026-11-23T12:00:00Z';
  const later = (seconds: number) => Date.parse(at) + seconds * 1000;
  const freshness = { fresh: 60, stale: 600 };

  test.each([
    [0, 'fresh'],
    [59, 'fresh'],
    [60, 'stale'],
    [659, 'stale'],
    [660, 'expired'],
    [-30, 'fresh'],
    [-3600, 'expired'],
  ])('checked %i s ago is %s', (seconds, age) => {
    expect(ageOf(freshness, at, later(seconds))).toBe(age);
  });

  test('that says its bytes is fresh for ever', () => {
    expect(ageOf('immutable', at, later(1e9))).toBe('fresh');
  });
});
