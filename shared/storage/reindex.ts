import type { Logger } from 'pino';
import type { Entry } from '../model/entry.ts';
import { readEntry } from './catalog.ts';
import type { CatalogIndex } from './catalog-index.ts';
import type { ObjectStore } from './object-store.ts';
import { catalogPath } from './paths.ts';

const BATCH = 1000;
const AT_ONCE = 16;
const CATALOG = 'catalog/';

/**
 * Brings the index up to the documents: those written since the last time are read, names whose document is gone are
 * taken out. The first time that is all of them.
 */
export async function reindex(objects: ObjectStore, index: CatalogIndex, log?: Logger): Promise<void> {
  const since = Number(index.fact('read until') ?? 0);
  const started = Date.now();
  const present = new Set<string>();
  let changed: string[] = [];
  for await (const { key, modified } of objects.list(CATALOG)) {
    present.add(key);
    if (modified.getTime() >= since) changed.push(key);
    if (changed.length >= BATCH) changed = await readInto(objects, index, changed, log);
  }
  await readInto(objects, index, changed, log);
  dropGone(index, present);
  // clocks of an engine and of this machine differ, and seconds may be all that an engine tells
  index.setFact('read until', String(started - 120_000));
}

async function readInto(objects: ObjectStore, index: CatalogIndex, paths: string[], log?: Logger): Promise<string[]> {
  const byService = new Map<string, Entry[]>();
  for (let first = 0; first < paths.length; first += AT_ONCE) {
    const some = paths.slice(first, first + AT_ONCE);
    const entries = await Promise.all(
      some.map((path) => readEntry(objects, path).catch((error) => void log?.error({ error }, 'a name was skipped'))),
    );
    for (const [place, entry] of entries.entries()) {
      if (!entry) continue;
      const service = some[place]!.split('/')[1]!;
      byService.set(service, [...(byService.get(service) ?? []), entry]);
    }
  }
  for (const [service, entries] of byService) {
    const changed = entries.filter((entry) => JSON.stringify(index.get(service, entry.key)) !== JSON.stringify(entry));
    if (changed.length > 0) index.putMany(service, changed);
  }
  return [];
}

function dropGone(index: CatalogIndex, present: ReadonlySet<string>): void {
  for (const service of index.services()) {
    for (const key of index.keys(service, '')) {
      if (!present.has(catalogPath(service, key))) index.delete(service, key);
    }
  }
}
