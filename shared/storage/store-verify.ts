import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { type Digest, hexOf } from '../model/digest.ts';
import { isKind } from '../model/errors.ts';
import { allDocuments } from './catalog-documents.ts';
import { blobPath, quarantinePath } from './paths.ts';
import type { Store } from './store.ts';

export interface VerifyOptions {
  onProgress?(event: VerifyProgress): void;
  signal?: AbortSignal;
  /** Moves damaged blobs to `quarantine/`, so that they are fetched again when they are asked for. */
  remove?: boolean;
}

/** `done` and `bytes` so far; `total` where it is known. */
export interface VerifyProgress {
  step: 'names' | 'blobs' | 'index';
  done: number;
  bytes: number;
  total?: { count: number; bytes: number };
}

export interface VerifyResult {
  /** True when nothing is damaged and nothing is missing. */
  ok: boolean;
  steps: { name: VerifyProgress['step']; seconds: number; count: number; bytes: number }[];
  /** Blobs whose bytes are not what they are called, and why. */
  corrupt: { digest: Digest; size: number; reason: string; names: string[] }[];
  /** Names whose bytes, or some of them, are not in the store. */
  missing: { service: string; key: string; digest: Digest }[];
  /** Documents of names that cannot be read. */
  damagedNames: { path: string; reason: string }[];
  /** Blobs that no name points at. Not a fault: `larder store gc` takes them when they are old enough. */
  unreferenced: { digest: Digest; size: number }[];
  /** Of the corrupt ones, those that were moved away. */
  removed: Digest[];
}

/** Reads every name and every byte of a store and says what is wrong. */
export async function verifyStore(store: Store, options: VerifyOptions = {}): Promise<VerifyResult> {
  const verification = new Verification(store, options);
  await verification.step('names', () => verification.readNames());
  await verification.step('blobs', () => verification.readBlobs());
  await verification.step('index', () => store.refresh({ thorough: true, signal: options.signal }));
  return verification.result();
}

interface Needed {
  size: number;
  /** `service key`, the first few. */
  names: { service: string; key: string }[];
}

class Verification {
  readonly #store: Store;
  readonly #options: VerifyOptions;
  readonly #needed = new Map<Digest, Needed>();
  readonly #found = { corrupt: [], missing: [], damagedNames: [], unreferenced: [], removed: [] } as Omit<
    VerifyResult,
    'ok' | 'steps'
  >;
  readonly #steps: VerifyResult['steps'] = [];
  #count = 0;
  #bytes = 0;
  #total: VerifyProgress['total'];

  constructor(store: Store, options: VerifyOptions) {
    this.#store = store;
    this.#options = options;
  }

  async step(name: VerifyProgress['step'], act: () => Promise<void>): Promise<void> {
    const began = performance.now();
    this.#count = 0;
    this.#bytes = 0;
    await act();
    const seconds = (performance.now() - began) / 1000;
    this.#steps.push({ name, seconds, count: this.#count, bytes: this.#bytes });
  }

  #advance(step: VerifyProgress['step'], count: number, bytes: number): void {
    this.#count += count;
    this.#bytes += bytes;
    this.#options.onProgress?.({ step, done: this.#count, bytes: this.#bytes, total: this.#total });
  }

  async readNames(): Promise<void> {
    for await (const { service, path, document, damage } of allDocuments(this.#store.objects, this.#options.signal)) {
      if (damage) this.#found.damagedNames.push({ path, reason: damage.message });
      for (const { digest, size } of document ? (document.entry.parts ?? [document.entry]) : []) {
        const needed = this.#needed.get(digest) ?? { size, names: [] };
        needed.names.push({ service, key: document!.entry.key });
        this.#needed.set(digest, needed);
      }
      this.#advance('names', 1, 0);
    }
  }

  async readBlobs(): Promise<void> {
    const absent = new Map(this.#needed);
    const bytes = absent.values().reduce((sum, { size }) => sum + size, 0);
    this.#total = { count: absent.size, bytes };
    for await (const { digest, size } of this.#store.blobs.list()) {
      this.#options.signal?.throwIfAborted();
      const needed = absent.get(digest);
      absent.delete(digest);
      if (!needed) this.#found.unreferenced.push({ digest, size });
      const reason = await this.#faultOf(digest);
      if (reason !== undefined) await this.#corrupt(digest, size, reason, needed);
      this.#advance('blobs', 1, 0);
    }
    for (const [digest, { names }] of absent) {
      // It may have come since the listing passed its place.
      if ((await this.#store.blobs.size(digest)) !== undefined) continue;
      this.#found.missing.push(...names.map((name) => ({ ...name, digest })));
    }
  }

  async #faultOf(digest: Digest): Promise<string | undefined> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of (await this.#store.blobs.open(digest)) as AsyncIterable<Buffer>) {
        this.#options.signal?.throwIfAborted();
        hash.update(chunk);
        this.#advance('blobs', 0, chunk.length);
        await breathe();
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (isKind(error, 'unavailable')) throw error;
      if ((await this.#store.blobs.size(digest)) === undefined) return undefined; // deleted while we read
      return `it cannot be read (${(error as Error).message})`;
    }
    const found = hash.digest('hex');
    return found === hexOf(digest) ? undefined : `its bytes have the sha256 ${found}`;
  }

  async #corrupt(digest: Digest, size: number, reason: string, needed: Needed | undefined): Promise<void> {
    const names = (needed?.names ?? []).map(({ service, key }) => `${service} ${key}`);
    this.#found.corrupt.push({ digest, size, reason, names });
    if (!this.#options.remove) return;
    // Bytes that cannot be read cannot be copied on every engine; they go all the same.
    await this.#store.objects.copy(blobPath(digest), quarantinePath(digest)).catch(() => false);
    await this.#store.blobs.delete(digest);
    this.#found.removed.push(digest);
  }

  result(): VerifyResult {
    const { corrupt, missing, damagedNames } = this.#found;
    return { ok: corrupt.length + missing.length + damagedNames.length === 0, steps: this.#steps, ...this.#found };
  }
}
