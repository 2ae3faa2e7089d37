import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { MirrorError } from '../model/errors.ts';
import { BlobStore } from './blob-store.ts';
import { Catalog } from './catalog.ts';
import { CatalogIndex } from './catalog-index.ts';
import { DiskStore } from './disk-store.ts';
import { MemoryStore } from './memory-store.ts';
import type { ObjectStore } from './object-store.ts';
import { sweepOwned } from './owned-files.ts';
import { MARKER } from './paths.ts';
import { reindex } from './reindex.ts';

const FORMAT = 'larder-store/1';
/** How often the names that other replicas wrote are looked for, in milliseconds. */
const REFRESH = 15_000;

/** Where everything is kept: names and bytes, in a directory, an S3 engine or memory. */
export interface Store {
  objects: ObjectStore;
  blobs: BlobStore;
  /** As the operator wrote it, without secrets. */
  location: string;
  /** For temporary files, on this machine. */
  workDir: string;
  catalog(service: string): Catalog;
  /** Services that have names here. */
  services(): Promise<string[]>;
  /** Reads the documents again, and finds what others wrote. */
  refresh(): Promise<void>;
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  now(): number;
  /** Where this machine keeps its index and spool when the store is no directory. */
  workDir?: string;
  /** For an engine, when they do not stand in the location. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  log?: Logger;
}

/**
 * Opens a store by its location: a directory, `memory:`, or `s3://bucket/prefix?endpoint=…`.
 * Throws in words for the operator when it cannot be used.
 */
export async function openStore(location: string, options: StoreOptions): Promise<Store> {
  if (location.startsWith('s3://')) {
    const { openEngine } = await import('./s3-store.ts');
    const { objects, shown } = await openEngine(location, options.credentials);
    const workDir = resolve(options.workDir ?? join(tmpdir(), 'larder-engine'));
    return storeOver(objects, { ...options, location: shown, workDir, shared: true });
  }
  if (location === 'memory:') {
    const workDir = resolve(options.workDir ?? join(tmpdir(), `larder-memory-${process.pid}`));
    return storeOver(new MemoryStore(), { ...options, location, workDir, indexPath: ':memory:' });
  }
  const root = resolve(location);
  return storeOver(await DiskStore.open(root), { ...options, location: root, workDir: root });
}

/** A store over an object store that is open already. */
export async function storeOver(
  objects: ObjectStore,
  options: StoreOptions & { location: string; workDir: string; shared?: boolean; indexPath?: string },
): Promise<Store> {
  const spoolDir = join(options.workDir, 'spool');
  await mkdir(spoolDir, { recursive: true });
  await checkFormat(objects);
  await objects.sweep();
  await sweepOwned(spoolDir);
  const index = new CatalogIndex(options.indexPath ?? join(options.workDir, 'index.sqlite'));
  const catalogs = new Map<string, Catalog>();
  if (options.shared || index.fact('read until') === undefined) await reindex(objects, index, options.log);
  const timer = options.shared ? refreshing(() => reindex(objects, index, options.log), options.log) : undefined;
  return {
    objects,
    blobs: new BlobStore(objects, { spoolDir }),
    location: options.location,
    workDir: options.workDir,
    catalog(service) {
      const catalog =
        catalogs.get(service) ?? new Catalog(service, objects, index, { shared: options.shared ?? false });
      catalogs.set(service, catalog);
      return catalog;
    },
    services: async () => index.services(),
    refresh: () => reindex(objects, index, options.log),
    check: () => objects.check(),
    async close() {
      await timer?.stop();
      for (const catalog of catalogs.values()) catalog.close();
      index.close();
      await objects.close();
    },
  };
}

async function checkFormat(objects: ObjectStore): Promise<void> {
  const found = await objects.get(MARKER);
  if (!found) {
    await objects.put(MARKER, Buffer.from(`${JSON.stringify({ format: FORMAT })}\n`), { ifAbsent: true });
    return;
  }
  const text = Buffer.concat(await found.body.toArray()).toString('utf8');
  if (!text.includes(`"${FORMAT}"`)) {
    throw new MirrorError(
      'unsupported',
      'store',
      `the store has another format (${text.trim().slice(0, 100)}); this Larder reads ${FORMAT}`,
    );
  }
}

/** Runs one refresh after another, with a pause between; `stop` waits for the one that runs. */
function refreshing(refresh: () => Promise<void>, log?: Logger): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(refresh)
      .catch((error) => log?.warn({ err: error }, 'names of other replicas could not be read'));
  }, REFRESH);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
