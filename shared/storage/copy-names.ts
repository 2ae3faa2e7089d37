import type { Digest } from '../model/digest.ts';
import type { Entry } from '../model/entry.ts';
import { beside, type Pair } from './beside.ts';
import { AT_ONCE, listed } from './catalog-documents.ts';
import type { CopiedBlob } from './copy-blob.ts';
import { isLongThere } from './copy-records.ts';
import { CATALOG, serviceOfPath } from './paths.ts';
import { sideBySide } from './side-by-side.ts';
import type { Store, StoreSource } from './store.ts';

/** Names that are compared, and then written, together. */
const BATCH = 512;
/** Blobs that are remembered to be at the target. */
const REMEMBERED = 100_000;

export interface NameCopyOptions {
  signal?: AbortSignal;
  /** Blobs that could not be copied; names that are left out for it are noted there. */
  corrupt: ReadonlyMap<Digest, { names: string[] }>;
  /** Copies a blob that a name needs and the target has not. */
  bring(digest: Digest): Promise<CopiedBlob>;
  /** Hears of names that stay as they are at the target. */
  keep(key: string, reason: string): void;
  onNames(count: number): void;
}

interface Change {
  service: string;
  entry: Entry;
}

/**
 * Copies the names of a store, each after all bytes that it needs: whoever reads the target meanwhile never meets a name
 * without them. They are written by the target's catalogs, so that an index beside it hears of them.
 */
export class NameCopy {
  copied = 0;
  there = 0;
  readonly missing: { service: string; key: string; digest: Digest }[] = [];
  readonly damagedNames: { path: string; reason: string }[] = [];
  readonly #from: StoreSource;
  readonly #to: Store;
  readonly #options: NameCopyOptions;
  readonly #present = new Set<Digest>();

  constructor(from: StoreSource, to: Store, options: NameCopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
  }

  async run(): Promise<void> {
    let batch: Pair[] = [];
    for await (const pair of beside(this.#from.objects, this.#to.objects, CATALOG)) {
      this.#options.signal?.throwIfAborted();
      if (serviceOfPath(pair.key) === undefined) continue;
      batch.push(pair);
      if (batch.length < BATCH) continue;
      await this.#copyBatch(batch);
      batch = [];
    }
    await this.#copyBatch(batch);
  }

  async #copyBatch(pairs: readonly Pair[]): Promise<void> {
    const changes = await sideBySide(pairs, AT_ONCE, (pair) => this.#changeOf(pair));
    const byService = Map.groupBy(
      changes.filter((change) => change !== undefined),
      ({ service }) => service,
    );
    for (const [service, some] of byService) {
      await this.#to.catalog(service).putMany(some.map(({ entry }) => entry));
      this.copied += some.length;
    }
    this.#options.onNames(pairs.length);
  }

  /** What is to be written; undefined when nothing is. */
  async #changeOf(pair: Pair): Promise<Change | undefined> {
    if (isLongThere(pair)) {
      this.there += 1;
      return undefined;
    }
    const { service, document, damage } = await listed(this.#from.objects, pair.key);
    if (damage) this.damagedNames.push({ path: pair.key, reason: damage.message });
    if (!document) return undefined;
    const { entry } = document;
    const held = pair.there && (await this.#heldAt(pair.key));
    if (held && JSON.stringify(held) === JSON.stringify(entry)) {
      this.there += 1;
      return undefined;
    }
    if (held && held.checkedAt > entry.checkedAt) {
      this.#options.keep(`${service} ${entry.key}`, `the one at the target is newer (${held.checkedAt})`);
      return undefined;
    }
    return (await this.#hasBytes(service, entry)) ? { service, entry } : undefined;
  }

  /** A document of the target that is damaged is written again. */
  async #heldAt(path: string): Promise<Entry | undefined> {
    const { document } = await listed(this.#to.objects, path);
    return document?.entry;
  }

  async #hasBytes(service: string, entry: Entry): Promise<boolean> {
    for (const { digest } of entry.parts ?? [entry]) {
      const isDamaged = this.#options.corrupt.has(digest);
      if (!isDamaged && (await this.#isPresent(digest))) continue;
      const { outcome } = isDamaged ? { outcome: 'damaged' } : await this.#options.bring(digest);
      if (outcome === 'copied') continue;
      if (outcome === 'absent') this.missing.push({ service, key: entry.key, digest });
      else this.#options.corrupt.get(digest)?.names.push(`${service} ${entry.key}`);
      return false;
    }
    return true;
  }

  async #isPresent(digest: Digest): Promise<boolean> {
    if (this.#present.has(digest)) return true;
    if ((await this.#to.blobs.size(digest)) === undefined) return false;
    if (this.#present.size >= REMEMBERED) this.#present.clear();
    this.#present.add(digest);
    return true;
  }
}
