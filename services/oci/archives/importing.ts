import type { Readable } from 'node:stream';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { OciConfig } from '../config.ts';
import { parseImageName } from '../image-name.ts';
import { type ImageRooms, Images } from '../images.ts';
import { Registries } from '../registries.ts';

/** Where an image goes. */
export interface ImageTarget {
  repository: string;
  /** A repository of this house, and of no registry that is mirrored. */
  local: boolean;
  tag: string | undefined;
}

export interface ImportOptions {
  /** What the image is called, whatever its archive says. */
  as?: string;
  signal?: AbortSignal;
  /** Told of every blob that is here now. */
  brought?(label: string, bytes: number): void;
}

export interface Imported {
  images: { name: string; digest: string }[];
  /** Blobs that were new, and bytes of them. */
  blobs: number;
  bytes: number;
}

/** An import under way: what readers of archives put their finds into. */
export class Importing {
  readonly as: string | undefined;
  /** Names that were given from outside, for an archive that has none. */
  otherwise: readonly string[] = [];
  readonly images: Images;
  readonly result: Imported = { images: [], blobs: 0, bytes: 0 };
  readonly #rooms: ImageRooms;
  readonly #registries: Registries;
  readonly #origin: string;
  readonly #options: ImportOptions;

  constructor(rooms: ImageRooms, config: OciConfig, origin: string, options: ImportOptions) {
    this.#rooms = rooms;
    this.images = new Images(rooms);
    this.#registries = new Registries(config);
    this.#origin = origin;
    this.#options = options;
    this.as = options.as;
  }

  /** A name of a registry that is mirrored is that registry's; any other is ours. Throws `bad-request`. */
  target(name: string): ImageTarget {
    const { host, path, repository, tag } = parseImageName(name);
    const registry = this.#registries.find(host);
    return {
      repository: registry ? `${registry.name}/${path}` : repository,
      local: registry === undefined,
      tag: tag ?? 'latest',
    };
  }

  /** A blob whose digest is known: what is here already is not read again. */
  async blob({ repository, local }: ImageTarget, digest: string, size: number, open: () => Readable): Promise<void> {
    const { signal, brought } = this.#options;
    signal?.throwIfAborted();
    if ((await this.images.hasBlob(digest)) === size) {
      if (local) await this.images.mountBlob(repository, digest);
      return;
    }
    await this.images.putBlob(repository, digest, open(), this.#origin, { signal, local });
    this.#count(size);
    brought?.(digest, size);
  }

  /** A blob whose digest is found as it comes. */
  async measured({ repository, local }: ImageTarget, size: number, open: () => Readable): Promise<string> {
    const { signal, brought } = this.#options;
    const kept = await this.#rooms.blobs.ingest(open(), { subject: 'blob', promised: [{ size }], signal });
    await this.images.nameBlob(repository, kept.digest, kept, this.#origin, local);
    this.#count(size);
    brought?.(kept.digest, size);
    return kept.digest;
  }

  /** A manifest all of whose parts are here. */
  async manifest(target: ImageTarget, bytes: Buffer, options: { mediaType: string; digest?: string }): Promise<void> {
    const { repository, local, tag } = target;
    const { digest } = await this.images.putManifest(repository, bytes, {
      ...options,
      tags: tag === undefined ? [] : [tag],
      origin: this.#origin,
      references: 'unchecked',
      local,
    });
    if (tag !== undefined) this.result.images.push({ name: `${repository}:${tag}`, digest });
  }

  #count(size: number): void {
    this.result.blobs += 1;
    this.result.bytes += size;
  }
}

export function nameless(label: string, image: string): MirrorError {
  return new MirrorError(
    'bad-request',
    'archive',
    `${label} does not say what its image ${image} is called; say it with --as <name>`,
  );
}
