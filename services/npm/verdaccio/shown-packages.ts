import { isKind } from '../../../shared/model/errors.ts';
import { importedOf } from '../local-document.ts';
import { isPackageName, tarballName } from '../package-name.ts';
import type { Packument } from '../packument.ts';
import { PRIVATE, tarballKey } from '../refs.ts';
import type { Rooms } from '../rooms.ts';
import { Readmes } from './readme.ts';

/** Names of mirrored packages on the first page, beside those that were published here: the search finds the others. */
const MOST_LISTED = 200;
const MOST_FOUND = 20;
/** Names that are looked through for a search. */
const MOST_SEARCHED = 500;
const NO_README = /^(ERROR: No README data found!)?$/;

/**
 * What the web interface of Verdaccio is shown: what was published here, and what is mirrored. Nothing of the latter
 * ever reaches a document that Verdaccio writes.
 */
export class ShownPackages {
  readonly #rooms: Pick<Rooms, 'context' | 'locals' | 'packages'>;
  readonly #readmes: Readmes;

  constructor(rooms: Pick<Rooms, 'context' | 'locals' | 'packages'>) {
    this.#rooms = rooms;
    this.#readmes = new Readmes(rooms.context.blobs);
  }

  /** Verdaccio's document of a package, the caller's own; undefined when there is none. */
  async read(name: string, kind: 'show' | 'list'): Promise<object | undefined> {
    if (!isPackageName(name)) return undefined;
    const local = await this.#rooms.locals.read(name);
    if (local) return documentOf(local.packument);
    if (kind === 'list') return this.#held(name);
    const found = await this.#find(name);
    if (!found) return undefined;
    const shown = documentOf(found.packument);
    if (typeof shown.readme !== 'string' || NO_README.test(shown.readme.trim()))
      shown.readme = await this.#readmeOf(found.packument, found.origin);
    return shown;
  }

  /** Names of packages that are here, those that were published here first. */
  async names(): Promise<string[]> {
    const local = await this.#rooms.locals.names();
    const { catalog } = this.#rooms.context;
    const names = new Set(local);
    for (const origin of await catalog.segments('tarball/')) {
      if (origin === PRIVATE) continue;
      for (const name of await this.#namesOf(origin)) {
        if (names.size >= local.length + MOST_LISTED) return [...names];
        names.add(name);
      }
    }
    return [...names];
  }

  /** Names for a search, best first. */
  async find(text: string): Promise<string[]> {
    const wanted = text.toLowerCase();
    const names = new Set(await this.#rooms.locals.names());
    for (const { key } of await this.#rooms.context.catalog.search(text, MOST_SEARCHED)) {
      const [kind, origin, ...rest] = key.split('/');
      if (kind === 'tarball' && origin !== PRIVATE) names.add(rest.slice(0, -1).join('/'));
    }
    const rank = (name: string) => (name === wanted ? 0 : name.startsWith(wanted) ? 1 : 2);
    return [...names]
      .filter((name) => name.toLowerCase().includes(wanted) && isPackageName(name))
      .sort((one, other) => rank(one) - rank(other) || one.length - other.length)
      .slice(0, MOST_FOUND);
  }

  async #find(name: string) {
    try {
      return await this.#rooms.packages.find(name);
    } catch (error) {
      if (isKind(error, 'not-found', 'not-held', 'forbidden', 'upstream-failed', 'upstream-denied')) return undefined;
      throw error;
    }
  }

  async #namesOf(origin: string): Promise<string[]> {
    const { catalog } = this.#rooms.context;
    const names: string[] = [];
    for (const first of await catalog.segments(`tarball/${origin}/`, { limit: MOST_LISTED })) {
      if (!first.startsWith('@')) names.push(first);
      else for (const second of await catalog.segments(`tarball/${origin}/${first}/`)) names.push(`${first}/${second}`);
    }
    return names;
  }

  /** Of the tarballs that are held, with nobody being asked. */
  async #held(name: string): Promise<object | undefined> {
    const { catalog } = this.#rooms.context;
    for (const origin of await catalog.segments('tarball/')) {
      const prefix = tarballKey(origin, name, '');
      const packument: Packument = { name, 'dist-tags': {}, versions: {}, time: {} };
      for (const entry of await catalog.list(prefix)) {
        const version = entry.key.slice(prefix.length);
        const { record } = importedOf(entry, name, version) ?? {};
        if (!record) continue;
        packument.versions[version] = record.manifest;
        packument.time![version] = record.time ?? entry.storedAt;
        for (const tag of record.tags ?? []) packument['dist-tags'][tag] = version;
      }
      if (Object.keys(packument.versions).length > 0) return documentOf(packument);
    }
    return undefined;
  }

  async #readmeOf({ name, 'dist-tags': { latest } }: Packument, origin: string): Promise<string> {
    const entry = latest && (await this.#rooms.context.catalog.get(tarballKey(origin, name, latest)));
    return entry ? this.#readmes.read(entry.digest) : '';
  }
}

/** Verdaccio changes what it is given, and takes the tarball's file name from its address. */
function documentOf(packument: Packument): Record<string, unknown> & Packument {
  const copy = structuredClone(packument);
  for (const [version, manifest] of Object.entries(copy.versions))
    manifest.dist.tarball = `http://localhost/${copy.name}/-/${tarballName(copy.name, version)}`;
  return { ...copy, time: copy.time ?? {}, _attachments: {}, _distfiles: {}, _uplinks: {} };
}
