import { IMPORTS, QUARANTINE, WANTS } from './paths.ts';
import type { Store } from './store.ts';

export interface StoreStats {
  /** Bytes as they lie in the store: each blob once. */
  blobs: { count: number; bytes: number };
  /** Bytes as names see them: each name counts its own. */
  services: { service: string; names: number; bytes: number }[];
  /** What is saved because several names share a blob; negative when more lies there than is named. */
  saved: number;
  wants: number;
  /** Bundles that were imported. */
  imports: number;
  quarantine: { count: number; bytes: number };
}

/** Counts what a store holds. Lists every blob, so it is for the operator and not for a request. */
export async function storeStats(store: Store, options: { signal?: AbortSignal } = {}): Promise<StoreStats> {
  const services: StoreStats['services'] = [];
  for (const service of await store.services()) services.push({ service, ...(await store.catalog(service).count()) });
  const blobs = { count: 0, bytes: 0 };
  for await (const { size } of store.blobs.list()) {
    options.signal?.throwIfAborted();
    blobs.count += 1;
    blobs.bytes += size;
  }
  const named = services.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    blobs,
    services,
    saved: named - blobs.bytes,
    wants: (await count(store, WANTS, '.json')).count,
    imports: (await count(store, IMPORTS, '/receipt.json')).count,
    quarantine: await count(store, QUARANTINE, ''),
  };
}

async function count(store: Store, prefix: string, ending: string): Promise<{ count: number; bytes: number }> {
  const found = { count: 0, bytes: 0 };
  for await (const { key, size } of store.objects.list(prefix)) {
    if (!key.endsWith(ending)) continue;
    found.count += 1;
    found.bytes += size;
  }
  return found;
}
