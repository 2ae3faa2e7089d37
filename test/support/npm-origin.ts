import { type BuiltPackage, buildPackage, type PackageOptions } from './npm-packages.ts';
import type { OriginServer } from './origin-server.ts';

export interface PublishOptions extends PackageOptions {
  /** ISO 8601; null: the packument has no time for it. */
  time?: string | null;
  /** Tags that point at it from now on; `latest` unless told. */
  tags?: readonly string[];
  /** What `dist` promises of the bytes. */
  promises?: 'both' | 'shasum' | 'none';
  /** Further fields of its place in the packument, which are not in its package.json: `deprecated`. */
  listed?: Record<string, unknown>;
  /** Further fields of `dist`. */
  dist?: Record<string, unknown>;
  /** Where its tarball is said to be, when that is not here. */
  tarball?: string;
}

interface Listed {
  versions: Record<string, unknown>;
  tags: Record<string, string>;
  time: Record<string, string>;
  /** Further fields of the packument. */
  more: Record<string, unknown>;
}

/** A registry of packages over an origin server: packuments in full at `/<name>` (`/@scope%2fname`), tarballs beside them. */
export class NpmOrigin {
  readonly server: OriginServer;
  readonly #prefix: string;
  readonly #packages = new Map<string, Listed>();

  /** @param prefix where it stands at its server: `` or `/npm/group` */
  constructor(server: OriginServer, prefix = '') {
    this.server = server;
    this.#prefix = prefix;
  }

  /** What Larder's `npm.origins` takes. */
  get url(): string {
    return `${this.server.url}${this.#prefix}/`;
  }

  /** Where it has a packument, for `server.count` and `server.fail`. */
  packumentPath(name: string): string {
    return `${this.#prefix}/${name.replace('/', '%2f')}`;
  }

  /** Where it has a tarball. */
  tarballPath(name: string, version: string): string {
    return `${this.#prefix}/${name}/-/${name.slice(name.indexOf('/') + 1)}-${version}.tgz`;
  }

  /** Builds a package and offers it; what has the same version is replaced. */
  publish(options: PublishOptions): BuiltPackage {
    const built = buildPackage(options);
    const { name, version } = built;
    const listed = this.#listed(name);
    const { promises = 'both', tags = ['latest'], time = '2026-01-01T00:00:00.000Z' } = options;
    listed.versions[version] = {
      ...built.manifest,
      _id: `${name}@${version}`,
      ...options.listed,
      dist: {
        ...(promises === 'both' ? { integrity: built.integrity } : {}),
        ...(promises === 'none' ? {} : { shasum: built.shasum }),
        tarball: options.tarball ?? `${this.server.url}${this.tarballPath(name, version)}`,
        fileCount: 2 + Object.keys(options.files ?? {}).length,
        ...options.dist,
      },
    };
    for (const tag of tags) listed.tags[tag] = version;
    if (time !== null)
      Object.assign(listed.time, { created: listed.time.created ?? time, modified: time, [version]: time });
    this.server.set(this.tarballPath(name, version), { body: built.bytes, etag: `"${built.shasum}"` });
    this.#offer(name);
    return built;
  }

  tag(name: string, tag: string, version: string): void {
    this.#listed(name).tags[tag] = version;
    this.#offer(name);
  }

  /** Takes a version away, with its tarball and the tags that point at it. */
  unpublish(name: string, version: string): void {
    const listed = this.#listed(name);
    delete listed.versions[version];
    listed.tags = Object.fromEntries(Object.entries(listed.tags).filter(([, target]) => target !== version));
    this.server.remove(this.tarballPath(name, version));
    this.#offer(name);
  }

  /** Further fields of a package's document: `readme`, `maintainers`. */
  describe(name: string, more: Record<string, unknown>): void {
    Object.assign(this.#listed(name).more, more);
    this.#offer(name);
  }

  /** The packument as it is offered. */
  packument(name: string): Record<string, unknown> {
    const { versions, tags, time, more } = this.#listed(name);
    return { _id: name, name, 'dist-tags': tags, versions, time, ...more };
  }

  #listed(name: string): Listed {
    const listed = this.#packages.get(name) ?? { versions: {}, tags: {}, time: {}, more: {} };
    this.#packages.set(name, listed);
    return listed;
  }

  #offer(name: string): void {
    const body = JSON.stringify(this.packument(name));
    this.server.set(this.packumentPath(name), { body, type: 'application/json' });
  }
}
