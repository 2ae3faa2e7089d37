import { randomBytes } from 'node:crypto';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eachOf, etagOf, fresh, keysUnder, MIB, type Opened, read } from './object-bodies.ts';

/**
 * Lists, copies, and files that are taken over.
 * @param byFolder the order is that of folders (`a/b` before `a-`), as engines over a file tree have it
 */
export function listConformance(opened: Opened, byFolder = false): void {
  const order = byFolder ? (one: string, other: string) => (folders(one) < folders(other) ? -1 : 1) : undefined;

  describe('lists', () => {
    test('keys come in ascending order, also where folders and files mix', async () => {
      const under = fresh('');
      const names = ['b', 'a-b/x', 'a/b', 'a/a', 'a.b', 'a0', 'A', 'a/b-c/d', 'a/b.d', '_', 'a-', 'b0/c/d/e'];
      await Promise.all(names.map((name) => opened().put(under + name, Buffer.from(name))));
      const listed = await Array.fromAsync(opened().list(under));
      expect(listed.map(({ key }) => key)).toEqual(names.map((name) => under + name).sort(order));
      expect(listed.map(({ size }) => size)).toEqual(listed.map(({ key }) => key.length - under.length));
      for (const { modified } of listed) expect(Math.abs(Date.now() - modified.getTime())).toBeLessThan(120_000);
    });

    test('a prefix may end anywhere in a name', async () => {
      const under = fresh('');
      for (const name of ['one/two', 'one-three', 'on', 'other', 'one/twelve/x']) {
        await opened().put(under + name, Buffer.from('x'));
      }
      expect(await keysUnder(opened(), `${under}one`)).toEqual(
        [`${under}one-three`, `${under}one/twelve/x`, `${under}one/two`].sort(order),
      );
      expect(await keysUnder(opened(), `${under}one/tw`)).toEqual([`${under}one/twelve/x`, `${under}one/two`]);
      expect(await keysUnder(opened(), `${under}one/two`)).toEqual([`${under}one/two`]);
      expect(await keysUnder(opened(), `${under}none`)).toEqual([]);
    });

    test('1,000 keys and more are listed, and resumed behind any key, there or not', async () => {
      const under = fresh('');
      const keys = Array.from(
        { length: 1_050 },
        (_, index) => `${under}${index % 7}/${String(index).padStart(5, '0')}`,
      );
      await eachOf(keys, 32, (key) => opened().put(key, Buffer.from('x')));
      keys.sort();
      expect(await keysUnder(opened(), under)).toEqual(keys);
      for (const at of [0, 149, 150, 500, 1_048, 1_049]) {
        expect(await keysUnder(opened(), under, keys[at])).toEqual(keys.slice(at + 1));
      }
      expect(await keysUnder(opened(), under, `${under}3/zzz`)).toEqual(keys.filter((key) => key > `${under}3/zzz`));
      // behind a folder's own name: SeaweedFS leaves the folder out, and nobody of ours asks so
      if (!byFolder) {
        expect(await keysUnder(opened(), under, `${under}3`)).toEqual(keys.filter((key) => key > `${under}3`));
      }
      expect(await keysUnder(opened(), under, `${under}~`)).toEqual([]);
    });

    test('a list that is left early ends', async () => {
      const under = fresh('');
      for (const name of ['a', 'b', 'c']) await opened().put(under + name, Buffer.from('x'));
      for await (const { key } of opened().list(under)) {
        expect(key).toBe(`${under}a`);
        break;
      }
    });
  });

  describe('copies and files', () => {
    let folder: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'larder-objects-'));
    });

    afterAll(() => rm(folder, { recursive: true, force: true }));

    test('a copy has the same bytes and outlives its source', async () => {
      const [from, to] = [fresh('from'), fresh('deep/er/to')];
      const bytes = randomBytes(MIB + 3);
      await opened().put(from, bytes);
      await opened().put(to, Buffer.from('in the way'));
      expect(await opened().copy(from, to)).toBe(true);
      await opened().delete(from);
      expect(bytes.equals(await read(opened(), to))).toBe(true);
    });

    test('writing over the source of a copy leaves the copy alone', async () => {
      const [from, to] = [fresh('origin'), fresh('image')];
      await opened().put(from, Buffer.from('old'));
      await opened().copy(from, to);
      await opened().put(from, Buffer.from('new'));
      expect((await read(opened(), to)).toString()).toBe('old');
    });

    test('a file is taken over: its bytes are the object, and it is gone', async () => {
      const [key, path] = [fresh('taken'), join(folder, 'taken')];
      const bytes = randomBytes(2 * MIB + 1);
      await writeFile(path, bytes);
      const outcome = await opened().putFile(key, path, bytes.length);
      expect(etagOf(outcome)).toBe((await opened().head(key))?.etag);
      expect(bytes.equals(await read(opened(), key))).toBe(true);
      await expect(access(path)).rejects.toThrow();
    });

    test('a file of another size than announced is refused and leaves nothing', async () => {
      const [key, path] = [fresh('refused'), join(folder, 'refused')];
      await writeFile(path, 'short');
      await expect(opened().putFile(key, path, 6)).rejects.toThrow();
      expect(await opened().head(key)).toBeUndefined();
    });
  });
}

/** Compares as file trees do: name by name. */
const folders = (key: string) => key.replaceAll('/', '\0');
