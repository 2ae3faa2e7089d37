import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { blobId, commitId, pointerText, treeIds } from '../../../services/huggingface/git-objects.ts';
import { temporaryFolder } from '../../support/bundles.ts';

/** Names that git orders in its own way: a folder as if it ended in a slash. */
const FILES = { 'a-b': '1', 'a/x': '2', 'a.txt': '3', a0: '4', 'sub/dir/f.txt': 'hello\n', 'ü.txt': '5', empty: '' };

test('ids of blobs, folders and commits are those that git itself makes', async () => {
  const folder = await temporaryFolder();
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder.path, ...args], {
      encoding: 'utf8',
      env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
    }).trim();
  git('init', '-q');
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder.path, path)), { recursive: true });
    writeFileSync(join(folder.path, path), content);
  }
  git('add', '-A');
  const tree = git('write-tree');
  const ids = treeIds(Object.entries(FILES).map(([path, content]) => ({ path, oid: blobId(Buffer.from(content)) })));
  expect(ids.get('')).toBe(tree);
  expect(ids.get('sub/dir')).toBe(git('rev-parse', `${tree}:sub/dir`));
  const stamp = 'trainer <trainer@larder.invalid> 1767225600 +0000';
  const text = `tree ${tree}\nauthor ${stamp}\ncommitter ${stamp}\n\nfirst\n`;
  const made = execFileSync('git', ['-C', folder.path, 'hash-object', '-t', 'commit', '--stdin'], {
    input: text,
    encoding: 'utf8',
  }).trim();
  expect(commitId({ tree, parents: [], author: 'trainer', at: 1767225600000, message: 'first' })).toBe(made);
  await folder.remove();
});

test('the pointer of a large file is what git-lfs writes', () => {
  expect(pointerText('4d7a2146', 12345)).toBe(
    'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n',
  );
});
