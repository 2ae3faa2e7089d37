import { Parsed } from '../../shared/mirror/parsed.ts';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Shelf, ShelfPlace } from '../../shared/service/shelf.ts';
import type { Page } from '../../shared/storage/catalog-index.ts';
import { compare, touches } from '../../shared/storage/segments.ts';
import { type Info, parseInfo } from './info.ts';
import { fileKey, infoKey, repoKey, revKey, treeKey } from './refs.ts';
import { isCommit, isRepoId, type Repo } from './repo.ts';
import { parseTree, type Tree, type TreeFile } from './tree.ts';

const MOST_INFO = 64 << 20;
const MOST_TREE = 512 << 20;
/** Segments of the longest names of revisions: `refs/pr/7`. */
const MOST_SEGMENTS = 3;
const NOTHING = digestOf(Buffer.alloc(0));

/** What a commit holds, and the document that says so. */
interface KnownTree {
  tree: Tree;
  entry: Entry;
}

/** `models`: each file that is held of each revision that is known, as `<org>/<name>/<revision>/<path>`. */
export function models(): Shelf {
  const shelf = new ModelsShelf();
  return {
    bucket: 'models',
    get: (place, key) => shelf.get(place, key),
    list: (place, prefix, page) => shelf.list(place, prefix, page),
  };
}

class ModelsShelf {
  readonly #infos = new Parsed<Info>(8 << 20);
  readonly #trees = new Parsed<Tree>();

  async get(place: ShelfPlace, key: string): Promise<Entry | undefined> {
    const segments = key.split('/');
    for (const ofId of [2, 1]) {
      const repo: Repo = { type: 'models', id: segments.slice(0, ofId).join('/') };
      if (!isRepoId(repo.id) || !(await place.catalog.get(repoKey(repo)))) continue;
      for (let ofRev = 1; ofRev <= MOST_SEGMENTS; ofRev += 1) {
        const rev = segments.slice(ofId, ofId + ofRev).join('/');
        const path = segments.slice(ofId + ofRev).join('/');
        const known = path === '' ? undefined : await this.#treeAt(place, repo, rev);
        const file = known?.tree.files.get(path);
        const entry = file && (await heldFile(place, file, known!.entry));
        if (entry) return { ...entry, key };
      }
    }
    return undefined;
  }

  async list(place: ShelfPlace, prefix: string, { after = '', limit = Number.POSITIVE_INFINITY }: Page) {
    const found: Entry[] = [];
    const wanted = (part: string) => touches(part, prefix, after);
    for (const id of await idsOf(place)) {
      if (!wanted(`${id}/`)) continue;
      const repo: Repo = { type: 'models', id };
      for (const rev of await revisionsOf(place, repo)) {
        if (!wanted(`${id}/${rev}/`)) continue;
        const known = await this.#treeAt(place, repo, rev);
        for (const path of [...(known?.tree.files.keys() ?? [])].sort(compare)) {
          const key = `${id}/${rev}/${path}`;
          if (!key.startsWith(prefix) || compare(key, after) <= 0) continue;
          const entry = await heldFile(place, known!.tree.files.get(path)!, known!.entry);
          if (entry) found.push({ ...entry, key });
          if (found.length >= limit) return found;
        }
      }
    }
    return found;
  }

  /** What a revision holds, of a repo that anybody may see; nobody is asked for anything. */
  async #treeAt({ catalog, blobs }: ShelfPlace, repo: Repo, rev: string): Promise<KnownTree | undefined> {
    const known = await catalog.get(isCommit(rev) ? infoKey(repo, rev) : revKey(repo, rev));
    if (!known) return undefined;
    const info = await this.#infos.get(known.digest, known.size, async () =>
      parseInfo(await blobs.read(known.digest, MOST_INFO), repo),
    );
    if (info.json.private === true) return undefined;
    const entry = await catalog.get(treeKey(repo, info.sha));
    if (!entry) return undefined;
    const read = async () => parseTree(await blobs.read(entry.digest, MOST_TREE));
    return { tree: await this.#trees.get(entry.digest, entry.size, read), entry };
  }
}

/** A file that is here. One without bytes has no name and no blob of its own: the tree that tells of it is all of it. */
async function heldFile({ catalog }: ShelfPlace, file: TreeFile, { origin, storedAt, checkedAt }: Entry) {
  const key = fileKey(file);
  const entry = await catalog.get(key);
  if (entry || file.size > 0) return entry;
  const nothing = { digest: NOTHING, size: 0, mediaType: 'application/octet-stream', headers: {} };
  return { key, ...nothing, origin, storedAt, checkedAt };
}

/** In the order of the keys that begin with them: a slash comes behind a dash. */
async function idsOf({ catalog }: ShelfPlace): Promise<string[]> {
  const base = repoKey({ type: 'models', id: '' });
  return ordered((await catalog.keys(base)).map((key) => key.slice(base.length)));
}

async function revisionsOf({ catalog }: ShelfPlace, repo: Repo): Promise<string[]> {
  const found = new Set<string>();
  for (const base of [revKey(repo, ''), infoKey(repo, '')])
    for (const key of await catalog.keys(base)) found.add(key.slice(base.length));
  return ordered([...found]);
}

function ordered(names: string[]): string[] {
  return names.sort((one, other) => compare(`${one}/`, `${other}/`));
}
