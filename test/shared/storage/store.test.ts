import { access, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../shared/model/digest.ts';
import { auditPath, blobPath, catalogPath, importPath, wantPath } from '../../../shared/storage/paths.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { openStore } from '../../../shared/storage/store.ts';
import { planGc, runGc } from '../../../shared/storage/store-gc.ts';
import { storeStats } from '../../../shared/storage/store-stats.ts';
import { type VerifyProgress, verifyStore } from '../../../shared/storage/store-verify.ts';
import { entryOf, NOW, opened, scratch } from './support.ts';

const DAY = 86_400;

async function directory(): Promise<{ root: string; store: Store }> {
  const root = join(await scratch(), 'store');
  return { root, store: await opened(root) };
}

async function keep(store: Store, text: string): Promise<Digest> {
  await store.blobs.put(digestOf(text), Buffer.byteLength(text), Readable.from([Buffer.from(text)]));
  return digestOf(text);
}

async function name(store: Store, service: string, key: string, text: string): Promise<Digest> {
  const digest = await keep(store, text);
  await store.catalog(service).put(entryOf(key, { digest, size: Buffer.byteLength(text) }));
  return digest;
}

describe('opening', () => {
  test('a new directory becomes a store, is marked, and is found again', async () => {
    const { root, store } = await directory();
    await name(store, 's', 'a', 'bytes');
    expect(JSON.parse(await readFile(join(root, 'larder-store.json'), 'utf8'))).toEqual({ format: 'larder-store/1' });
    expect((await stat(root)).mode & 0o077).toBe(0);
    expect(store.location).toBe(root);
    await store.check();
    await store.close();
    expect(await (await opened(root)).catalog('s').keys()).toEqual(['a']);
  });

  test('a store of a newer Larder, and one whose marker is spoilt, are refused and left as they are', async () => {
    const { root, store } = await directory();
    await store.close();
    for (const marker of ['{"format":"larder-store/2"}', 'spoilt', '{}', '[]', 'null']) {
      await writeFile(join(root, 'larder-store.json'), marker);
      await expect(openStore(root, { now: () => NOW })).rejects.toMatchObject({
        kind: 'unsupported',
        message: expect.stringMatching(/reads stores of the format larder-store\/1/),
      });
      expect(await readFile(join(root, 'larder-store.json'), 'utf8')).toBe(marker);
    }
  });

  test('a path that is a file is refused in words', async () => {
    const path = join(await scratch(), 'file');
    await writeFile(path, 'x');
    await expect(openStore(path, { now: () => NOW })).rejects.toMatchObject({ kind: 'bad-request' });
  });

  test('a store in memory leaves nothing behind', async () => {
    const store = await openStore('memory:', { now: () => NOW });
    await name(store, 's', 'a', 'bytes');
    await access(store.workDir);
    await store.close();
    await expect(access(store.workDir)).rejects.toThrow();
  });

  test('a service that could be a path is none', async () => {
    const { store } = await directory();
    for (const service of ['', '..', 'a/b', 'A']) expect(() => store.catalog(service)).toThrow(/is no service/);
  });
});

test('the layout is the one that is drawn', async () => {
  const digest = digestOf('x');
  expect(blobPath(digest)).toMatch(/^blobs\/sha256\/[0-9a-f]{64}$/);
  expect(catalogPath('pypi', '../..')).toMatch(/^catalog\/pypi\/([0-9a-f]{2})\/\1[0-9a-f]{62}\.json$/);
  expect(wantPath('pypi', 'a')).toMatch(/^wants\/pypi\/[0-9a-f]{2}\/[0-9a-f]{64}\.json$/);
  expect(auditPath('2026-11-23T12:00:00.123Z', 'import-1')).toBe('audit/2026-11-23/120000123-import-1.json');
});

describe('verify', () => {
  test('a store in order is said to be so, step by step', async () => {
    const { store } = await directory();
    for (const text of ['one', 'two', 'three']) await name(store, 's', text, text);
    await keep(store, 'nobody needs me');
    const events: VerifyProgress[] = [];
    const result = await verifyStore(store, { onProgress: (event) => events.push(event) });
    expect(result).toMatchObject({ ok: true, corrupt: [], missing: [], damagedNames: [], removed: [] });
    expect(result.unreferenced).toEqual([{ digest: digestOf('nobody needs me'), size: 15 }]);
    expect(result.steps.map(({ name, count, bytes }) => [name, count, bytes])).toEqual([
      ['names', 3, 0],
      ['blobs', 4, 26],
      ['index', 0, 0],
    ]);
    expect(events.at(-1)).toMatchObject({ step: 'blobs', done: 4, bytes: 26, total: { count: 3, bytes: 11 } });
  });

  test('damage of every sort is named; nothing is touched unless asked for', async () => {
    const { root, store } = await directory();
    for (const text of ['good', 'spoilt', 'short', 'gone', 'unreadable name']) await name(store, 's', text, text);
    await name(store, 't', 'also spoilt', 'spoilt');
    await writeFile(join(root, blobPath(digestOf('spoilt'))), 'Spoilt');
    await writeFile(join(root, blobPath(digestOf('short'))), 'sho');
    await store.blobs.delete(digestOf('gone'));
    await writeFile(join(root, catalogPath('s', 'unreadable name')), '{');
    const result = await verifyStore(store);
    expect(result.ok).toBe(false);
    expect(result.corrupt.map(({ digest, names }) => [digest, names.sort()]).sort()).toEqual(
      [
        [digestOf('spoilt'), ['s spoilt', 't also spoilt']],
        [digestOf('short'), ['s short']],
      ].sort(),
    );
    expect(result.missing).toEqual([{ service: 's', key: 'gone', digest: digestOf('gone') }]);
    expect(result.damagedNames.map(({ path }) => path)).toEqual([catalogPath('s', 'unreadable name')]);
    expect(await store.blobs.size(digestOf('spoilt'))).toBe(6);
  });

  test('what is damaged is moved away on request, and can be brought again', async () => {
    const { root, store } = await directory();
    const digest = await name(store, 's', 'a', 'precious');
    await writeFile(join(root, blobPath(digest)), 'Precious');
    const result = await verifyStore(store, { remove: true });
    expect(result.removed).toEqual([digest]);
    expect(await store.blobs.size(digest)).toBeUndefined();
    expect(await readdir(join(root, 'quarantine'))).toEqual([digest.slice(7)]);
    await keep(store, 'precious');
    expect((await verifyStore(store)).ok).toBe(true);
  });

  test('it ends when told to', async () => {
    const { store } = await directory();
    await name(store, 's', 'a', 'a');
    await expect(verifyStore(store, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('garbage collection', () => {
  async function aged(root: string, digest: Digest, days: number): Promise<void> {
    const when = new Date(NOW - days * DAY * 1000);
    await utimes(join(root, blobPath(digest)), when, when);
  }

  test('what no name needs and is old enough goes; the rest stays', async () => {
    const { root, store } = await directory();
    const named = await name(store, 's', 'a', 'named');
    const [old, young, part] = [await keep(store, 'old'), await keep(store, 'young'), await keep(store, 'part')];
    await store.catalog('s').put(entryOf('joined', { parts: [{ digest: part, size: 4 }] }));
    for (const digest of [named, old, part]) await aged(root, digest, 3);
    await aged(root, young, 0.5);
    const plan = await planGc(store, { olderThanSeconds: DAY, now: NOW });
    expect(plan).toMatchObject({ blobs: [{ digest: old, size: 3 }], bytes: 3, young: { count: 1, bytes: 5 } });
    expect(await store.blobs.size(old)).toBe(3);
    expect(await runGc(store, plan)).toEqual({ deleted: 1, bytes: 3, kept: 0 });
    const left = (await Array.fromAsync(store.blobs.list())).map(({ digest }) => digest);
    expect(left.sort()).toEqual([named, young, part].sort());
  });

  test('what was named, or brought again, between the plan and the doing stays', async () => {
    const { root, store } = await directory();
    const [named, brought] = [await keep(store, 'named'), await keep(store, 'brought')];
    for (const digest of [named, brought]) await aged(root, digest, 3);
    const plan = await planGc(store, { olderThanSeconds: DAY, now: NOW });
    expect(plan.blobs).toHaveLength(2);
    await store.catalog('s').put(entryOf('a', { digest: named }));
    await keep(store, 'brought');
    expect(await runGc(store, plan)).toEqual({ deleted: 0, bytes: 0, kept: 2 });
  });

  test('while an import runs nothing goes; one that was given up long ago counts no more', async () => {
    const { root, store } = await directory();
    const old = await keep(store, 'old');
    await aged(root, old, 3);
    await store.objects.put(importPath('b-1', 'journal.json'), Buffer.from('{}'));
    const plan = await planGc(store, { olderThanSeconds: DAY, now: NOW });
    expect(plan).toMatchObject({ blobs: [], importing: ['imports/b-1'] });
    const later = new Date(NOW - 2 * DAY * 1000);
    await utimes(join(root, importPath('b-1', 'journal.json')), later, later);
    expect(await planGc(store, { olderThanSeconds: DAY, now: NOW })).toMatchObject({ blobs: [{ digest: old }] });
  });

  test('when a name cannot be read nothing may go', async () => {
    const { root, store } = await directory();
    await name(store, 's', 'a', 'a');
    await writeFile(join(root, catalogPath('s', 'a')), '{');
    await expect(planGc(store, { olderThanSeconds: 0, now: NOW })).rejects.toMatchObject({ kind: 'corrupt' });
  });
});

test('statistics count blobs once and names for themselves', async () => {
  const { root, store } = await directory();
  await name(store, 's', 'a', 'shared');
  await name(store, 's', 'b', 'shared');
  await name(store, 't', 'c', 'own');
  await store.objects.put(wantPath('s', 'wanted'), Buffer.from('{}'));
  await store.objects.put(importPath('b-1', 'receipt.json'), Buffer.from('{}'));
  await mkdir(join(root, 'quarantine'));
  await writeFile(join(root, 'quarantine', 'x'), 'damaged');
  expect(await storeStats(store)).toEqual({
    blobs: { count: 2, bytes: 9 },
    services: [
      { service: 's', names: 2, bytes: 12 },
      { service: 't', names: 1, bytes: 3 },
    ],
    saved: 6,
    wants: 1,
    imports: 1,
    quarantine: { count: 1, bytes: 7 },
  });
});
