import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { MirrorError } from '../model/errors.ts';
import { BlobStore } from './blob-store.ts';
import { Catalog } from './catalog.ts';
import { CatalogIndex } from './catalog-index.ts';
import { CatalogUpkeep } from './catalog-upkeep.ts';
import type { Delivery } from './delivery.ts';
import { DiskStore } from './disk-store.ts';
import { MemoryStore } from './memory-store.ts';
import type { ObjectStore } from './object-store.ts';
import { sweepOwned } from './owned-files.ts';
import { MARKER } from './paths.ts';

const FORMAT = 'larder-store/1';
/** How often the names that other replicas wrote to an engine are looked for, in milliseconds. */
const RELIST = 15_000;
/** How long a blob on an engine is believed to be there, in milliseconds; other replicas may have deleted it. */
const BELIEVE = 3_000;
/** How often a directory's index is looked after, in milliseconds. */
const LOOK = 5_000;
/** The longest that a timer can wait, in milliseconds. */
const NEVER = 2 ** 31 - 1;

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
  /** Looks for what others wrote; `thorough` reads every document again. */
  refresh(options?: { thorough?: boolean; signal?: AbortSignal }): Promise<void>;
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  now(): number;
  /** Where this machine keeps its index and spool when the store is no directory. */
  workDir?: string;
  /** For an engine, when they do not stand in the location. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  /** Nobody will list names: they are not read when the store is opened, nor looked after until it is closed. */
  withoutLists?: boolean;
  /** Unset: every byte is sent by us. */
  delivery?: Delivery;
  log?: Logger;
}

/**
 * Opens a store by its location: a directory, `memory:`, or `s3://bucket/prefix?endpoint=…`.
 * Throws in words for the operator when it cannot be used.
 */
export async function openStore(location: string, options: StoreOptions): Promise<Store> {
  if (location.startsWith('s3://')) {
    const { S3Store, parseS3Url } = await import('./s3-store.ts');
    const publicEndpoint = options.delivery?.endpoint;
    const objects = await S3Store.open({ ...parseS3Url(location), ...options.credentials, publicEndpoint });
    return overMachine(objects, location.replace(/[?#].*$/, ''), { ...options, replicas: true });
  }
  if (location === 'memory:') return overMachine(new MemoryStore(), location, { ...options, indexPath: ':memory:' });
  const root = resolve(location);
  return storeOver(await DiskStore.open(root), { ...options, location: root, workDir: root });
}

/** A store whose index and spool lie in the work folder, or in one that goes when the store is closed. */
async function overMachine(
  objects: ObjectStore,
  location: string,
  options: StoreOptions & { replicas?: boolean; indexPath?: string },
): Promise<Store> {
  const workDir = resolve(options.workDir ?? (await mkdtemp(join(tmpdir(), 'larder-work-'))));
  const store = await storeOver(objects, { ...options, location, workDir });
  if (options.workDir !== undefined) return store;
  return {
    ...store,
    async close() {
      await store.close();
      await rm(workDir, { recursive: true, force: true });
    },
  };
}

export interface StoreOverOptions extends StoreOptions {
  location: string;
  workDir: string;
  /** Others write to the store without writing to this index: an engine with replicas. */
  replicas?: boolean;
  /** Unset: `index.sqlite` in the work folder. */
  indexPath?: string;
  /** Milliseconds between two looks for what others did. */
  every?: number;
}

/** A store over an object store that is open already; closing the one closes the other. */
export async function storeOver(objects: ObjectStore, options: StoreOverOptions): Promise<Store> {
  const { replicas = false, withoutLists = false, log } = options;
  const spoolDir = join(options.workDir, 'spool');
  await mkdir(spoolDir, { recursive: true, mode: 0o700 });
  await checkFormat(objects, options.location);
  await objects.sweep();
  await sweepOwned(spoolDir);
  const index = new CatalogIndex(options.indexPath ?? join(options.workDir, 'index.sqlite'));
  const every = withoutLists ? NEVER : (options.every ?? (replicas ? RELIST : LOOK));
  const upkeep = new CatalogUpkeep(objects, index, { sharedIndex: !replicas, every, log });
  // In the background: one name is found without it, and lists wait for it.
  if (!withoutLists) upkeep.ready().catch((err) => log?.warn({ err }, 'the names could not be read; trying again'));
  const catalogs = new Map<string, Catalog>();
  return {
    objects,
    blobs: new BlobStore(objects, {
      spoolDir,
      delivery: options.delivery,
      now: options.now,
      believe: replicas ? BELIEVE : 0,
    }),
    location: options.location,
    workDir: options.workDir,
    catalog(service) {
      const catalog = catalogs.get(service) ?? newCatalog(service);
      catalogs.set(service, catalog);
      return catalog;
    },
    async services() {
      await upkeep.ready();
      return index.services();
    },
    refresh: (how) => upkeep.refresh(how),
    check: () => objects.check(),
    async close() {
      await upkeep.stop();
      for (const catalog of catalogs.values()) catalog.close();
      index.close();
      await objects.close();
    },
  };

  function newCatalog(service: string): Catalog {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(service)) throw new MirrorError('internal', 'store', `"${service}" is no service`);
    return new Catalog(service, { objects, index, upkeep, sharedIndex: !replicas });
  }
}

/** Marks a new store, and refuses one that another Larder wrote in another way. */
async function checkFormat(objects: ObjectStore, location: string): Promise<void> {
  if (await isStore(objects, location)) return;
  await objects.put(MARKER, Buffer.from(`${JSON.stringify({ format: FORMAT })}\n`), { ifAbsent: true });
}

/** False where no store is. Throws `unsupported` for one that another Larder wrote in another way. */
async function isStore(objects: ObjectStore, location: string): Promise<boolean> {
  const found = await objects.get(MARKER);
  if (!found) return false;
  const text = Buffer.concat(await found.body.toArray()).toString('utf8');
  const format = formatOf(text);
  if (format === FORMAT) return true;
  const what = format === undefined ? `its ${MARKER} cannot be read` : `it has the format ${format.slice(0, 100)}`;
  const message = `${location}: this Larder reads stores of the format ${FORMAT}, and of this one ${what}; open it with the Larder that wrote it`;
  throw new MirrorError('unsupported', 'store', message);
}

function formatOf(marker: string): string | undefined {
  try {
    const { format } = JSON.parse(marker) as { format?: unknown };
    return typeof format === 'string' ? format : undefined;
  } catch {
    return undefined;
  }
}

/** What is read of a store that nothing is done to. */
export type StoreSource = Pick<Store, 'objects' | 'blobs' | 'location' | 'close'>;

/**
 * Opens a store for one who copies it: without its index, and without making one where none is. Throws in words for the
 * operator; `bad-request` where there is no store.
 */
export async function openSource(
  location: string,
  options: Pick<StoreOptions, 'credentials'> = {},
): Promise<StoreSource> {
  const isEngine = location.startsWith('s3://');
  const shown = isEngine ? location.replace(/[?#].*$/, '') : resolve(location);
  const objects = await (isEngine ? bucketAt(location, options) : directoryAt(shown));
  try {
    if (!objects || !(await isStore(objects, shown)))
      throw new MirrorError('bad-request', 'settings', `there is no store at ${shown}`);
    return { objects, blobs: new BlobStore(objects, { spoolDir: '' }), location: shown, close: () => objects.close() };
  } catch (error) {
    await objects?.close();
    throw error;
  }
}

async function bucketAt(location: string, { credentials }: Pick<StoreOptions, 'credentials'>): Promise<ObjectStore> {
  const { S3Store, parseS3Url } = await import('./s3-store.ts');
  return S3Store.open({ ...parseS3Url(location), ...credentials }, { toRead: true });
}

/** Opening a directory makes it; so it is looked at first. */
async function directoryAt(root: string): Promise<ObjectStore | undefined> {
  const isThere = await access(join(root, MARKER)).then(
    () => true,
    () => false,
  );
  return isThere ? DiskStore.open(root) : undefined;
}
