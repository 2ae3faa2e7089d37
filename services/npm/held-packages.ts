import { setImmediate as breathe } from 'node:timers/promises';
import semver from 'semver';
import type { Entry } from '../../shared/model/entry.ts';
import { HeldList } from '../../shared/storage/held-list.ts';
import type { VersionRecord } from './packument.ts';
import { PRIVATE, RECORD } from './refs.ts';
import type { Rooms } from './rooms.ts';
import type { Searchable } from './search-query.ts';
import { type FoundPackage, packageOf, searchable } from './search-result.ts';

/** Names after which others may run. */
const BATCH = 500;

/** A package of which something is here, ready to be searched. */
export interface Listed {
  found: FoundPackage;
  searchable: Searchable;
  /** Published here. */
  local: boolean;
}

type HeldRooms = Pick<Rooms, 'context' | 'locals'>;

/** What is here, in memory, each package by the version that is its latest here; read anew when names have changed. */
export class HeldPackages {
  readonly #rooms: HeldRooms;
  readonly #packages: HeldList<Listed>;
  /** By the key of the tarball whose record it was made of: bytes under a key never change. */
  #made = new Map<string, Listed>();

  constructor(rooms: HeldRooms) {
    this.#rooms = rooms;
    this.#packages = new HeldList(rooms.context, () => this.#read());
  }

  /** By name, what was published here first. */
  list(): Promise<readonly Listed[]> {
    return this.#packages.list();
  }

  async #read(): Promise<Listed[]> {
    const local = await this.#local();
    const names = new Set(local.map(({ found }) => found.name));
    const held = await this.#held(names);
    return [local, held].flatMap((part) => part.sort((one, other) => (one.found.name < other.found.name ? -1 : 1)));
  }

  async #local(): Promise<Listed[]> {
    const { locals } = this.#rooms;
    const listed: Listed[] = [];
    for (const name of await locals.names()) {
      const { packument } = (await locals.read(name)) ?? {};
      if (!packument) continue;
      const version = packument['dist-tags'].latest ?? latestOf(Object.keys(packument.versions));
      const manifest = version === undefined ? undefined : packument.versions[version];
      if (manifest) listed.push(listedOf(packageOf(manifest, packument.time?.[version!]), true));
    }
    return listed;
  }

  async #held(shadowed: ReadonlySet<string>): Promise<Listed[]> {
    const { catalog } = this.#rooms.context;
    const versions = versionsByName(await catalog.keys('tarball/'));
    const made = new Map<string, Listed>();
    let count = 0;
    for (const [name, keys] of versions) {
      if (shadowed.has(name)) continue;
      const key = keys.get(latestOf([...keys.keys()])!)!;
      const listed = this.#made.get(key) ?? listedIn(await catalog.get(key), name);
      if (listed) made.set(key, listed);
      count += 1;
      if (count % BATCH === 0) await breathe();
    }
    this.#made = made;
    return [...made.values()];
  }
}

/** Keys of tarballs by name and version. */
function versionsByName(keys: readonly string[]): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const key of keys) {
    const [, origin, ...rest] = key.split('/');
    const version = rest.pop();
    if (origin === PRIVATE || version === undefined) continue;
    const name = rest.join('/');
    const versions = found.get(name) ?? new Map<string, string>();
    found.set(name, versions.set(version, key));
  }
  return found;
}

/** The highest that is no pre-release, else the highest. */
function latestOf(versions: readonly string[]): string | undefined {
  const sorted = versions.filter((version) => semver.valid(version, true)).sort((a, b) => semver.rcompare(a, b, true));
  return sorted.find((version) => !semver.prerelease(version, true)) ?? sorted[0] ?? versions[0];
}

function listedIn(entry: Entry | undefined, name: string): Listed | undefined {
  if (!entry) return undefined;
  try {
    const { manifest, time } = JSON.parse(entry.headers[RECORD] ?? '') as VersionRecord;
    if (manifest.name !== name) return undefined;
    return listedOf(packageOf(manifest, time ?? entry.storedAt), false);
  } catch {
    // one record that cannot be read is no reason to find nothing at all
    return undefined;
  }
}

function listedOf(found: FoundPackage, local: boolean): Listed {
  return { found, searchable: searchable(found), local };
}
