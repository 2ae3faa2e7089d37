import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBundle } from '../../../shared/bundle/create.ts';
import { importBundle } from '../../../shared/bundle/import.ts';
import { openBundle } from '../../../shared/bundle/open.ts';
import { writeTagManifest } from '../../../shared/bundle/tag-files.ts';
import { verifyBundle } from '../../../shared/bundle/verify.ts';
import { Wants } from '../../../shared/mirror/wants.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { keep, NOW, sampleBundle, sampleItems, storeIn, temporaryFolder } from '../../support/bundles.ts';

const run = promisify(execFile);
let folder: { path: string; remove(): Promise<void> };
let dir: string;
const stores: Store[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  dir = join(folder.path, 'bundle');
  const { store } = await sampleBundle(folder.path);
  stores.push(store);
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await folder.remove();
});

async function siteStore(): Promise<Store> {
  const store = await storeIn(folder.path, 'site');
  stores.push(store);
  return store;
}

/** Rewrites a list and the lists over it, as a hostile author with a text editor and sha256sum would. */
async function rewrite(name: string, change: (text: string) => string): Promise<void> {
  await writeFile(join(dir, name), change(await readFile(join(dir, name), 'utf8')));
  await writeTagManifest(dir);
}

async function blobNames(): Promise<string[]> {
  return (await readdir(join(dir, 'data/blobs/sha256'))).sort();
}

async function countBlobs(store: Store): Promise<number> {
  let count = 0;
  for await (const _ of store.blobs.list()) count += 1;
  return count;
}

describe('a bundle that was created', () => {
  test('holds each blob once, under its own digest', async () => {
    expect(await blobNames()).toHaveLength(4);
    for (const name of await blobNames()) {
      const bytes = await readFile(join(dir, 'data/blobs/sha256', name));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(name);
    }
  });

  test('is accepted by sha256sum -c, both lists', async () => {
    await run('sha256sum', ['-c', '--quiet', '--strict', 'tagmanifest-sha256.txt'], { cwd: dir });
    await run('sha256sum', ['-c', '--quiet', '--strict', 'manifest-sha256.txt'], { cwd: dir });
  });

  test('is the same bytes when it is made again from the same store', async () => {
    const items = await sampleItems(stores[0]!);
    const options = {
      id: 'sample-1',
      channel: 'samples',
      manifestText: await readFile(join(dir, 'bundle.yaml'), 'utf8'),
      items,
      store: stores[0]!,
      now: () => NOW,
      tool: 'larder test',
    };
    const again = await createBundle({ ...options, target: join(folder.path, 'again') });
    expect(again.tagManifest).toBe((await openBundle(dir)).tagManifest);
  });

  test('never goes over a folder that is not empty', async () => {
    const made = createBundle({
      id: 'x',
      manifestText: '',
      items: [],
      store: stores[0]!,
      target: dir,
      now: () => NOW,
      tool: 't',
    });
    await expect(made).rejects.toMatchObject({ kind: 'conflict', message: expect.stringContaining('not empty') });
  });

  test('goes on from what a run that was cut short left, and drops what is not part of it', async () => {
    const partial = join(folder.path, 'second.partial');
    await mkdir(join(partial, 'data/blobs/sha256'), { recursive: true });
    await cp(join(dir, 'data/blobs/sha256'), join(partial, 'data/blobs/sha256'), { recursive: true });
    const [first, second] = await blobNames();
    await truncate(join(partial, 'data/blobs/sha256', first!), 10);
    await rename(join(partial, 'data/blobs/sha256', second!), join(partial, 'data/blobs/sha256', `${second}.tmp`));
    await writeFile(join(partial, 'data/blobs/sha256', 'f'.repeat(64)), 'of another manifest');
    await createBundle({
      id: 'second',
      manifestText: 'x',
      items: await sampleItems(stores[0]!),
      store: stores[0]!,
      target: join(folder.path, 'second'),
      now: () => NOW,
      tool: 't',
    });
    expect((await verifyBundle(join(folder.path, 'second'))).damaged).toEqual([]);
  });

  test('is not finished when its proof finds a missing edge, unless that is recorded in it', async () => {
    const options = {
      id: 'p',
      manifestText: 'x',
      store: stores[0]!,
      now: () => NOW,
      tool: 't',
      prove: async () => [{ item: 'cp313', message: 'numpy 2.1 for cp313 aarch64: no wheel' }],
    };
    const target = join(folder.path, 'proved');
    const refused = createBundle({ ...options, items: await sampleItems(stores[0]!), target });
    await expect(refused).rejects.toThrow('numpy 2.1 for cp313 aarch64: no wheel');
    await expect(readdir(target)).rejects.toThrow('ENOENT');
    const partial = await createBundle({
      ...options,
      items: await sampleItems(stores[0]!),
      target,
      allowPartial: true,
    });
    expect(partial.head).toMatchObject({ complete: false, failed: [{ item: 'cp313' }] });
    expect((await verifyBundle(target)).damaged).toEqual([]);
  });

  test('is refused while a blob of the store is damaged', async () => {
    const items = await sampleItems(stores[0]!);
    const victim = items[0]!.entries[0]!;
    const path = join(folder.path, 'connected/blobs/sha256', victim.digest.slice(7));
    await writeFile(path, Buffer.alloc(victim.size, 'X'));
    const made = createBundle({
      id: 'x',
      manifestText: '',
      items,
      store: stores[0]!,
      target: join(folder.path, 'x'),
      now: () => NOW,
      tool: 't',
    });
    await expect(made).rejects.toMatchObject({ kind: 'corrupt' });
  });
});

describe('verify', () => {
  test('finds nothing wrong with a good bundle', async () => {
    const report = await verifyBundle(dir);
    expect(report.damaged).toEqual([]);
    expect(report.bundle.code).toMatch(/^[0-9A-F]{4}(-[0-9A-F]{4}){3}$/);
  });

  test('names every damaged file and reads the others', async () => {
    const [first, , third] = await blobNames();
    for (const name of [first, third]) {
      const path = join(dir, 'data/blobs/sha256', name!);
      const bytes = await readFile(path);
      bytes[5] = bytes[5]! ^ 1;
      await writeFile(path, bytes);
    }
    const report = await verifyBundle(dir);
    expect(report.damaged.map(({ path }) => path)).toEqual([first, third].map((name) => `data/blobs/sha256/${name}`));
  });

  test('quick looks at lists and sizes alone', async () => {
    const path = join(dir, 'data/blobs/sha256', (await blobNames())[0]!);
    await truncate(path, 3);
    await expect(verifyBundle(dir, { quick: true })).rejects.toMatchObject({ kind: 'corrupt' });
  });
});

describe('import', () => {
  test('brings every name with its facts and its bytes', async () => {
    const store = await siteStore();
    const { receipt } = await importBundle(dir, { store, now: () => NOW });
    expect(receipt).toMatchObject({ result: 'complete', items: 3, newBlobs: 4, names: 7 });
    const entry = await store.catalog('notes').get('file/a');
    expect(entry).toMatchObject({ origin: 'http://origin.example', size: 70_000 });
    expect(await store.blobs.read(entry!.digest, 100_000)).toEqual(Buffer.alloc(70_000, 'a'));
  });

  test('ends the wants of what it brings, and of nothing else', async () => {
    const site = await siteStore();
    const bundle = await openBundle(dir);
    const brought: { service: string; key: string }[] = [];
    for await (const { service, entries, refs } of bundle.items())
      brought.push(...[...entries, ...refs].map(({ key }) => ({ service, key })));
    for (const { service, key } of [...brought, { service: brought[0]!.service, key: 'still missed' }])
      await new Wants(site.objects, { service, now: () => NOW }).record({ key, label: key, item: { note: key } });
    await importBundle(dir, { store: site, now: () => NOW });
    const left: string[] = [];
    for (const service of new Set(brought.map((one) => one.service)))
      for await (const { key } of new Wants(site.objects, { service, now: () => NOW }).list()) left.push(key);
    expect(left).toEqual(['still missed']);
  });

  test('changes nothing when it is repeated', async () => {
    const store = await siteStore();
    await importBundle(dir, { store, now: () => NOW });
    const { receipt } = await importBundle(dir, { store, now: () => NOW + 60_000 });
    expect(receipt).toMatchObject({ newBlobs: 0, existing: 4, names: 0 });
  });

  test('keeps what was uploaded here and pages that are newer', async () => {
    const store = await siteStore();
    await keep(store, 'notes', 'file/a', Buffer.from('ours'), { origin: 'upload' });
    await keep(store, 'notes', 'index/notes', Buffer.from('newer'), { checkedAt: '2026-11-24T00:00:00.000Z' });
    const { kept } = await importBundle(dir, { store, now: () => NOW });
    expect(kept.map(({ key }) => key).sort()).toEqual(['file/a', 'index/notes']);
    expect((await store.catalog('notes').get('file/a'))?.origin).toBe('upload');
  });

  test('stops at a damaged blob, names its file, and finishes once that was copied again', async () => {
    const store = await siteStore();
    const path = join(dir, 'data/blobs/sha256', (await blobNames())[0]!);
    const good = await readFile(path);
    await writeFile(path, Buffer.alloc(good.length, 'x'));
    await expect(importBundle(dir, { store, now: () => NOW })).rejects.toThrow((await blobNames())[0]!);
    await writeFile(path, good);
    expect((await importBundle(dir, { store, now: () => NOW })).receipt.result).toBe('complete');
  });
});

describe('a hostile bundle is refused before any write', () => {
  const bad: [string, () => Promise<void>, string][] = [
    ['a file that no list names', () => writeFile(join(dir, 'autorun.inf'), ''), 'no place in a bundle'],
    ['a hidden file', () => writeFile(join(dir, 'data/.hidden'), ''), 'no place in a bundle'],
    ['a folder too many', async () => void (await mkdir(join(dir, 'data/blobs/sha512'))), 'no place in a bundle'],
    [
      'a link for a blob',
      async () => {
        const path = join(dir, 'data/blobs/sha256', (await blobNames())[0]!);
        await rm(path);
        await symlink('/etc/hostname', path);
      },
      'a link',
    ],
    [
      'a link for a folder',
      async () => {
        await rename(join(dir, 'index'), join(folder.path, 'elsewhere'));
        await symlink(join(folder.path, 'elsewhere'), join(dir, 'index'));
      },
      'a link',
    ],
    [
      'a path that escapes, in the manifest',
      () => rewrite('manifest-sha256.txt', (text) => `${text}${'a'.repeat(64)}  data/../../etc/passwd\n`),
      'not there',
    ],
    [
      'a name twice in the manifest',
      () => rewrite('manifest-sha256.txt', (text) => text + text.split('\n')[0] + '\n'),
      'twice',
    ],
    [
      'a blob under the digest of another',
      () => rewrite('manifest-sha256.txt', (text) => text.replace(/^[0-9a-f]{8}/, '00000000')),
      'another digest than its name',
    ],
    ['an item twice', () => rewrite('index/items.jsonl', (text) => text + text.split('\n')[0] + '\n'), 'twice'],
    [
      'a name with two meanings',
      () => rewrite('index/items.jsonl', (text) => text.replaceAll('"key":"twin/a"', '"key":"file/b"')),
      'different bytes',
    ],
    [
      'an item whose blob is in no list',
      () => rewrite('index/items.jsonl', (text) => text.replace(/sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`)),
      'in no list',
    ],
    [
      'a digest of the wrong length',
      () => rewrite('index/items.jsonl', (text) => text.replace(/sha256:[0-9a-f]{64}/, 'sha256:00')),
      'line 1',
    ],
    [
      'a size beyond what numbers hold',
      () => rewrite('index/blobs.jsonl', (text) => text.replace(/"size":\d+/, '"size":1e300')),
      'line 1',
    ],
    [
      'a service that is a path',
      () => rewrite('index/items.jsonl', (text) => text.replace('"service":"notes"', '"service":"../notes"')),
      'service',
    ],
    ['an item without its end', () => rewrite('index/items.jsonl', (text) => text.slice(0, -1)), 'line end'],
    [
      'a line of five megabytes',
      () => rewrite('index/items.jsonl', () => `"${'x'.repeat(5_000_000)}"\n`),
      'line of over',
    ],
    [
      'a head of 70 KB',
      () => writeFile(join(dir, 'bundle.json'), `{"format":"larder-bundle/1","x":"${'x'.repeat(70_000)}"}`),
      'larger than',
    ],
    ['a head that is no JSON', () => rewrite('bundle.json', () => 'hello'), 'not JSON'],
    [
      'a head with __proto__ for an id',
      () => rewrite('bundle.json', (text) => text.replace('"sample-1"', '{"__proto__":1}')),
      'id',
    ],
    [
      'an id with an escape sequence',
      () => rewrite('bundle.json', (text) => text.replace('"sample-1"', '"\\u001b[2Jx"')),
      'id',
    ],
    [
      'another format',
      () => rewrite('bundle.json', (text) => text.replace('larder-bundle/1', 'larder-bundle/9')),
      'larder-bundle/9',
    ],
    [
      'a feature that is not known',
      () => rewrite('bundle.json', (text) => text.replace('"requires": []', '"requires": ["volume-zstd"]')),
      'volume-zstd',
    ],
    ['a list that was changed', () => writeFile(join(dir, 'bundle.yaml'), 'other'), 'not what'],
    ['a missing list', () => rm(join(dir, 'index/external.jsonl')), 'missing'],
    [
      'a missing blob',
      async () => rm(join(dir, 'data/blobs/sha256', (await blobNames())[0]!)),
      'copy the bundle again',
    ],
    [
      'a base that is not here',
      () => rewrite('index/external.jsonl', () => `${JSON.stringify({ sha256: 'e'.repeat(64), size: 5 })}\n`),
      'missing',
    ],
  ];

  test.each(bad)('%s', async (_name, spoil, words) => {
    await spoil();
    const store = await siteStore();
    await expect(importBundle(dir, { store, now: () => NOW })).rejects.toThrow(words);
    expect(await countBlobs(store)).toBe(0);
    expect(await store.catalog('notes').keys()).toEqual([]);
  });
});
