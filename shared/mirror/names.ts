import { contradicts, digestOfHex, type Measured } from '../model/digest.ts';
import type { Entry, Facts } from '../model/entry.ts';
import type { Ref } from '../model/ref.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Catalog } from '../storage/catalog.ts';

/** Gives names to bytes that the store holds. */
export class Names {
  readonly #catalog: Catalog;
  readonly #now: () => number;

  constructor(catalog: Catalog, now: () => number) {
    this.#catalog = catalog;
    this.#now = now;
  }

  /** Writes the name with its facts, and the further names that the Ref has for the same bytes. */
  async give(ref: Ref, facts: Facts, { digest, size }: Measured): Promise<Entry> {
    const at = this.#timestamp();
    const { mediaType, etag, lastModified } = facts;
    const headers = { ...facts.headers, ...ref.keep };
    const { key, source: origin } = ref;
    const entry: Entry = {
      key,
      digest,
      size,
      mediaType,
      etag,
      lastModified,
      headers,
      origin,
      storedAt: at,
      checkedAt: at,
    };
    await this.#catalog.put(entry);
    for (const alias of ref.aliases?.(entry) ?? []) {
      await this.#catalog.put({ ...entry, ...alias.ifHeld, size, key: alias.key });
    }
    return entry;
  }

  /** The origin said that a name still means the same bytes. */
  async confirm(entry: Entry): Promise<Entry> {
    const confirmed = { ...entry, checkedAt: this.#timestamp() };
    await this.#catalog.put(confirmed);
    return confirmed;
  }

  /** Bytes that are held under another name need not be fetched; only a Ref that brings facts may have them. */
  async adopt(ref: Ref, blobs: BlobStore): Promise<Entry | undefined> {
    if (!ref.ifHeld || !ref.promised?.sha256 || !/^[0-9a-f]{64}$/.test(ref.promised.sha256)) return undefined;
    const digest = digestOfHex(ref.promised.sha256);
    const size = await blobs.size(digest);
    if (size === undefined || contradicts(ref.promised, digest, size)) return undefined;
    return this.give(ref, ref.ifHeld, { digest, size });
  }

  #timestamp(): string {
    return new Date(this.#now()).toISOString();
  }
}
