import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { digestOfHex, hexOf } from '../model/digest.ts';
import type { Entry } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { WANTS, wantPath } from '../storage/paths.ts';
import type { Store } from '../storage/store.ts';
import { blobMember } from './layout.ts';
import { type OpenedBundle, openBundle } from './open.ts';
import { type BundleProgress, silent } from './progress.ts';
import { type Receipt, writeJournal, writeReceipt } from './receipt.ts';

export interface ImportOptions {
  store: Store;
  now(): number;
  progress?: BundleProgress;
  signal?: AbortSignal;
}

export interface ImportReport {
  receipt: Receipt;
  /** Names that were kept as they are here, and why. */
  kept: { key: string; reason: string }[];
}

/** How many names are written together. */
const BATCH = 500;

/**
 * Brings a bundle into the store. Item by item: its blobs, each read once and compared on its way, then the names that
 * say their bytes; the names that move (project pages, tags) follow when every item is in. So no name ever stands
 * without its bytes, services may run meanwhile, and a run that was killed is simply repeated: what is held is not
 * read again.
 */
export async function importBundle(dir: string, options: ImportOptions): Promise<ImportReport> {
  const progress = options.progress ?? silent;
  progress.step('lists');
  const bundle = await openBundle(dir);
  await checkExternal(bundle, options.store);
  await writeJournal(options.store.objects, bundle, options.now());
  const total = [...bundle.blobs.values()].reduce((sum, size) => sum + size, 0);
  progress.step('import', { count: bundle.head.counts.items, bytes: total });
  const intake = new Intake(bundle, options, progress);
  for await (const item of bundle.items()) {
    options.signal?.throwIfAborted();
    for (const entry of [...item.entries, ...item.refs]) await intake.bringBlobs(entry);
    await intake.putNames(item.service, item.entries);
    progress.advance({ count: 1, label: item.id });
  }
  await intake.flush();
  progress.step('names');
  for await (const item of bundle.items()) await intake.putNames(item.service, item.refs);
  await intake.flush();
  const receipt = await writeReceipt(options.store.objects, bundle, intake.counts, options.now());
  return { receipt, kept: intake.kept };
}

/** A bundle that builds on others says which bytes it leaves out; all of them must be here before anything is written. */
async function checkExternal(bundle: OpenedBundle, store: Store): Promise<void> {
  const missing: string[] = [];
  for (const hex of bundle.external.keys()) {
    if ((await store.blobs.size(digestOfHex(hex))) === undefined) missing.push(hex);
  }
  if (missing.length === 0) return;
  const shown = missing.slice(0, 10).join('\n  ');
  throw new MirrorError(
    'conflict',
    'bundle',
    `it builds on bundles that were not imported here: ${missing.length} blobs are missing, nothing was written:\n  ${shown}`,
  );
}

async function listOf(objects: ObjectStore, prefix: string): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const { key } of objects.list(prefix)) found.add(key);
  return found;
}

class Intake {
  readonly counts = { items: 0, newBlobs: 0, existing: 0, newBytes: 0, names: 0 };
  readonly kept: { key: string; reason: string }[] = [];
  readonly #bundle: OpenedBundle;
  readonly #options: ImportOptions;
  readonly #progress: BundleProgress;
  readonly #seen = new Set<string>();
  readonly #waiting = new Map<string, Map<string, Entry>>();
  /** Paths of what the site misses. */
  #wanted: Set<string> | undefined;

  constructor(bundle: OpenedBundle, options: ImportOptions, progress: BundleProgress) {
    this.#bundle = bundle;
    this.#options = options;
    this.#progress = progress;
    this.counts.items = bundle.head.counts.items;
  }

  async bringBlobs(entry: Entry): Promise<void> {
    for (const blob of entry.parts ?? [entry]) {
      const hex = hexOf(blob.digest);
      if (this.#seen.has(hex) || this.#bundle.external.has(hex)) continue;
      this.#options.signal?.throwIfAborted();
      await this.#bring(hex, blob.size);
      this.#seen.add(hex);
    }
  }

  async #bring(hex: string, size: number): Promise<void> {
    const { blobs } = this.#options.store;
    const digest = digestOfHex(hex);
    if ((await blobs.size(digest)) === size) {
      this.counts.existing += 1;
    } else {
      const path = blobMember(hex);
      const body = createReadStream(join(this.#bundle.dir, path), { highWaterMark: 1 << 20 });
      await blobs.put(digest, size, body).catch((error: unknown) => {
        throw named(error, path);
      });
      this.counts.newBlobs += 1;
      this.counts.newBytes += size;
    }
    this.#progress.advance({ bytes: size, label: hex.slice(0, 12) });
  }

  /** Queues names whose blobs are in; they are written together. */
  async putNames(service: string, entries: Entry[]): Promise<void> {
    for (const entry of entries) {
      const names = this.#waiting.get(service) ?? new Map<string, Entry>();
      this.#waiting.set(service, names);
      names.set(entry.key, entry);
      if (names.size >= BATCH) await this.flush();
    }
  }

  async flush(): Promise<void> {
    for (const [service, entries] of this.#waiting) {
      const catalog = this.#options.store.catalog(service);
      const wanted: Entry[] = [];
      for (const entry of entries.values()) {
        const held = await catalog.get(entry.key);
        const reason = held && reasonToKeep(held, entry);
        if (reason === undefined) wanted.push(this.#arrived(entry));
        else if (reason !== '') this.kept.push({ key: entry.key, reason });
      }
      await catalog.putMany(wanted);
      await this.#settle(service, entries.keys());
      this.counts.names += wanted.length;
    }
    this.#waiting.clear();
  }

  /** What has come is no longer missed, and not for the next bundle. */
  async #settle(service: string, keys: Iterable<string>): Promise<void> {
    const { objects } = this.#options.store;
    this.#wanted ??= await listOf(objects, WANTS);
    for (const key of keys) {
      const path = wantPath(service, key);
      if (this.#wanted.delete(path)) await objects.delete(path);
    }
  }

  #arrived(entry: Entry): Entry {
    return { ...entry, storedAt: new Date(this.#options.now()).toISOString() };
  }
}

/**
 * Why the name that is here stays: what was uploaded here is never overwritten from a medium, and an older page never
 * replaces a newer one. Empty when they are the same; undefined when the bundle's is to be taken.
 */
function reasonToKeep(held: Entry, coming: Entry): string | undefined {
  if (held.digest === coming.digest && held.checkedAt >= coming.checkedAt) return '';
  if (held.digest !== coming.digest && held.origin === 'upload') return 'it was uploaded here';
  if (held.checkedAt > coming.checkedAt) return `the one here is newer (${held.checkedAt})`;
  return undefined;
}

function named(error: unknown, path: string): unknown {
  if (error instanceof MirrorError && error.kind === 'corrupt') {
    return new MirrorError(
      'corrupt',
      'bundle',
      `${path} is damaged (${error.message}); copy the bundle again and repeat the import`,
      { cause: error },
    );
  }
  return error;
}
