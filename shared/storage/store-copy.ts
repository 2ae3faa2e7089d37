import type { Digest } from '../model/digest.ts';
import { MirrorError } from '../model/errors.ts';
import { beside, type Pair } from './beside.ts';
import { type CopiedBlob, copyBlob } from './copy-blob.ts';
import { NameCopy } from './copy-names.ts';
import { copyRecord, RECORDS } from './copy-records.ts';
import { BLOBS } from './paths.ts';
import { isSamePlace } from './same-place.ts';
import { eachSideBySide } from './side-by-side.ts';
import type { Store, StoreSource } from './store.ts';

/** Blobs on their way at once: towards an engine each takes some parts of an upload in memory. */
const BLOBS_AT_ONCE = 4;
/** Small documents on their way at once. */
const RECORDS_AT_ONCE = 16;

export interface CopyOptions {
  onProgress?(event: CopyProgress): void;
  signal?: AbortSignal;
}

/** `done` and `bytes` so far; `total` where it is known. */
export interface CopyProgress {
  step: 'compare' | 'blobs' | 'names' | 'records';
  done: number;
  bytes: number;
  total?: { count: number; bytes: number };
}

export interface CopyResult {
  /** True when all that the source holds is at the target. */
  ok: boolean;
  steps: { name: CopyProgress['step']; seconds: number; count: number; bytes: number }[];
  /** `there`: at the target already. */
  blobs: { copied: number; bytes: number; there: number };
  names: { copied: number; there: number };
  /** Tokens, secrets, imports, wants, audit, quarantine. */
  records: { copied: number; there: number };
  /** Blobs that are not what they are called, or cannot be read, and the names that were left out with them. */
  corrupt: { digest: Digest; reason: string; names: string[] }[];
  /** Names that were left out because the source has not all of their bytes. */
  missing: { service: string; key: string; digest: Digest }[];
  /** Documents of names that cannot be read; left out. */
  damagedNames: { path: string; reason: string }[];
  /** What is at the target in a newer state and stays as it is: how much, and the first of it. */
  kept: { count: number; first: { key: string; reason: string }[] };
  /** The target has secrets of its own (`keys/`), which stay: what was made with the source's is not good there. */
  ownSecrets: boolean;
}

/**
 * Copies all that a store holds into another: bytes before the names that need them, names before the rest. What is
 * there already is not copied again, so one that was stopped is simply repeated; a later one brings what has changed.
 * Nothing is deleted at the target. Throws `bad-request` when both are one store.
 */
export async function copyStore(from: StoreSource, to: Store, options: CopyOptions = {}): Promise<CopyResult> {
  if (await isSamePlace(from, to))
    throw new MirrorError('bad-request', 'settings', `${from.location} and ${to.location} are the same store`);
  const copy = new StoreCopy(from, to, options);
  await copy.step('compare', () => copy.compare());
  await copy.step('blobs', () => copy.copyBlobs());
  await copy.step('names', () => copy.copyNames());
  await copy.step('records', () => copy.copyRecords());
  return copy.result();
}

class StoreCopy {
  readonly #from: StoreSource;
  readonly #to: Store;
  readonly #options: CopyOptions;
  readonly #steps: CopyResult['steps'] = [];
  readonly #blobs = { copied: 0, bytes: 0, there: 0 };
  readonly #records = { copied: 0, there: 0 };
  readonly #corrupt = new Map<Digest, CopyResult['corrupt'][number]>();
  readonly #kept: CopyResult['kept'] = { count: 0, first: [] };
  readonly #names: NameCopy;
  #ownSecrets = false;
  /** The step that is under way. */
  #name: CopyProgress['step'] = 'compare';
  #count = 0;
  #bytes = 0;
  #total: CopyProgress['total'];

  constructor(from: StoreSource, to: Store, options: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.#names = new NameCopy(from, to, {
      signal: options.signal,
      corrupt: this.#corrupt,
      bring: (digest) => this.#bring(digest),
      keep: (key, reason) => this.#keep(key, reason),
      onNames: (count) => this.#advance(count, 0),
    });
  }

  async step(name: CopyProgress['step'], act: () => Promise<void>): Promise<void> {
    const began = performance.now();
    this.#name = name;
    this.#count = 0;
    this.#bytes = 0;
    this.#advance(0, 0);
    await act();
    const seconds = (performance.now() - began) / 1000;
    this.#steps.push({ name, seconds, count: this.#count, bytes: this.#bytes });
  }

  #advance(count: number, bytes: number): void {
    this.#count += count;
    this.#bytes += bytes;
    const total = this.#name === 'blobs' ? this.#total : undefined;
    this.#options.onProgress?.({ step: this.#name, done: this.#count, bytes: this.#bytes, total });
  }

  /** What there is to do, so that it can be said how much of it is done. */
  async compare(): Promise<void> {
    const total = { count: 0, bytes: 0 };
    for await (const { size, there } of this.#pairs(BLOBS)) {
      this.#advance(1, 0);
      if (there?.size === size) continue;
      total.count += 1;
      total.bytes += size;
    }
    this.#total = total;
  }

  async copyBlobs(): Promise<void> {
    await eachSideBySide(this.#pairs(BLOBS), BLOBS_AT_ONCE, async ({ key, size, there }) => {
      const hex = key.slice(BLOBS.length);
      if (!/^[0-9a-f]{64}$/.test(hex)) return;
      if (there?.size === size) this.#blobs.there += 1;
      else await this.#copyBlob(`sha256:${hex}` as Digest, size);
    });
  }

  async #copyBlob(digest: Digest, size: number): Promise<CopiedBlob> {
    const onBytes = this.#name === 'blobs' ? (bytes: number) => this.#advance(0, bytes) : undefined;
    const copied = await copyBlob(this.#from.blobs, this.#to.blobs, { digest, size }, { ...this.#options, onBytes });
    if (this.#name === 'blobs') this.#advance(1, 0);
    if (copied.outcome === 'copied') {
      this.#blobs.copied += 1;
      this.#blobs.bytes += size;
    } else if (copied.outcome === 'damaged' && !this.#corrupt.has(digest))
      this.#corrupt.set(digest, { digest, reason: copied.reason, names: [] });
    return copied;
  }

  /** Bytes that a name needs and the target has not: the source got them after their turn, or they are missing. */
  async #bring(digest: Digest): Promise<CopiedBlob> {
    const size = await this.#from.blobs.size(digest);
    return size === undefined ? { outcome: 'absent' } : this.#copyBlob(digest, size);
  }

  copyNames(): Promise<void> {
    return this.#names.run();
  }

  async copyRecords(): Promise<void> {
    for (const prefix of RECORDS) {
      await eachSideBySide(this.#pairs(prefix), RECORDS_AT_ONCE, async (pair) => {
        const outcome = await copyRecord(this.#from.objects, this.#to.objects, pair);
        if (outcome === 'copied') this.#records.copied += 1;
        if (outcome === 'there') this.#records.there += 1;
        if (outcome === 'newer') this.#keep(pair.key, 'the one at the target is newer');
        if (outcome === 'own') this.#ownSecrets = true;
        this.#advance(1, outcome === 'copied' ? pair.size : 0);
      });
    }
  }

  #keep(key: string, reason: string): void {
    this.#kept.count += 1;
    if (this.#kept.first.length < 100) this.#kept.first.push({ key, reason });
  }

  async *#pairs(prefix: string): AsyncGenerator<Pair> {
    for await (const pair of beside(this.#from.objects, this.#to.objects, prefix)) {
      this.#options.signal?.throwIfAborted();
      yield pair;
    }
  }

  result(): CopyResult {
    const corrupt = [...this.#corrupt.values()];
    const { missing, damagedNames, copied, there } = this.#names;
    return {
      ok: corrupt.length + missing.length + damagedNames.length === 0 && !this.#ownSecrets,
      steps: this.#steps,
      blobs: this.#blobs,
      names: { copied, there },
      records: this.#records,
      corrupt,
      missing,
      damagedNames,
      kept: this.#kept,
      ownSecrets: this.#ownSecrets,
    };
  }
}
