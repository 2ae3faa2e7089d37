import { randomBytes } from 'node:crypto';
import { readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Grants } from '../../../shared/http/grants.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import { Wants } from '../../../shared/mirror/wants.ts';
import { type Digest, digestOf, hexOf } from '../../../shared/model/digest.ts';
import { RECORDS } from '../../../shared/storage/copy-records.ts';
import {
  auditPath,
  BLOBS,
  blobPath,
  CATALOG,
  catalogPath,
  importPath,
  quarantinePath,
} from '../../../shared/storage/paths.ts';
import { openSource, type Store } from '../../../shared/storage/store.ts';
import { type CopyProgress, copyStore } from '../../../shared/storage/store-copy.ts';
import { verifyStore } from '../../../shared/storage/store-verify.ts';
import { keep } from '../../support/bundles.ts';
import { entryOf, NOW, opened, scratch } from './support.ts';

const now = () => NOW;
const LATER = new Date(NOW + 60_000).toISOString();

/** A store with something of everything that stores hold. */
async function furnish(store: Store): Promise<void> {
  const wheel = await keep(store, 'pypi', 'file/numpy', randomBytes(300_000));
  await store.catalog('pypi').put({ ...wheel, key: 'file/twin' });
  const parts = await Promise.all(['one', 'two'].map((part) => addBlob(store, Buffer.from(part))));
  await store.catalog('s3').put(entryOf('object/b/joined', { size: 6, parts }));
  for (let place = 0; place < 40; place += 1)
    await keep(store, 'notes', `file/${place}`, Buffer.from(`number ${place}`));
  await addBlob(store, Buffer.from('no name points here'));
  await new Tokens(store.objects, { now }).create({ name: 'ci', actions: ['write'], services: ['*'] });
  await new Grants(store.objects, { now }).secretFor('s3 ci');
  await new Wants(store.objects, { service: 'pypi', now }).record({ key: 'torch', label: 'torch', item: {} });
  await store.objects.put(importPath('weekly-1', 'receipt.json'), Buffer.from('{}\n'));
  await store.objects.put(auditPath(new Date(NOW).toISOString(), 'push'), Buffer.from('{}\n'));
  await store.objects.put(quarantinePath(digestOf('what it was')), Buffer.from('what it is'));
}

async function addBlob(store: Store, bytes: Buffer): Promise<{ digest: Digest; size: number }> {
  const digest = digestOf(bytes);
  await store.blobs.put(digest, bytes.length, Readable.from([bytes]));
  return { digest, size: bytes.length };
}

/** Every object of a store with its bytes, names as what they say. */
async function contents(store: Pick<Store, 'objects'>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key } of store.objects.list('')) {
    const { body } = (await store.objects.get(key))!;
    found[key] = Buffer.concat(await body.toArray()).toString('base64');
  }
  return found;
}

async function expectWhole(store: Store): Promise<void> {
  expect(await verifyStore(store)).toMatchObject({ corrupt: [], missing: [], damagedNames: [] });
}

/** Two directories, the first one furnished. */
async function twoPlaces(): Promise<{ from: Store; to: Store; root: string; target: string }> {
  const root = await scratch();
  const target = join(root, 'target');
  const from = await opened(join(root, 'source'));
  await furnish(from);
  return { from, to: await opened(target), root: join(root, 'source'), target };
}

describe('a copy', () => {
  test('is all that the store holds, byte for byte', async () => {
    const { from, to } = await twoPlaces();
    const result = await copyStore(from, to);
    expect(result).toMatchObject({
      ok: true,
      blobs: { copied: 44, there: 0 },
      names: { copied: 43, there: 0 },
      records: { copied: 6, there: 0 },
    });
    expect(await contents(to)).toEqual(await contents(from));
    await expectWhole(to);
  });

  test('holds every kind of object that the layout draws', async () => {
    const source = await readFile(resolve(import.meta.dirname, '../../../shared/storage/paths.ts'), 'utf8');
    const drawing = source.slice(0, source.indexOf('A directory also holds'));
    const drawn = [...drawing.matchAll(/^ \* {3}(\w+\/)/gm)].map(([, folder]) => folder!);
    expect(drawn.length).toBeGreaterThan(6);
    expect([BLOBS.replace('sha256/', ''), CATALOG, ...RECORDS].sort()).toEqual(drawn.sort());
  });

  test('is known to the index beside it', async () => {
    const { from, to } = await twoPlaces();
    await to.catalog('pypi').put(entryOf('file/numpy', { checkedAt: '2026-01-01T00:00:00.000Z' }));
    await copyStore(from, to);
    expect(await to.catalog('notes').keys('file/')).toHaveLength(40);
    expect(await to.catalog('pypi').get('file/numpy')).toEqual(await from.catalog('pypi').get('file/numpy'));
  });

  test('tells its steps one after another, and how much of each is done', async () => {
    const { from, to } = await twoPlaces();
    const events: CopyProgress[] = [];
    const { steps } = await copyStore(from, to, { onProgress: (event) => events.push({ ...event }) });
    expect([...new Set(events.map(({ step }) => step))]).toEqual(['compare', 'blobs', 'names', 'records']);
    expect(steps.map(({ name, count }) => [name, count])).toEqual([
      ['compare', 44],
      ['blobs', 44],
      ['names', 43],
      ['records', 6],
    ]);
    const last = events.findLast(({ step }) => step === 'blobs')!;
    expect({ count: last.done, bytes: last.bytes }).toEqual(last.total);
  });
});

describe('the same copy again', () => {
  test('copies nothing that is there', async () => {
    const { from, to } = await twoPlaces();
    await copyStore(from, to);
    expect(await copyStore(from, to)).toMatchObject({
      ok: true,
      blobs: { copied: 0, bytes: 0, there: 44 },
      names: { copied: 0, there: 43 },
      records: { copied: 0, there: 6 },
    });
  });

  test('brings what has changed at the source', async () => {
    const { from, to } = await twoPlaces();
    await copyStore(from, to);
    const moved = await keep(from, 'notes', 'file/1', Buffer.from('a newer one'), { checkedAt: LATER });
    await from.objects.put(importPath('weekly-1', 'receipt.json'), Buffer.from('{"later":true}\n'));
    expect(await copyStore(from, to)).toMatchObject({
      ok: true,
      blobs: { copied: 1 },
      names: { copied: 1, there: 42 },
      records: { copied: 1, there: 5 },
    });
    expect(await to.catalog('notes').get('file/1')).toEqual(moved);
    expect(await contents(to)).toMatchObject(await contents(from));
  });

  test('leaves what is newer at the target, and says so', async () => {
    const { from, to } = await twoPlaces();
    await copyStore(from, to);
    const mine = await keep(to, 'notes', 'file/1', Buffer.from('of the target'), { checkedAt: LATER });
    const result = await copyStore(from, to);
    expect(result).toMatchObject({ ok: true, names: { copied: 0 }, kept: { count: 1 } });
    expect(result.kept.first).toEqual([{ key: 'notes file/1', reason: expect.stringContaining(LATER) }]);
    expect(await to.catalog('notes').get('file/1')).toEqual(mine);
  });

  test('reads no name that was copied long after the source wrote it', async () => {
    const { from, to, root } = await twoPlaces();
    await copyStore(from, to);
    const path = join(root, catalogPath('notes', 'file/1'));
    // damage that only reading would find
    await writeFile(path, 'x');
    const old = new Date(Date.now() - 3 * 86_400_000);
    await utimes(path, old, old);
    expect(await copyStore(from, to)).toMatchObject({ ok: true, names: { there: 43 } });
  });

  test('writes again what was torn at the target', async () => {
    const { from, to, target } = await twoPlaces();
    await copyStore(from, to);
    const { digest } = (await from.catalog('pypi').get('file/numpy'))!;
    await truncate(join(target, blobPath(digest)), 1000);
    expect(await copyStore(from, to)).toMatchObject({ ok: true, blobs: { copied: 1 } });
    await expectWhole(to);
  });
});

describe('what is wrong at the source', () => {
  test('is named and not copied, and the rest is', async () => {
    const { from, to, root } = await twoPlaces();
    const { digest } = (await from.catalog('pypi').get('file/numpy'))!;
    await writeFile(join(root, blobPath(digest)), randomBytes(300_000));
    const gone = (await from.catalog('notes').get('file/7'))!;
    await rm(join(root, blobPath(gone.digest)));
    await writeFile(join(root, catalogPath('notes', 'file/8')), '{"key":');
    const result = await copyStore(from, to);
    expect(result).toMatchObject({ ok: false, names: { copied: 39 }, records: { copied: 6 } });
    expect(result.corrupt).toEqual([
      { digest, reason: expect.stringContaining(hexOf(digest)), names: expect.arrayContaining(['pypi file/twin']) },
    ]);
    expect(result.corrupt[0]!.names.sort()).toEqual(['pypi file/numpy', 'pypi file/twin']);
    expect(result.missing).toEqual([{ service: 'notes', key: 'file/7', digest: gone.digest }]);
    expect(result.damagedNames).toMatchObject([{ path: catalogPath('notes', 'file/8') }]);
    expect(await to.blobs.size(digest)).toBeUndefined();
    await expectWhole(to);
  });

  test('does no harm where the target has it whole', async () => {
    const { from, to, root } = await twoPlaces();
    await copyStore(from, to);
    const { digest, size } = (await from.catalog('pypi').get('file/numpy'))!;
    await writeFile(join(root, blobPath(digest)), randomBytes(size));
    expect(await copyStore(from, to)).toMatchObject({ ok: true, blobs: { copied: 0 } });
    await expectWhole(to);
  });
});

describe('while it runs', () => {
  test('stopped at any point it leaves no name without its bytes, and repeated it finishes', async () => {
    const { from } = await twoPlaces();
    const to = await opened('memory:');
    const points: number[] = [];
    for (let point = 1; ; point += 7) {
      const stop = new AbortController();
      let seen = 0;
      const onProgress = () => {
        seen += 1;
        if (seen === point) stop.abort(new DOMException('stopped', 'AbortError'));
      };
      const over = await copyStore(from, to, { onProgress, signal: stop.signal }).then(
        () => true,
        (error: Error) => {
          expect(error.name).toBe('AbortError');
          return false;
        },
      );
      await expectWhole(to);
      if (over) break;
      points.push(point);
    }
    expect(points.length).toBeGreaterThan(5);
    expect(await contents(to)).toEqual(await contents(from));
  });

  test('a name that the source gets after its blobs were listed comes with its bytes', async () => {
    const [from, to] = [await opened('memory:'), await opened('memory:')];
    await keep(from, 'notes', 'file/a', Buffer.from('early'));
    const late = Buffer.from('late');
    const entry = entryOf('file/b', { digest: digestOf(late), size: late.length });
    const onProgress = ({ step, done }: CopyProgress) => {
      if (step !== 'names' || done > 0) return;
      // memory holds them at once
      void from.objects.put(blobPath(entry.digest), late);
      void from.objects.put(catalogPath('notes', 'file/b'), Buffer.from(`${JSON.stringify(entry)}\n`));
    };
    expect(await copyStore(from, to, { onProgress })).toMatchObject({ ok: true, names: { copied: 2 } });
    await expectWhole(to);
  });
});

describe('secrets that the target has made for itself', () => {
  test('stay, and it is said that those of the source are not good there', async () => {
    const { from, to } = await twoPlaces();
    const mine = await new Grants(to.objects, { now }).secretFor('s3 mine');
    expect(await copyStore(from, to)).toMatchObject({ ok: false, ownSecrets: true, names: { copied: 43 } });
    expect(await new Grants(to.objects, { now }).secretFor('s3 mine')).toBe(mine);
  });
});

describe('is refused', () => {
  test('a store into itself, also by a link', async () => {
    const { from, root } = await twoPlaces();
    await symlink(root, `${root}-link`);
    const source = await openSource(`${root}-link`);
    await expect(copyStore(source, from)).rejects.toMatchObject({ kind: 'bad-request', subject: 'settings' });
    await expect(copyStore(from, from)).rejects.toThrow(/are the same store/);
    await source.close();
  });

  test('a source that is no store, and no store is made of it', async () => {
    const folder = await scratch();
    await expect(openSource(join(folder, 'typo'))).rejects.toThrow(/there is no store at/);
    await expect(readFile(join(folder, 'typo/larder-store.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a place of another format, on either side', async () => {
    const folder = await scratch();
    await writeFile(join(folder, 'larder-store.json'), '{"format":"larder-store/9"}');
    await expect(openSource(folder)).rejects.toMatchObject({ kind: 'unsupported' });
    await expect(opened(folder)).rejects.toThrow(/it has the format larder-store\/9/);
  });
});
