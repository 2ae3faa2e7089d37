import type { Entry } from '../../shared/model/entry.ts';
import type { Shelf, ShelfPlace } from '../../shared/service/shelf.ts';
import { compare } from '../../shared/storage/segments.ts';
import { tarballName, versionInTarballName } from './package-name.ts';
import { PRIVATE, tarballKey } from './refs.ts';

const TARBALLS = 'tarball/';
/** Rows of the index that are read at once. */
const PAGE = 1000;

/** `packages`: each tarball that is held, as `<name>/-/<file>`; of two origins the private one shadows, as it does for npm. */
export const packages: Shelf = {
  bucket: 'packages',
  async get(place, key) {
    const cut = key.indexOf('/-/');
    const name = key.slice(0, cut);
    const version = cut === -1 ? undefined : versionInTarballName(name, key.slice(cut + '/-/'.length));
    if (version === undefined) return undefined;
    for (const origin of await originsOf(place)) {
      const entry = await place.catalog.get(tarballKey(origin, name, version));
      if (entry) return { ...entry, key };
    }
    return undefined;
  },
  async list(place, prefix, { after, limit = Number.POSITIVE_INFINITY }) {
    const found = new Map<string, Entry>();
    for (const origin of await originsOf(place)) {
      for (const entry of await listOf(place, origin, prefix, after, limit))
        if (!found.has(entry.key)) found.set(entry.key, entry);
    }
    return [...found.values()].sort((one, other) => compare(one.key, other.key)).slice(0, limit);
  },
};

async function originsOf({ catalog }: ShelfPlace): Promise<string[]> {
  const origins = await catalog.segments(TARBALLS);
  return origins.sort((one, other) => Number(other === PRIVATE) - Number(one === PRIVATE));
}

/**
 * The first `limit` of one origin behind `after`. Names stand in one order in both places, and the versions of a name in
 * two: `1.0.0-rc` is behind `1.0.0` in the catalog, and `x-1.0.0-rc.tgz` before `x-1.0.0.tgz`. So names are read whole.
 */
async function listOf(
  { catalog }: ShelfPlace,
  origin: string,
  prefix: string,
  after: string | undefined,
  limit: number,
): Promise<Entry[]> {
  const base = `${TARBALLS}${origin}/`;
  const wanted = (key: string) => key.startsWith(prefix) && (after === undefined || compare(key, after) > 0);
  const found: Entry[] = [];
  let group: Entry[] = [];
  const begin = base + upToName(prefix);
  let from = after === undefined || compare(after, prefix) < 0 ? undefined : base + upToName(after);
  for (;;) {
    const rows = await catalog.list(begin, { after: from, limit: PAGE });
    for (const row of rows) {
      const key = objectKey(row.key.slice(base.length));
      if (group.length > 0 && nameIn(group[0]!.key) !== nameIn(key)) {
        found.push(...inOrder(group));
        group = [];
        if (found.length >= limit) return found.slice(0, limit);
      }
      if (wanted(key)) group.push({ ...row, key });
    }
    if (rows.length < PAGE) return [...found, ...inOrder(group)].slice(0, limit);
    from = rows.at(-1)!.key;
  }
}

/** `lodash/` of `lodash/-/lodash-4`: no part of a name begins with a dash. The whole where no name has ended yet. */
function upToName(key: string): string {
  const cut = key.indexOf('/-');
  return cut === -1 ? key : key.slice(0, cut + 1);
}

function nameIn(key: string): string {
  return key.slice(0, key.indexOf('/-/'));
}

/** `lodash/-/lodash-4.17.21.tgz` of `lodash/4.17.21`. */
function objectKey(key: string): string {
  const cut = key.lastIndexOf('/');
  const name = key.slice(0, cut);
  return `${name}/-/${tarballName(name, key.slice(cut + 1))}`;
}

function inOrder(group: Entry[]): Entry[] {
  return group.sort((one, other) => compare(one.key, other.key));
}
