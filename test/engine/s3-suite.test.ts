import { afterAll, beforeAll, expect, test } from 'vitest';
import { type S3Site, startS3Site } from '../support/s3-site.ts';
import { runVersitygwSuite, type Verdicts } from '../support/versitygw-suite.ts';
import failures from './s3-suite.json' with { type: 'json' };

/** Tests that fail, by the reason why they may. */
const expected: Record<string, readonly string[]> = failures;
let site: S3Site;
let verdicts: Verdicts;

beforeAll(async () => {
  site = await startS3Site();
  verdicts = await runVersitygwSuite(site);
}, 1_800_000);
afterAll(() => site?.close());

test('of versitygw’s suite only what is not offered here fails, and each of that for its reason', () => {
  const known = new Set(Object.values(expected).flat());
  const failed = [...verdicts].filter(([, words]) => words !== undefined);
  expect(failed.filter(([name]) => !known.has(name)).map(([name, words]) => `${name}: ${words}`)).toEqual([]);
});

test('the list of what fails is true: nothing on it passes, is gone or stands there twice', () => {
  const names = Object.values(expected).flat();
  expect(names.filter((name) => verdicts.get(name) === undefined)).toEqual([]);
  expect(names).toHaveLength(new Set(names).size);
});

test('the suite is as long as it was', () => {
  expect(verdicts.size).toBeGreaterThanOrEqual(657);
});
