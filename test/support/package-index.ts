import type { OriginServer } from './origin-server.ts';
import type { BuiltFile } from './wheels.ts';

export interface OfferOptions {
  /** Reason, or true. */
  yanked?: boolean | string;
  uploadTime?: string;
  /** No `.metadata` beside wheels. */
  withoutMetadata?: boolean;
  /** Gives attestations an address, and something that stands there. */
  provenance?: boolean;
}

type Offered = { file: BuiltFile; options: OfferOptions };

/** A package index over an origin server: Simple API JSON at `/simple/<project>/`, files beside it. */
export class PackageIndex {
  readonly origin: OriginServer;
  readonly #projects = new Map<string, Offered[]>();
  readonly #prefix: string;

  /** @param prefix where it stands at its origin: `` or `/whl/cu121` */
  constructor(origin: OriginServer, prefix = '') {
    this.origin = origin;
    this.#prefix = prefix;
  }

  /** What Larder's `pypi.origins` takes. */
  get url(): string {
    return `${this.origin.url}${this.#prefix}/simple/`;
  }

  offer(file: BuiltFile, options: OfferOptions = {}): BuiltFile {
    const project = projectOf(file.filename);
    const offered = (this.#projects.get(project) ?? []).filter((one) => one.file.filename !== file.filename);
    offered.push({ file, options });
    this.#projects.set(project, offered);
    this.origin.set(this.#path(file), { body: file.bytes, etag: `"${file.sha256}"` });
    if (file.metadata && !options.withoutMetadata)
      this.origin.set(`${this.#path(file)}.metadata`, { body: file.metadata });
    if (options.provenance)
      this.origin.set(`${this.#path(file)}.provenance`, { body: '{"version":1}', type: 'application/json' });
    this.#publish(project, offered);
    return file;
  }

  #path(file: BuiltFile): string {
    return `${this.#prefix}/files/${encodeURIComponent(file.filename)}`;
  }

  #publish(name: string, offered: readonly Offered[]): void {
    const page = {
      meta: { 'api-version': '1.1' },
      name,
      versions: [],
      files: offered.map(({ file, options }) => ({
        filename: file.filename,
        url: `${this.origin.url}${this.#path(file)}`,
        hashes: { sha256: file.sha256 },
        size: file.bytes.length,
        yanked: options.yanked ?? false,
        'upload-time': options.uploadTime ?? '2026-01-01T00:00:00Z',
        ...(file.requiresPython ? { 'requires-python': file.requiresPython } : {}),
        'core-metadata': file.metadata !== undefined && !options.withoutMetadata,
        ...(options.provenance ? { provenance: `${this.origin.url}${this.#path(file)}.provenance` } : {}),
      })),
    };
    const type = 'application/vnd.pypi.simple.v1+json';
    this.origin.set(`${this.#prefix}/simple/${name}/`, { body: JSON.stringify(page), type });
  }
}

function projectOf(filename: string): string {
  const stem = filename.replace(/\.(tar\.gz|zip)$/, '');
  const name = filename.endsWith('.whl') ? stem.split('-')[0]! : stem.slice(0, stem.lastIndexOf('-'));
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}
