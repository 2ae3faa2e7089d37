import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../../shared/model/digest.ts';
import { CatalogIndex } from '../../../shared/storage/catalog-index.ts';
import { nextSegment } from '../../../shared/storage/segments.ts';
import { entryOf, scratch } from './support.ts';

async function indexOf(keys: string[], path = ':memory:'): Promise<CatalogIndex> {
  const index = new CatalogIndex(path);
  onTestFinished(() => index.close());
  await index.apply(
    's',
    keys.map((key) => ({ key, entry: entryOf(key) })),
  );
  return index;
}

function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** Names that make trouble as paths, in URLs, in SQL, or in the order of UTF-16. */
const HOSTILE = [
  ...['.', '..', '../..', 'a', 'a/b', 'a/b/c', 'a//b', '/', '//', 'a/', '/a', 'a/../b', 'A', 'a b', 'a%2Fb', 'a\\b'],
  ...['\u0001', 'a\u001fb', 'a\tb', 'a\nb', '\u007f', "'; DROP TABLE names; --", '"', '%', '_', '*', 'a*', 'NULL'],
  ...['é', 'e\u0301', 'ß', '日本語', '\uffff', '\u{1f600}', '\u{10ffff}', '\ue000x', 'x'.repeat(4096), 'index.sqlite'],
];

describe('lists', () => {
  test('hostile names are kept apart, found, and listed in the order of their bytes', async () => {
    const index = await indexOf(HOSTILE);
    expect(index.keys('s', '')).toEqual(HOSTILE.toSorted(byBytes));
    for (const key of HOSTILE) expect(index.get('s', key)).toEqual(entryOf(key));
    for (const prefix of [...HOSTILE, 'a', 'x', 'a/']) {
      expect(index.keys('s', prefix)).toEqual(HOSTILE.filter((key) => key.startsWith(prefix)).sort(byBytes));
    }
  });

  test('pages follow on each other without a gap, whatever the size', async () => {
    const index = await indexOf(HOSTILE);
    for (const limit of [1, 2, 5, 100]) {
      const found: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = index.keys('s', '', { after, limit });
        found.push(...page);
        after = page.at(-1);
        if (page.length < limit) break;
      }
      expect(found).toEqual(HOSTILE.toSorted(byBytes));
    }
    expect(index.keys('s', 'a', { after: '', limit: 1 })).toEqual(['a']);
    expect(index.keys('s', 'a', { after: 'z' })).toEqual([]);
    expect(index.keys('other', '')).toEqual([]);
  });
});

describe('segments', () => {
  test('each name between the prefix and a slash once, in the order of bytes, over 2,000 random shapes', () => {
    let seed = 7;
    const random = (most: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % most;
    };
    const letters = ['a', 'b', '-', '.', '/', '/', '!', '0', '\u{1f600}', '\uffff'];
    for (let round = 0; round < 2_000; round += 1) {
      const keys = new Set<string>();
      for (let count = random(12) + 1; count > 0; count -= 1) {
        keys.add(Array.from({ length: random(6) + 1 }, () => letters[random(letters.length)]).join(''));
      }
      const sorted = [...keys].sort(byBytes);
      const prefix = ['', 'a', 'a/', '/'][random(4)]!;
      const seek = (from: string, exclusive: boolean) =>
        sorted.find((key) => key.startsWith(prefix) && byBytes(key, from) >= (exclusive ? 1 : 0));
      const under = sorted.filter((key) => key.startsWith(prefix));
      const expected = [...new Set(under.map((key) => key.slice(prefix.length).split('/')[0]!))].sort(byBytes);
      const found: string[] = [];
      for (let last: string | undefined; ; found.push(last)) {
        last = nextSegment(seek, prefix, last);
        if (last === undefined) break;
      }
      expect(found, JSON.stringify([sorted, prefix])).toEqual(expected);
    }
  });

  test('pages of them follow on each other', async () => {
    const index = await indexOf(['p/foo', 'p/foo-bar/1', 'p/foo-bar/2', 'p/foo/1', 'p/foo.x', 'p/fo/1', 'q']);
    expect(index.segments('s', 'p/')).toEqual(['fo', 'foo', 'foo-bar', 'foo.x']);
    expect(index.segments('s', 'p/', { limit: 2 })).toEqual(['fo', 'foo']);
    expect(index.segments('s', 'p/', { after: 'foo', limit: 1 })).toEqual(['foo-bar']);
    expect(index.segments('s', '')).toEqual(['p', 'q']);
    expect(index.segments('s', 'nothing/')).toEqual([]);
  });

  test('hostile names have theirs', async () => {
    const index = await indexOf(HOSTILE);
    const expected = [...new Set(HOSTILE.map((key) => key.split('/')[0]!))].sort(byBytes);
    expect(index.segments('s', '')).toEqual(expected);
  });
});

describe('search', () => {
  const keys = [
    'file/numpy/numpy-2.1.0.whl',
    'file/numpy/NumPy-1.0.tar.gz',
    'file/pytorch/torch-2.whl',
    'x',
    '日本語の本',
  ];

  test('every word must stand in the key, anywhere, in any case', async () => {
    const index = await indexOf(keys);
    const found = async (text: string) => (await index.search('s', text, 10)).map(({ key }) => key).sort();
    expect(await found('numpy')).toEqual([keys[1], keys[0]]);
    expect(await found('NUMPY 2.1')).toEqual([keys[0]]);
    expect(await found('orch')).toEqual([keys[2]]);
    expect(await found('x')).toEqual(['x']);
    expect(await found('日本語')).toEqual([keys[4]]);
    expect(await found('absent')).toEqual([]);
    expect(await found('')).toEqual([]);
    for (const text of ['"', '" OR "', '*', 'a AND b', 'key:x', '(((', "'", '%%%', '\\', 'NEAR(a b)']) {
      expect(await found(text)).toEqual([]);
    }
  });

  test('what comes, changes and goes after a search is found rightly by the next', async () => {
    const index = await indexOf(keys);
    await index.search('s', 'numpy', 1);
    await index.apply('s', [
      { key: 'numpy-new', entry: entryOf('numpy-new') },
      { key: keys[0]!, entry: undefined },
      { key: keys[1]!, entry: entryOf(keys[1]!, { size: 5 }) },
    ]);
    await index.apply('s', [{ key: 'numpy-gone', entry: entryOf('numpy-gone') }]);
    await index.apply('s', [{ key: 'numpy-gone', entry: undefined }]);
    const found = await index.search('s', 'numpy', 10);
    expect(found.map(({ key, size }) => [key, size]).sort()).toEqual([
      [keys[1], 5],
      ['numpy-new', 'numpy-new'.length],
    ]);
    expect(await index.search('other', 'numpy', 10)).toEqual([]);
    expect(await index.search('s', 'numpy', 1)).toHaveLength(1);
  });
});

describe('what needs a blob', () => {
  test('names that are one blob, and names that are joined from several', async () => {
    const index = await indexOf([]);
    const [one, two, three] = ['1', '2', '3'].map((text) => digestOf(text)) as [never, never, never];
    const parts = [
      { digest: one, size: 1 },
      { digest: two, size: 1 },
      { digest: one, size: 1 },
    ];
    await index.apply('s', [
      { key: 'a', entry: entryOf('a', { digest: one }) },
      { key: 'b', entry: entryOf('b', { digest: three, parts }) },
    ]);
    const referrers = (digest: never) => index.referrers('s', digest).map(({ key }) => key);
    expect(referrers(one)).toEqual(['a', 'b']);
    expect(referrers(two)).toEqual(['b']);
    expect(referrers(three)).toEqual([]);
    await index.apply('s', [{ key: 'b', entry: entryOf('b', { digest: three }) }]);
    expect([referrers(one), referrers(two), referrers(three)]).toEqual([['a'], [], ['b']]);
    await index.apply('s', [{ key: 'a', entry: undefined }]);
    expect(referrers(one)).toEqual([]);
    expect(index.count('s')).toEqual({ names: 1, bytes: 1 });
  });
});

describe('the file', () => {
  test('generations move with the names of their own service alone, also across processes', async () => {
    const path = join(await scratch(), 'index.sqlite');
    const [one, other] = [await indexOf([], path), await indexOf([], path)];
    const before = [one.generation('s'), one.generation('t')];
    await other.apply('s', [{ key: 'a', entry: entryOf('a') }]);
    await other.intend('t', ['b']);
    // looked for once for all that is at work at the same moment
    await new Promise(setImmediate);
    expect(one.generation('s')).not.toBe(before[0]);
    expect(one.generation('t')).toBe(before[1]);
    expect(one.generation('s')).toBe(other.generation('s'));
    expect(one.get('s', 'a')).toEqual(entryOf('a'));
  });

  test('one that is damaged, no database, or of another version is made anew', async () => {
    const folder = await scratch();
    await writeFile(
      join(folder, 'text.sqlite'),
      'this is no database, and long enough to be told from an empty one'.repeat(20),
    );
    expect((await indexOf(['a'], join(folder, 'text.sqlite'))).keys('s', '')).toEqual(['a']);
    const { DatabaseSync } = await import('node:sqlite');
    const old = new DatabaseSync(join(folder, 'old.sqlite'));
    old.exec('CREATE TABLE names (id); PRAGMA user_version = 1');
    old.close();
    expect((await indexOf(['a'], join(folder, 'old.sqlite'))).keys('s', '')).toEqual(['a']);
    expect(existsSync(join(folder, 'old.sqlite'))).toBe(true);
  });

  test('100,000 names are taken in, paged and counted without a scan that shows', async () => {
    const index = new CatalogIndex(':memory:');
    onTestFinished(() => index.close());
    const keys = Array.from({ length: 100_000 }, (_, at) => `file/p${at % 500}/${at}`);
    for (let first = 0; first < keys.length; first += 10_000) {
      await index.apply(
        's',
        keys.slice(first, first + 10_000).map((key) => ({ key, entry: entryOf(key) })),
      );
    }
    // the fastest of a few, in one run: how fast the machine is, and what else it does, is the same for all
    const took = (act: (turn: number) => unknown) =>
      Math.min(
        ...Array.from({ length: 10 }, (_, turn) => {
          const began = performance.now();
          act(turn);
          return performance.now() - began;
        }),
      );
    const scan = took(() => index.list('s', 'file/', { limit: keys.length }));
    expect(took((turn) => index.list('s', 'file/', { after: `file/p${turn}/`, limit: 100 }))).toBeLessThan(scan / 10);
    expect(index.segments('s', 'file/')).toHaveLength(500);
    expect(took(() => index.segments('s', 'file/'))).toBeLessThan(scan / 2);
  });
});
