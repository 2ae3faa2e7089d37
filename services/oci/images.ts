import { Readable } from 'node:stream';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { BlobStore } from '../../shared/storage/blob-store.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { digestOfBytes, promisedBy } from './digests.ts';
import { OciError } from './errors.ts';
import {
  blobKey,
  DIGEST_HEADER,
  layerKey,
  linkKey,
  linkPrefix,
  manifestKey,
  repoKey,
  tagKey,
  tagPrefix,
} from './keys.ts';
import { isForeign, type Manifest, readManifest } from './manifest.ts';
import type { Page } from './pages.ts';
import { allKeys } from './pages.ts';
import { referrerEntry } from './referrer-entry.ts';
import { repositoriesIn } from './repository-list.ts';

/** What images are kept in. */
export interface ImageRooms {
  catalog: Catalog;
  blobs: BlobStore;
  now(): number;
}

export interface ManifestOptions {
  mediaType: string;
  tags?: readonly string[];
  /** Checked where it is given; a manifest may be named by its sha512, too. */
  digest?: string;
  /** `upload`, `import:<file>` */
  origin: string;
  /** Whether what it is made of must be here already. */
  references?: 'checked' | 'unchecked';
  /** The repository belongs to this house, and to no origin. */
  local?: boolean;
}

const BYTES = 'application/octet-stream';
const MARK = Buffer.from('{}');
const MOST_MANIFEST = 64 << 20;

/**
 * Images in the store: how pushes, imports and prunes write and read them. A manifest is visible when all its names
 * stand; tags come last.
 */
export class Images {
  readonly #rooms: ImageRooms;

  constructor(rooms: ImageRooms) {
    this.#rooms = rooms;
  }

  /** Bytes of a blob that is held, in whatever repository. */
  async hasBlob(digest: string): Promise<number | undefined> {
    return (await this.#blobEntry(digest))?.size;
  }

  /**
   * Keeps a blob in a repository. Throws `corrupt` and keeps nothing when the bytes are others than the digest says.
   * @param origin `upload`, `import:<file>`
   */
  async putBlob(
    repository: string,
    digest: string,
    body: Readable,
    origin: string,
    options: { signal?: AbortSignal; local?: boolean } = {},
  ): Promise<{ digest: string; size: number }> {
    const kept = await this.#rooms.blobs.ingest(body, {
      subject: 'blob',
      promised: [promisedBy(digest)],
      signal: options.signal,
    });
    await this.nameBlob(repository, digest, kept, origin, options.local);
    return { digest, size: kept.size };
  }

  /** Gives bytes in the store their name in a repository. */
  async nameBlob(
    repository: string,
    digest: string,
    kept: Pick<Entry, 'digest' | 'size'>,
    origin: string,
    local = true,
  ): Promise<void> {
    const entry = this.#entry(blobKey(digest), kept, BYTES, origin);
    const marker = local ? await this.#marker(repository) : [];
    const names = [blobKey(digest), ...(local ? [layerKey(repository, digest)] : [])];
    await this.#rooms.catalog.putMany([...names.map((key) => ({ ...entry, key })), ...marker]);
  }

  /** From its first blob on a repository is one of this house. What says so has bytes of its own, and keeps no others. */
  async #marker(repository: string): Promise<Entry[]> {
    const { catalog, blobs } = this.#rooms;
    const key = repoKey(repository);
    if (await catalog.get(key)) return [];
    const kept = { digest: digestOf(MARK), size: MARK.length };
    await blobs.put(kept.digest, kept.size, Readable.from([MARK], { objectMode: false }));
    return [this.#entry(key, kept, 'application/json', 'upload')];
  }

  /** Makes a blob that is held somewhere part of a repository; false when it is held nowhere. */
  async mountBlob(repository: string, digest: string): Promise<boolean> {
    const held = await this.#blobEntry(digest);
    if (!held) return false;
    await this.nameBlob(repository, digest, held, 'upload');
    return true;
  }

  async #blobEntry(digest: string): Promise<Entry | undefined> {
    const { catalog, blobs } = this.#rooms;
    const entry = await catalog.get(blobKey(digest));
    if (entry && (await blobs.size(entry.digest)) === entry.size) return entry;
    return undefined;
  }

  /**
   * Keeps a manifest byte for byte, under its digest and its tags. Throws `MANIFEST_INVALID`, `DIGEST_INVALID`, and
   * `MANIFEST_BLOB_UNKNOWN` where references are checked and not here.
   */
  async putManifest(
    repository: string,
    bytes: Buffer,
    options: ManifestOptions,
  ): Promise<{ digest: string; subject?: string }> {
    const manifest = readManifest(bytes, options.mediaType);
    const digest = options.digest ?? digestOfBytes(bytes);
    const actual = digestOfBytes(bytes, digest.startsWith('sha512:') ? 'sha512' : 'sha256');
    if (digest !== actual)
      throw new OciError('bad-request', 'digest', `the manifest is ${actual}, and ${digest} was said`, {
        code: 'DIGEST_INVALID',
      });
    const local = options.local ?? true;
    if (options.references !== 'unchecked') await this.#checkReferences(repository, manifest, local);
    const kept = { digest: digestOf(bytes), size: bytes.length };
    await this.#rooms.blobs.put(kept.digest, kept.size, Readable.from([bytes], { objectMode: false }));
    const entry = this.#entry(manifestKey(digest), kept, manifest.mediaType, options.origin, digest);
    await this.#nameManifest(repository, digest, manifest, entry, options.tags ?? [], local);
    return { digest, subject: manifest.subject?.digest };
  }

  async #nameManifest(
    repository: string,
    digest: string,
    manifest: Manifest,
    entry: Entry,
    tags: readonly string[],
    local: boolean,
  ): Promise<void> {
    const { catalog } = this.#rooms;
    const own = local ? await this.#marker(repository) : [];
    const names = [manifestKey(digest), linkKey(repository, digest)];
    const referring = manifest.subject ? [referrerEntry(repository, digest, manifest, entry)] : [];
    await catalog.putMany([...names.map((key) => ({ ...entry, key })), ...own, ...referring]);
    if (tags.length > 0) await catalog.putMany(tags.map((tag) => ({ ...entry, key: tagKey(repository, tag) })));
  }

  async #checkReferences(repository: string, manifest: Manifest, local: boolean): Promise<void> {
    const { config, layers } = manifest;
    const missing: string[] = [];
    for (const one of [...(config ? [config] : []), ...layers]) {
      if (isForeign(one)) continue;
      const held = await this.#blobEntry(one.digest);
      if (!held) missing.push(one.digest);
      else if (one.size !== held.size && manifest.kind !== 'schema1') throw wrongSize(one.digest, one.size, held.size);
      else if (local && !(await this.#rooms.catalog.get(layerKey(repository, one.digest))))
        await this.mountBlob(repository, one.digest);
    }
    if (missing.length > 0)
      throw new OciError(
        'not-found',
        'blob',
        `blobs of this manifest are not in ${repository}: ${missing.slice(0, 5).join(', ')}`,
        {
          code: 'MANIFEST_BLOB_UNKNOWN',
          status: 404,
          detail: missing.map((digest) => ({ digest })),
        },
      );
  }

  /** Points a tag at a manifest of the same repository. Throws `not-found`. */
  async tag(repository: string, tag: string, digest: string): Promise<void> {
    const entry = await this.#rooms.catalog.get(linkKey(repository, digest));
    if (!entry) throw new MirrorError('not-found', 'manifest', `${repository} has no manifest ${digest}`);
    await this.#rooms.catalog.put({ ...entry, key: tagKey(repository, tag), checkedAt: this.#timestamp() });
  }

  /** A manifest that is held, whole. */
  async manifest(digest: string): Promise<{ bytes: Buffer; mediaType: string } | undefined> {
    const entry = await this.#rooms.catalog.get(manifestKey(digest));
    return entry && { bytes: await this.#rooms.blobs.read(entry.digest, MOST_MANIFEST), mediaType: entry.mediaType };
  }

  /** Throws `not-found`. */
  async openBlob(digest: string, range?: ByteRange): Promise<Readable> {
    const entry = await this.#rooms.catalog.get(blobKey(digest));
    if (!entry) throw new MirrorError('not-found', 'blob', `${digest} is not held`);
    return this.#rooms.blobs.open(entry.digest, range);
  }

  /** Tags that are held, in the order of their characters. */
  tags(repository: string, page: Page = {}): Promise<string[]> {
    return allKeys(this.#rooms.catalog, tagPrefix(repository), page);
  }

  /** Digests of a repository's manifests that are held. */
  digests(repository: string): Promise<string[]> {
    return allKeys(this.#rooms.catalog, linkPrefix(repository));
  }

  /** All repositories that something is held of. */
  repositories(): Promise<string[]> {
    return repositoriesIn(this.#rooms.catalog);
  }

  #entry(
    key: string,
    kept: Pick<Entry, 'digest' | 'size'>,
    mediaType: string,
    origin: string,
    name: string = kept.digest,
  ): Entry {
    const at = this.#timestamp();
    const headers: Record<string, string> = name === kept.digest ? {} : { [DIGEST_HEADER]: name };
    const { digest, size } = kept;
    return { key, digest, size, mediaType, etag: `"${name}"`, headers, origin, storedAt: at, checkedAt: at };
  }

  #timestamp(): string {
    return new Date(this.#rooms.now()).toISOString();
  }
}

function wrongSize(digest: string, said: number, held: number): OciError {
  return new OciError('bad-request', 'manifest', `${digest} has ${held} bytes, and the manifest says ${said}`, {
    code: 'SIZE_INVALID',
  });
}
