import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DiskStore } from '../../../shared/storage/disk-store.ts';
import { walk } from '../../../shared/storage/disk-walk.ts';
import { isAbandoned, temporaryName } from '../../../shared/storage/owned-files.ts';
import { scratch, Writer } from './support.ts';

async function diskStore(): Promise<{ root: string; store: DiskStore }> {
  const root = join(await scratch(), 'store');
  return { root, store: await DiskStore.open(root) };
}

async function textOf(store: DiskStore, key: string): Promise<string> {
  return Buffer.concat(await (await store.get(key))!.body.toArray()).toString();
}

describe('opening a directory', () => {
  test('a new directory is for its owner alone', async () => {
    const { root } = await diskStore();
    expect((await stat(root)).mode & 0o077).toBe(0);
  });

  test('a path that is a file is refused in words for the operator', async () => {
    const path = join(await scratch(), 'file');
    await writeFile(path, 'x');
    await expect(DiskStore.open(path)).rejects.toMatchObject({
      kind: 'bad-request',
      message: expect.stringMatching(/file cannot be used: it is a file; set "store"/),
    });
    await expect(DiskStore.open(join(path, 'below'))).rejects.toMatchObject({ kind: 'bad-request' });
  });

  test.skipIf(process.getuid?.() === 0)('a directory that cannot be written to is refused', async () => {
    const path = await scratch();
    await chmod(path, 0o500);
    await expect(DiskStore.open(path)).rejects.toMatchObject({ kind: 'bad-request' });
    await chmod(path, 0o700);
  });
});

describe('staying inside', () => {
  test.each([
    '',
    '/',
    'a//b',
    '../a',
    'a/../b',
    './a',
    'a/.',
    'a\\b',
    'a\0b',
    'tmp/x',
    'spool/x',
    'index.sqlite',
    'a b',
  ])('the key %j is refused', async (key) => {
    const { store } = await diskStore();
    await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject({ kind: 'internal' });
    await expect(store.get(key)).rejects.toMatchObject({ kind: 'internal' });
  });

  test('a link in the place of an object is not followed', async () => {
    const { root, store } = await diskStore();
    const secret = join(await scratch(), 'secret');
    await writeFile(secret, 'secret');
    await mkdir(join(root, 'a'));
    await symlink(secret, join(root, 'a/link'));
    expect(await store.head('a/link')).toBeUndefined();
    expect(await store.get('a/link')).toBeUndefined();
    expect(await Array.fromAsync(store.list(''))).toEqual([]);
    await store.put('a/link', Buffer.from('ours'));
    expect(await readFile(secret, 'utf8')).toBe('secret');
    expect(await textOf(store, 'a/link')).toBe('ours');
  });

  test('a link in the place of a folder is not followed, to read or to write', async () => {
    const { root, store } = await diskStore();
    const outside = await scratch();
    await writeFile(join(outside, 'x'), 'secret');
    await symlink(outside, join(root, 'a'));
    await expect(store.get('a/x')).rejects.toThrow(/folder a of the store is a link/);
    await expect(store.put('a/y', Buffer.from('y'))).rejects.toThrow(/is a link/);
    await expect(store.delete('a/x')).rejects.toThrow(/is a link/);
    expect(await Array.fromAsync(store.list(''))).toEqual([]);
    expect(await readdir(outside)).toEqual(['x']);
  });
});

describe('temporary files', () => {
  test('a put that fails, or whose condition does not hold, leaves none', async () => {
    const { root, store } = await diskStore();
    const torn = Readable.from([Buffer.alloc(10)]);
    await expect(store.put('a', torn, { size: 11 })).rejects.toThrow();
    await store.put('a', Buffer.from('1'));
    await store.put('a', Buffer.from('2'), { ifAbsent: true });
    await store.put('a', Buffer.from('2'), { ifMatch: 'other' });
    await store.put('b', Buffer.from('2'), { ifAbsent: true });
    await store.copy('a', 'b');
    await store.copy('a', 'a');
    expect(await readdir(join(root, 'tmp'))).toEqual([]);
    expect(await textOf(store, 'a')).toBe('1');
  });

  test('those of a dead process are swept, those of a living one stay', async () => {
    const { root, store } = await diskStore();
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
    const dead = `4194303-${host}-0011`;
    const [own, other] = [temporaryName(), `4194303-${'0'.repeat(8)}-0011`];
    for (const name of [dead, own, other, 'stranger']) await writeFile(join(root, 'tmp', name), 'x');
    await store.sweep();
    expect((await readdir(join(root, 'tmp'))).sort()).toEqual([own, other, 'stranger'].sort());
    await utimes(join(root, 'tmp', other), new Date(0), new Date(0));
    await store.sweep();
    expect((await readdir(join(root, 'tmp'))).sort()).toEqual([own, 'stranger'].sort());
  });

  test('a process that has the id of one before it knows what it did not write itself', () => {
    const before = Date.now() - process.uptime() * 1000 - 1_000;
    expect(isAbandoned(temporaryName(), before)).toBe(true);
    expect(isAbandoned(temporaryName(), Date.now())).toBe(false);
  });
});

describe('folders', () => {
  test('a folder that somebody removed is made again', async () => {
    const { root, store } = await diskStore();
    await store.put('wants/x/one', Buffer.from('1'));
    await rm(join(root, 'wants'), { recursive: true });
    await store.put('wants/x/two', Buffer.from('2'));
    expect(await textOf(store, 'wants/x/two')).toBe('2');
  });

  test('a folder with more names than are kept in memory is listed in order all the same', async () => {
    const { root, store } = await diskStore();
    const keys = Array.from({ length: 57 }, (_, index) => `f/${(index * 37) % 57}`).concat('f/3/x', 'f/30-/y', 'g');
    for (const key of keys.filter((one) => one !== 'f/3')) await store.put(key, Buffer.from('x'));
    const expected = keys.filter((one) => one !== 'f/3').sort();
    for (const band of [1, 2, 7, 57, 58, 1_000]) {
      expect((await Array.fromAsync(walk(root, '', '', band))).map(({ key }) => key)).toEqual(expected);
      const behind = expected.filter((key) => key > 'f/30');
      expect((await Array.fromAsync(walk(root, 'f', 'f/30', band))).map(({ key }) => key)).toEqual(
        behind.filter((key) => key.startsWith('f')),
      );
    }
  });

  test('what lies beside the objects is never listed', async () => {
    const { root, store } = await diskStore();
    for (const folder of ['spool', 'work/pypi']) await mkdir(join(root, folder), { recursive: true });
    for (const path of ['spool/a', 'work/pypi/a', 'index.sqlite', 'index.sqlite-wal', 'tmp/a']) {
      await writeFile(join(root, path), 'x');
    }
    await store.put('real', Buffer.from('x'));
    expect((await Array.fromAsync(store.list(''))).map(({ key }) => key)).toEqual(['real']);
  });
});

test('no two puts have the same etag, however close they follow on each other', async () => {
  const { store } = await diskStore();
  const etags = new Set<string>();
  for (let turn = 0; turn < 300; turn += 1) {
    const outcome = await store.put('a', Buffer.from('same size'));
    etags.add(outcome.stored ? outcome.etag : '');
    if (turn % 2 === 0) await store.delete('a');
  }
  expect(etags.size).toBe(300);
});

test('a copy takes no further room', async () => {
  const { root, store } = await diskStore();
  await store.put('a/one', Buffer.alloc(100_000));
  await store.copy('a/one', 'b/two');
  expect((await stat(join(root, 'b/two'))).ino).toBe((await stat(join(root, 'a/one'))).ino);
});

test('what is touched looks new, and has its bytes still', async () => {
  const { root, store } = await diskStore();
  await store.put('a', Buffer.from('bytes'));
  await utimes(join(root, 'a'), new Date(0), new Date(0));
  await store.touch('a', new Date(5_000));
  await store.touch('absent', new Date(5_000));
  expect((await store.head('a'))?.modified).toEqual(new Date(5_000));
  expect(await textOf(store, 'a')).toBe('bytes');
});

/** A small file system of its own; undefined where this user may not mount one. */
function smallDisk(path: string): (() => void) | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', path], { stdio: 'ignore' });
    return () => execFileSync('umount', ['-l', path]);
  } catch {
    return undefined;
  }
}

test('a full disk is told as such, leaves what stood there, and nothing torn', async ({ skip }) => {
  const path = await scratch();
  const unmount = smallDisk(path);
  if (!unmount) return skip('this user may not mount a small disk');
  try {
    const store = await DiskStore.open(join(path, 'store'));
    await store.put('kept', Buffer.from('kept'));
    const large = () => Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(100_000)));
    await expect(store.put('large', large(), { size: 4_000_000 })).rejects.toMatchObject({ kind: 'out-of-space' });
    await expect(store.put('kept', Buffer.alloc(4_000_000))).rejects.toMatchObject({ kind: 'out-of-space' });
    expect(await readdir(join(path, 'store/tmp'))).toEqual([]);
    expect(await textOf(store, 'kept')).toBe('kept');
    await store.put('small', Buffer.alloc(500_000));
    const file = join(await scratch(), 'elsewhere');
    await writeFile(file, Buffer.alloc(300_000, 'e'));
    await store.putFile('moved', file, 300_000);
    expect((await store.head('moved'))?.size).toBe(300_000);
    await store.close();
  } finally {
    unmount();
  }
});

describe('several processes', () => {
  test('of many who count under a condition, none loses a turn', async () => {
    const { root, store } = await diskStore();
    await store.put('counter', Buffer.from('0'));
    const writers = [new Writer(root), new Writer(root)];
    await Promise.all(writers.map((writer) => writer.ask('count', 'counter', 40)));
    expect(await textOf(store, 'counter')).toBe('80');
  });

  test('one that is killed leaves no torn object, no lock, and nothing that a sweep does not take', async () => {
    const { root, store } = await diskStore();
    for (const patience of [15, 60, 140, 230]) {
      const writer = new Writer(root);
      await writer.ask('write', 'objects');
      await sleep(patience);
      await writer.kill();
      for await (const { key, size } of store.list('objects/')) {
        const text = await textOf(store, key);
        expect(text).toHaveLength(key.includes('small') ? 3_000 : 800_000);
        expect(size).toBe(text.length);
        expect(text).toBe(text[0]!.repeat(text.length));
      }
      await store.sweep();
      expect(await readdir(join(root, 'tmp'))).toEqual([]);
    }
    expect((await Array.fromAsync(store.list('objects/'))).length).toBeGreaterThan(5);
  });
});
