import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createBundle } from '../../shared/bundle/create.ts';
import type { CreateOptions, CreateResult, ResolvedItem } from '../../shared/bundle/create-options.ts';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { openStore, type Store } from '../../shared/storage/store.ts';

export const NOW = Date.parse('2026-11-23T12:00:00Z');

/** Puts bytes under a name, as a mirror would have. */
export async function keep(
  store: Store,
  service: string,
  key: string,
  bytes: Buffer,
  facts: Partial<Entry> = {},
): Promise<Entry> {
  const digest = digestOf(bytes);
  await store.blobs.put(digest, bytes.length, Readable.from([bytes]));
  const at = new Date(NOW).toISOString();
  const entry: Entry = {
    key,
    digest,
    size: bytes.length,
    mediaType: 'application/octet-stream',
    headers: {},
    origin: 'http://origin.example',
    storedAt: at,
    checkedAt: at,
    ...facts,
  };
  await store.catalog(service).put(entry);
  return entry;
}

/** A folder for one test, removed by the function that comes with it. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'larder-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** An embedded store in `<folder>/<name>`. */
export function storeIn(folder: string, name: string): Promise<Store> {
  return openStore(join(folder, name), { now: () => NOW });
}

/** A bundle of three items that share a blob and a project page. */
export async function sampleBundle(
  folder: string,
  options: Partial<CreateOptions> = {},
): Promise<{ store: Store; result: CreateResult }> {
  const store = await storeIn(folder, 'connected');
  const items = await sampleItems(store);
  const result = await createBundle({
    id: 'sample-1',
    channel: 'samples',
    manifestText: 'format: larder-manifest/1\nname: sample\nitems: [{ note: a }]\n',
    items,
    store,
    target: join(folder, 'bundle'),
    now: () => NOW,
    tool: 'larder test',
    ...options,
  });
  return { store, result };
}

export async function sampleItems(store: Store): Promise<ResolvedItem[]> {
  const page = await keep(store, 'notes', 'index/notes', Buffer.from('the page'));
  const shared = Buffer.alloc(100_000, 'shared');
  const items: ResolvedItem[] = [];
  for (const name of ['a', 'b', 'c']) {
    const own = await keep(store, 'notes', `file/${name}`, name === 'c' ? shared : Buffer.alloc(70_000, name));
    const twin = await keep(store, 'notes', `twin/${name}`, shared);
    items.push({
      id: `note:${name}`,
      type: 'note',
      service: 'notes',
      details: { title: name },
      entries: [own, twin],
      refs: [page],
    });
  }
  return items;
}
