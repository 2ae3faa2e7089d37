import { describe, expect, test } from 'vitest';
import { bestWheel, filesOf, isAllowed, newestWheel, sdistOf, versionsOf } from '../../../services/pypi/choose.ts';
import type { FileRecord } from '../../../services/pypi/project-page.ts';
import { makeTarget } from '../../../services/pypi/python/target.ts';

const target = makeTarget({ version: '3.12', platform: 'manylinux_2_28_x86_64' });

function file(filename: string, more: Partial<FileRecord> = {}): FileRecord {
  return { filename, url: '', hashes: {}, yanked: false, 'core-metadata': false, ...more };
}

const page = (name: string, ...filenames: string[]) => ({ name, files: filenames.map((one) => file(one)) });

describe('of wheels', () => {
  test('the one with the higher build tag is taken where they fit alike', () => {
    const { files } = page('a', 'a-1-2-py3-none-any.whl', 'a-1-10-py3-none-any.whl', 'a-1-py3-none-any.whl');
    expect(bestWheel(files, target)!.filename).toBe('a-1-10-py3-none-any.whl');
  });

  test('one for another Python is none, what cannot be read as its Python keeps nothing away', () => {
    const own = 'a-1-cp312-cp312-manylinux_2_17_x86_64.whl';
    const other = 'a-1-py3-none-any.whl';
    const best = (requires: string) =>
      bestWheel([file(own, { 'requires-python': requires }), file(other)], target)!.filename;
    expect(best('>=3.13')).toBe(other);
    expect(best('>=3.8,<4')).toBe(own);
    expect(best('>=3.6.*')).toBe(own);
  });

  test('the newest is neither yanked nor a pre-release, and has a wheel', () => {
    const files = [
      file('a-1.0-py3-none-any.whl'),
      file('a-2.0-py3-none-any.whl'),
      file('a-2.5-py3-none-any.whl', { yanked: true }),
      file('a-3.0rc1-py3-none-any.whl'),
      file('a-4.0-cp312-cp312-win_amd64.whl'),
      file('a-5.0.tar.gz'),
    ];
    expect(newestWheel({ name: 'a', files }, target)).toMatchObject({ version: '2.0' });
    expect(newestWheel({ name: 'a', files: files.slice(3) }, target)).toBeUndefined();
  });
});

describe('of versions', () => {
  test('those written otherwise are the same', () => {
    const { name, files } = page('a', 'a-1.0-py3-none-any.whl', 'a-1.0.0.tar.gz', 'a-1.0.post1.tar.gz', 'a-v1.0.zip');
    const names = filesOf({ name, files }, '1').map(({ filename }) => filename);
    expect(names).toEqual(['a-1.0-py3-none-any.whl', 'a-1.0.0.tar.gz', 'a-v1.0.zip']);
  });

  test('a local one is taken for its public one only where that is not there itself', () => {
    const cuda = 'torch-2.5.1+cu121-cp312-cp312-linux_x86_64.whl';
    const plain = 'torch-2.5.1-cp312-cp312-manylinux1_x86_64.whl';
    const names = (version: string, ...filenames: string[]) =>
      filesOf(page('torch', ...filenames), version).map(({ filename }) => filename);
    expect(names('2.5.1', cuda, plain)).toEqual([plain]);
    expect(names('2.5.1', cuda)).toEqual([cuda]);
    expect(names('2.5.1+cu121', cuda, plain)).toEqual([cuda]);
    expect(names('2.5.1+cpu', cuda, plain)).toEqual([]);
  });

  test('the newest stands first, and the name of the project settles where an old name ends', () => {
    expect(versionsOf(page('a', 'a-1.9.tar.gz', 'a-1.10.tar.gz', 'a-1.10rc1.tar.gz', 'a-latest.tar.gz'))).toEqual([
      '1.10',
      '1.10rc1',
      '1.9',
    ]);
    expect(versionsOf(page('foo-3', 'foo-3-1.0.tar.gz'))).toEqual(['1.0']);
  });
});

test('of sdists one that can be looked into is preferred; eggs and installers are none', () => {
  const { files } = page('a', 'a-1-py3.8.egg', 'a-1.win32.exe', 'a-1.tar.bz2', 'a-1.zip');
  expect(sdistOf(files)!.filename).toBe('a-1.zip');
  expect(sdistOf(files.slice(0, 3))!.filename).toBe('a-1.tar.bz2');
  expect(sdistOf(files.slice(0, 2))).toBeUndefined();
});

test('of hashes that a lock allows any kind counts', () => {
  const held = file('a-1.zip', { hashes: { sha256: 'aa', sha512: 'bb' } });
  expect(isAllowed(held, undefined)).toBe(true);
  expect(isAllowed(held, new Set(['sha512:bb']))).toBe(true);
  expect(isAllowed(held, new Set(['sha256:bb', 'md5:aa']))).toBe(false);
});
