import type { Entry } from '../../../shared/model/entry.ts';
import { type ImageRooms, Images } from '../images.ts';
import { DIGEST_HEADER, linkPrefix, referrerPrefix, tagPrefix } from '../keys.ts';
import { type Manifest, readManifest } from '../manifest.ts';
import { allKeys } from '../pages.ts';

export interface HeldTag {
  tag: string;
  digest: string;
  storedAt: string;
}

/** A digest as a tag that tools make of it: `sha256-<hex>`, with what lies in it. */
const COMPANION = /^(sha256|sha512)-([0-9a-f]+)(\.\w+)?$/;

/** The manifest that a tag belongs to, by its name; undefined for a tag that people made. */
export function subjectOfTag(tag: string): string | undefined {
  const match = COMPANION.exec(tag);
  return match ? `${match[1]}:${match[2]}` : undefined;
}

/** Reads what is held, each manifest once. */
export class HeldImages {
  readonly #rooms: ImageRooms;
  readonly #images: Images;
  readonly #read = new Map<string, Promise<Manifest | undefined>>();

  constructor(rooms: ImageRooms) {
    this.#rooms = rooms;
    this.#images = new Images(rooms);
  }

  repositories(): Promise<string[]> {
    return this.#images.repositories();
  }

  /** Undefined for one that is not held. Throws `MANIFEST_INVALID` for one that cannot be read. */
  manifest(digest: string): Promise<Manifest | undefined> {
    const known = this.#read.get(digest);
    if (known) return known;
    const read = this.#images.manifest(digest).then((found) => found && readManifest(found.bytes, found.mediaType));
    this.#read.set(digest, read);
    return read;
  }

  async tags(repository: string): Promise<HeldTag[]> {
    const prefix = tagPrefix(repository);
    const entries = await this.#rooms.catalog.list(prefix);
    return entries.map((entry) => ({
      tag: entry.key.slice(prefix.length),
      digest: digestIn(entry),
      storedAt: entry.storedAt,
    }));
  }

  /** Digests of the manifests of a repository, with when they came. */
  async manifests(repository: string): Promise<Map<string, string>> {
    const prefix = linkPrefix(repository);
    const entries = await this.#rooms.catalog.list(prefix);
    return new Map(entries.map(({ key, storedAt }) => [key.slice(prefix.length), storedAt]));
  }

  /** All that is needed by these manifests and what belongs to them, themselves included. */
  async reached(repository: string, roots: Iterable<string>): Promise<Set<string>> {
    const reached = new Set<string>();
    const open = [...roots];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      if (reached.has(digest)) continue;
      reached.add(digest);
      const manifest = await this.manifest(digest);
      open.push(...(manifest?.manifests ?? []).map((one) => one.digest));
      open.push(...(await allKeys(this.#rooms.catalog, referrerPrefix(repository, digest))));
    }
    return reached;
  }

  /** Digests of the blobs of a manifest. */
  async blobs(digest: string): Promise<string[]> {
    const manifest = await this.manifest(digest);
    if (!manifest) return [];
    return [...(manifest.config ? [manifest.config] : []), ...manifest.layers].map((one) => one.digest);
  }
}

function digestIn(entry: Entry): string {
  return entry.headers[DIGEST_HEADER] ?? entry.digest;
}
