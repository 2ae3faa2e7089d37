import type { Facts } from '../../shared/model/entry.ts';
import type { Ref, WantedItem } from '../../shared/model/ref.ts';
import type { HuggingfaceConfig } from './config.ts';
import { filePrefix, itemTypeOf, labelOf, type Repo, type RepoType } from './repo.ts';
import type { TreeFile } from './tree.ts';

/**
 * Names of the catalog. A file is kept under what it is (`lfs/<sha256>`, `git/<sha1>`), as the hub itself names it; which
 * path of which commit that is, the tree says. So a file that many commits or repos share is one name and one blob.
 *
 *   repo/<type>/<id>            the newest info that was seen; its headers sum it up, for lists
 *   rev/<type>/<id>@<rev>       info of a branch, a tag, a short sha: moves
 *   info/<type>/<id>@<sha>      info of a commit
 *   tree/<type>/<id>@<sha>      all entries of a commit, a line each
 *   commits/<type>/<id>@<sha>   the commits before it, a line each
 *   refs/<type>/<id>            branches, tags, converts; prs/<type>/<id> the same with pull requests
 *   lfs/<sha256>  git/<sha1>    files
 */
export const ORIGIN = 'hub';

export const repoKey = ({ type, id }: Repo) => `repo/${type}/${id}`;
export const revKey = ({ type, id }: Repo, rev: string) => `rev/${type}/${id}@${rev}`;
export const infoKey = ({ type, id }: Repo, sha: string) => `info/${type}/${id}@${sha}`;
export const treeKey = ({ type, id }: Repo, sha: string) => `tree/${type}/${id}@${sha}`;
export const commitsKey = ({ type, id }: Repo, sha: string) => `commits/${type}/${id}@${sha}`;
export const refsKey = ({ type, id }: Repo, pulls: boolean) => `${pulls ? 'prs' : 'refs'}/${type}/${id}`;
export const fileKey = (file: Pick<TreeFile, 'oid' | 'lfs'>) => (file.lfs ? `lfs/${file.lfs.oid}` : `git/${file.oid}`);

/** The type of documents that hold one JSON value a line. */
export const LINES = 'application/x-ndjson';
const JSON_TYPE = 'application/json';

/** Makes the Refs of one origin. A repo that is local has no source: nobody is asked for it. */
export class Refs {
  readonly #base: string;
  readonly #config: HuggingfaceConfig;

  constructor(config: HuggingfaceConfig) {
    this.#base = config.origin.replace(/\/+$/, '');
    this.#config = config;
  }

  /** A moving name, or a commit (which does not move). */
  info(repo: Repo, rev: string): Ref {
    const isSha = /^[0-9a-f]{40}$/.test(rev);
    return {
      key: isSha ? infoKey(repo, rev) : revKey(repo, rev),
      subject: rev === 'main' ? 'repository' : 'revision',
      label: rev === 'main' ? labelOf(repo) : `${labelOf(repo)} at ${rev}`,
      source: `${this.#api(repo)}/revision/${encodeURIComponent(rev)}`,
      origin: ORIGIN,
      accept: JSON_TYPE,
      freshness: isSha ? 'immutable' : this.#moving(),
      want: wanted(repo, rev),
    };
  }

  tree(repo: Repo, sha: string): Ref {
    return {
      ...this.info(repo, sha),
      key: treeKey(repo, sha),
      label: `the files of ${labelOf(repo)} at ${sha}`,
      source: `${this.#api(repo)}/tree/${sha}?recursive=true&expand=false`,
    };
  }

  commits(repo: Repo, sha: string): Ref {
    return {
      ...this.info(repo, sha),
      key: commitsKey(repo, sha),
      label: `the commits of ${labelOf(repo)} up to ${sha}`,
      source: `${this.#api(repo)}/commits/${sha}`,
    };
  }

  refs(repo: Repo, pulls: boolean): Ref {
    return {
      ...this.info(repo, 'main'),
      key: refsKey(repo, pulls),
      label: `the branches of ${labelOf(repo)}`,
      source: `${this.#api(repo)}/refs${pulls ? '?include_prs=1' : ''}`,
    };
  }

  /** The summary of a repo; written here, never fetched. */
  repo(repo: Repo): Ref {
    return { ...this.info(repo, 'main'), key: repoKey(repo), source: '', freshness: { fresh: 1e9, stale: 1e9 } };
  }

  /** A file, by what it is. */
  file(repo: Repo, sha: string, file: TreeFile): Ref {
    const path = file.path.split('/').map(encodeURIComponent).join('/');
    const id = file.lfs ? { sha256: file.lfs.oid, size: file.lfs.size } : { gitBlob: file.oid, size: file.size };
    return {
      key: fileKey(file),
      subject: 'file',
      label: `${file.path} of ${labelOf(repo)}`,
      source: `${this.#base}/${filePrefix(repo.type)}${repo.id}/resolve/${sha}/${path}`,
      origin: ORIGIN,
      freshness: 'immutable',
      promised: id,
      ...(file.lfs ? { ifHeld: factsOfFile(file) } : {}),
      want: { ...wanted(repo, sha), include: [file.path] },
    };
  }

  /** Lists and searches; asked and not kept. */
  list(type: RepoType, query: string): Ref {
    return {
      key: `list/${type}?${query}`,
      subject: 'list',
      label: `the list of ${type}`,
      source: `${this.#base}/api/${type}${query === '' ? '' : `?${query}`}`,
      origin: ORIGIN,
      accept: JSON_TYPE,
      freshness: { fresh: 0, stale: 0 },
    };
  }

  #api({ type, id }: Repo): string {
    return `${this.#base}/api/${type}/${id}`;
  }

  #moving() {
    return { fresh: this.#config.freshSeconds, stale: this.#config.staleSeconds };
  }
}

/** What a file's answer says of it: its ETag is what clients name and check it by. */
export function factsOfFile(file: Pick<TreeFile, 'oid' | 'lfs' | 'size'>): Facts {
  return {
    size: file.lfs?.size ?? file.size,
    mediaType: file.lfs ? 'application/octet-stream' : 'text/plain; charset=utf-8',
    etag: `"${file.lfs?.oid ?? file.oid}"`,
    headers: {},
  };
}

/** The manifest item that brings it across the gap. */
export function wanted(repo: Repo, rev: string): WantedItem {
  return { [itemTypeOf(repo.type)]: repo.id, ...(rev === 'main' ? {} : { revision: rev }) };
}
