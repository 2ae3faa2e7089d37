import type { Entry } from '../../shared/model/entry.ts';
import type { Shelf, ShelfPlace } from '../../shared/service/shelf.ts';
import type { Page } from '../../shared/storage/catalog-index.ts';
import { compare, touches } from '../../shared/storage/segments.ts';
import { ARTIFACT_KINDS, type ArtifactVersion, idOf, isFilePath, isVersion, parseId } from './artifact.ts';
import { fileKey } from './keys.ts';

/** Names read of one version at a time. */
const ROWS = 1000;

/** `ngc`: each file that is held of each version, as `<org>/[<team>/]<name>/<version>/<path>`. */
export function versions(): Shelf {
  return { bucket: 'ngc', get, list };
}

async function get({ catalog }: ShelfPlace, key: string): Promise<Entry | undefined> {
  for (const { version, path } of readings(key)) {
    const entry = await catalog.get(fileKey(version, path));
    if (entry) return { ...entry, key };
  }
  return undefined;
}

/** What a key may mean: the org's own or a team's, a model's or a resource's; the first that is held is it. */
function* readings(key: string): Generator<{ version: ArtifactVersion; path: string }> {
  const segments = key.split('/');
  for (const kind of ARTIFACT_KINDS)
    for (const ofId of [3, 2]) {
      const artifact = parseId(kind, segments.slice(0, ofId).join('/'));
      const [version = '', ...path] = segments.slice(ofId);
      if (artifact && isVersion(version) && isFilePath(path.join('/')))
        yield { version: { artifact, version }, path: path.join('/') };
    }
}

async function list(place: ShelfPlace, prefix: string, { after = '', limit = Number.POSITIVE_INFINITY }: Page) {
  const found: Entry[] = [];
  for (const { bases } of shelves(await basesOf(place, prefix))) {
    if (found.length >= limit) break;
    if (!bases.some(({ base }) => touches(base, prefix, after))) continue;
    const page = { after, limit: limit - found.length };
    found.push(...(await listOf(place, bases, prefix, page)));
  }
  return found;
}

/** Where the files of a version stand: as they are called in the bucket, and in the catalog. */
interface Base {
  base: string;
  /** In the catalog, before a file's path. */
  files: string;
}

/** All versions that may have files below `prefix`, in the order of their keys. */
async function basesOf({ catalog }: ShelfPlace, prefix: string): Promise<Base[]> {
  const org = prefix.includes('/') ? `${prefix.split('/', 1)[0]}/` : prefix;
  const found: Base[] = [];
  for (const kind of ARTIFACT_KINDS)
    for (const key of await catalog.keys(`files/${kind}/${org}`)) {
      const [id = '', version = ''] = key.slice(`files/${kind}/`.length).split(':', 2);
      const artifact = parseId(kind, id);
      if (!artifact) continue;
      const files = fileKey({ artifact, version }, '');
      found.push({ base: `${idOf(artifact)}/${version}/`, files });
    }
  return found.sort((one, other) => compare(one.base, other.base));
}

/** Versions whose keys lie between each other's are taken together: `a/b/c/` and `a/b/c/d/`, a model and a resource. */
function* shelves(sorted: readonly Base[]): Generator<{ bases: Base[] }> {
  let bases: Base[] = [];
  for (const one of sorted) {
    if (bases.length > 0 && !one.base.startsWith(bases[0]!.base)) {
      yield { bases };
      bases = [];
    }
    bases.push(one);
  }
  if (bases.length > 0) yield { bases };
}

async function listOf(
  place: ShelfPlace,
  bases: readonly Base[],
  prefix: string,
  page: { after: string; limit: number },
) {
  const found = new Map<string, Entry>();
  for (const one of bases)
    for (const entry of await filesOf(place, one, prefix, page)) if (!found.has(entry.key)) found.set(entry.key, entry);
  const all = [...found.values()];
  if (bases.length > 1) all.sort((one, other) => compare(one.key, other.key));
  return all.slice(0, page.limit);
}

async function filesOf(
  { catalog }: ShelfPlace,
  { base, files }: Base,
  prefix: string,
  { after, limit }: { after: string; limit: number },
): Promise<Entry[]> {
  const within = prefix.startsWith(base) ? prefix.slice(base.length) : '';
  const found: Entry[] = [];
  if (!touches(base, prefix, after)) return found;
  let last = after.startsWith(base) ? files + after.slice(base.length) : undefined;
  while (found.length < limit) {
    const most = Math.min(ROWS, limit - found.length);
    const rows = await catalog.list(files + within, { after: last, limit: most });
    for (const row of rows) found.push({ ...row, key: base + row.key.slice(files.length) });
    if (rows.length < most) break;
    last = rows.at(-1)!.key;
  }
  return found;
}
