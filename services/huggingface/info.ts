import { MirrorError } from '../../shared/model/errors.ts';
import { withoutXet } from './pages.ts';
import { isCommit, isRepoId, type Repo } from './repo.ts';
import type { Tree } from './tree.ts';

/** What the hub says of a repo at a commit. */
export interface Info {
  /** The repo's name now: another one than was asked for after a rename. */
  id: string;
  sha: string;
  gated: false | string;
  /** All of it, short of Xet's fields. */
  json: Record<string, unknown>;
}

/** Reads an answer of `/api/{type}/{id}[/revision/{rev}]`. Throws `upstream-failed` for one without `id` and `sha`. */
export function parseInfo(bytes: Buffer, asked: Repo): Info {
  let json: Record<string, unknown> = {};
  try {
    json = withoutXet(JSON.parse(bytes.toString('utf8'))) as Record<string, unknown>;
  } catch {
    // said below
  }
  const { id, sha, gated } = json;
  if (typeof id !== 'string' || !isRepoId(id) || typeof sha !== 'string' || !isCommit(sha)) {
    throw new MirrorError('upstream-failed', 'repository', `the hub's answer about ${asked.id} has no id and commit`);
  }
  return { id, sha, gated: typeof gated === 'string' ? gated : false, json };
}

/** As clients get it. `blobs` adds sizes and ids of files, which the hub leaves out unless asked (`?blobs=true`). */
export function renderInfo(repo: Repo, info: Info, tree: Tree | undefined): string {
  const { siblings, ...rest } = info.json;
  const named = repo.type === 'models' ? { modelId: info.id } : {};
  const files = tree ? siblingsOf(tree) : Array.isArray(siblings) ? siblings : [];
  return JSON.stringify({
    ...named,
    private: false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: [],
    ...rest,
    siblings: files,
  });
}

function siblingsOf(tree: Tree): object[] {
  return [...tree.files.values()].map(({ path, size, oid, lfs }) => ({
    rfilename: path,
    size: lfs?.size ?? size,
    blobId: oid,
    ...(lfs ? { lfs: { sha256: lfs.oid, size: lfs.size, pointerSize: lfs.pointerSize } } : {}),
  }));
}

/** What lists and searches show and filter by: small enough to stand in a name's own document. */
export interface Summary {
  id: string;
  sha: string;
  lastModified?: string;
  createdAt?: string;
  downloads: number;
  likes: number;
  private: boolean;
  gated: false | string;
  tags: string[];
  pipeline_tag?: string;
  library_name?: string;
  license?: string;
}

const MOST_TAGS = 200;

export function summaryOf({ id, sha, gated, json }: Info): Summary {
  const text = (name: string) => (typeof json[name] === 'string' ? (json[name] as string) : undefined);
  const count = (name: string) => (typeof json[name] === 'number' ? (json[name] as number) : 0);
  const tags = Array.isArray(json.tags) ? json.tags.filter((tag): tag is string => typeof tag === 'string') : [];
  const card = (json.cardData ?? {}) as Record<string, unknown>;
  const license = typeof card.license === 'string' ? card.license : licenseOf(tags);
  return {
    id,
    sha,
    lastModified: text('lastModified'),
    createdAt: text('createdAt'),
    downloads: count('downloads'),
    likes: count('likes'),
    private: json.private === true,
    gated,
    tags: tags.filter((tag) => tag.length <= 128).slice(0, MOST_TAGS),
    pipeline_tag: text('pipeline_tag'),
    library_name: text('library_name'),
    license,
  };
}

function licenseOf(tags: readonly string[]): string | undefined {
  return tags.find((tag) => tag.startsWith('license:'))?.slice('license:'.length);
}
