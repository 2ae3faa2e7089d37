import { describe, expect, test } from 'vitest';
import { parseApiAddress, parseFileAddress, revisionOf, splitRevision } from '../../../services/huggingface/address.ts';
import { isFilePath, isRepoId, isRevision, matchesAny } from '../../../services/huggingface/repo.ts';

describe('addresses of files', () => {
  test.each([
    ['/acme/tiny/resolve/main/config.json', 'models', 'acme/tiny', 'main', 'config.json'],
    ['/gpt2/resolve/main/config.json', 'models', 'gpt2', 'main', 'config.json'],
    ['/datasets/acme/ds/resolve/main/data/x.csv', 'datasets', 'acme/ds', 'main', 'data/x.csv'],
    ['/datasets/squad/resolve/main/x.csv', 'datasets', 'squad', 'main', 'x.csv'],
    ['/spaces/acme/app/resolve/HEAD/app.py', 'spaces', 'acme/app', 'main', 'app.py'],
    ['/acme/tiny/resolve/refs/pr/1/a.txt', 'models', 'acme/tiny', 'refs/pr/1', 'a.txt'],
    ['/acme/tiny/resolve/refs%2Fpr%2F1/a.txt', 'models', 'acme/tiny', 'refs/pr/1', 'a.txt'],
    [
      '/acme/tiny/resolve/refs%2Fconvert%2Fparquet/d/0.parquet',
      'models',
      'acme/tiny',
      'refs/convert/parquet',
      'd/0.parquet',
    ],
    ['/acme/tiny/resolve/feature%2Fx/a.txt', 'models', 'acme/tiny', 'feature/x', 'a.txt'],
    ['/acme/tiny/raw/main/weird%20name%20%231%2B%25.txt', 'models', 'acme/tiny', 'main', 'weird name #1+%.txt'],
    ['/acme/resolve/resolve/main/x', 'models', 'acme/resolve', 'main', 'x'],
  ])('%s', (path, type, id, rev, file) => {
    expect(parseFileAddress(path)).toMatchObject({ type, id, rev, path: file });
  });

  test.each([
    '/api/models',
    '/acme/tiny',
    '/acme/tiny/blob/main/x',
    '/a/b/c/resolve/main/x',
    '/..%2f..%2fetc/x/resolve/main/a',
    '/-a/b/resolve/main/x',
  ])('%s is none', (path) => {
    expect(parseFileAddress(path)).toBeUndefined();
  });

  test.each([
    '/acme/tiny/resolve/main/../x',
    '/acme/tiny/resolve/main/%2e%2e/x',
    '/acme/tiny/resolve/main/a%00b',
    '/acme/tiny/resolve/main/a//b',
    '/acme/tiny/resolve/main/.git/config',
    '/acme/tiny/resolve/main/a%5cb',
  ])('%s is refused', (path) => {
    expect(() => parseFileAddress(path)).toThrow(/a path in a repo/);
  });
});

describe('addresses of the API', () => {
  test.each([
    ['/api/models/acme/tiny', 'acme/tiny', '', ''],
    ['/api/models/gpt2', 'gpt2', '', ''],
    ['/api/models/acme/tiny/', 'acme/tiny', '', ''],
    ['/api/models/gpt2/tree/main', 'gpt2', 'tree', 'main'],
    ['/api/models/acme/tiny/revision/refs%2Fpr%2F1', 'acme/tiny', 'revision', 'refs%2Fpr%2F1'],
    ['/api/models/acme/tree/tree/main/sub/dir', 'acme/tree', 'tree', 'main/sub/dir'],
    ['/api/models/acme/tiny/refs', 'acme/tiny', 'refs', ''],
    ['/api/models/acme/tiny/xet-read-token/main', 'acme/tiny', 'xet-read-token', 'main'],
  ])('%s', (path, id, verb, rest) => {
    expect(parseApiAddress(path)).toMatchObject({ type: 'models', id, verb, rest });
  });

  test('revisions with slashes are taken whole, raw or escaped', () => {
    expect(splitRevision('refs/pr/12/sub/dir/')).toEqual({ rev: 'refs/pr/12', path: 'sub/dir' });
    expect(splitRevision('refs%2Fconvert%2Fparquet')).toEqual({ rev: 'refs/convert/parquet', path: '' });
    expect(revisionOf('refs/heads/dev')).toBe('dev');
    expect(revisionOf('HEAD')).toBe('main');
  });
});

describe('names', () => {
  test.each(['acme/tiny', 'gpt2', 'a/b', 'Qwen/Qwen3-0.6B', 'meta_llama/x.y_z', '01-ai/Yi-6B'])(
    '%s is a repo',
    (id) => {
      expect(isRepoId(id)).toBe(true);
    },
  );
  test.each([
    '',
    '/',
    'a/b/c',
    '../x',
    'a/..',
    '.a/b',
    'a/b.',
    'a/b-',
    'a--b/c',
    'a/b..c',
    'a b/c',
    'a/b.git',
    'a/%2e',
    `a/${'x'.repeat(97)}`,
  ])('%j is none', (id) => {
    expect(isRepoId(id)).toBe(false);
  });
  test.each(['../x', 'a/../b', '', '/a', 'a/', 'a\\b', '.git/config', 'a\nb'])('%j is no path', (path) => {
    expect(isFilePath(path)).toBe(false);
  });
  test.each(['a..b', 'x.lock', '-x', 'a//b', 'a@{0}', 'a/', ''])('%j is no revision', (rev) => {
    expect(isRevision(rev)).toBe(false);
  });
  test('patterns are those of fnmatch', () => {
    expect(matchesAny('acme/tiny', ['acme/*'])).toBe(true);
    expect(matchesAny('acme/tiny', ['*/t?ny'])).toBe(true);
    expect(matchesAny('acme/tiny', ['acme', 'ACME/*', '[xyz]*'])).toBe(false);
  });
});
