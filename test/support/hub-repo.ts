import { createHash } from 'node:crypto';
import { blobId, commitId, pointerText, treeIds } from '../../services/huggingface/git-objects.ts';

export interface RepoWish {
  /** `acme/tiny`, or `gpt2`. */
  id: string;
  type?: 'models' | 'datasets' | 'spaces';
  files: Record<string, Buffer | string>;
  /** Files of at least so many bytes lie on the file host; 1,000 unless told. */
  largeFrom?: number;
  gated?: false | 'auto' | 'manual';
  private?: boolean;
  /** Joins the answer to "what is this repo". */
  info?: Record<string, unknown>;
  /** Where the commit goes: `main` unless told; `refs/pr/1`, `refs/convert/parquet`. */
  branch?: string;
  tags?: string[];
}

export interface HubFile {
  path: string;
  bytes: Buffer;
  oid: string;
  /** Of a file on the file host. */
  sha256?: string;
  pointerSize?: number;
}

export interface HubCommit {
  sha: string;
  date: string;
  title: string;
  files: Map<string, HubFile>;
  folders: Map<string, string>;
  parent?: string;
}

/** A repo of the test's hub, with all its commits. */
export interface HubRepo {
  id: string;
  type: 'models' | 'datasets' | 'spaces';
  /** The newest commit of `main`. */
  sha: string;
  commits: Map<string, HubCommit>;
  /** Branch (or `refs/pr/N`, `refs/convert/x`) → sha. */
  branches: Map<string, string>;
  tags: Map<string, string>;
  gated: false | 'auto' | 'manual';
  private: boolean;
  info: Record<string, unknown>;
}

export function repoOf(wish: RepoWish, known?: HubRepo): HubRepo {
  const branch = wish.branch ?? 'main';
  const parent = known?.branches.get(branch);
  const commit = commitOf(wish, parent, known?.commits.size ?? 0);
  const repo: HubRepo = known ?? {
    id: wish.id,
    type: wish.type ?? 'models',
    sha: commit.sha,
    commits: new Map(),
    branches: new Map(),
    tags: new Map(),
    gated: wish.gated ?? false,
    private: wish.private ?? false,
    info: {},
  };
  Object.assign(repo.info, wish.info);
  repo.commits.set(commit.sha, commit);
  repo.branches.set(branch, commit.sha);
  if (branch === 'main') repo.sha = commit.sha;
  for (const tag of wish.tags ?? []) repo.tags.set(tag, commit.sha);
  return repo;
}

function commitOf(wish: RepoWish, parent: string | undefined, index: number): HubCommit {
  const files = new Map<string, HubFile>();
  for (const [path, content] of Object.entries(wish.files)) {
    const bytes = Buffer.from(content);
    files.set(path, bytes.length >= (wish.largeFrom ?? 1000) ? large(path, bytes) : small(path, bytes));
  }
  const folders = treeIds(files.values());
  const at = Date.parse('2026-01-01T00:00:00Z') + index * 60_000;
  const title = `commit ${index} of ${wish.id}`;
  const parents = parent ? [parent] : [];
  const sha = commitId({ tree: folders.get('')!, parents, author: 'acme', at, message: title });
  return { sha, date: new Date(at).toISOString(), title, files, folders, parent };
}

function small(path: string, bytes: Buffer): HubFile {
  return { path, bytes, oid: blobId(bytes) };
}

function large(path: string, bytes: Buffer): HubFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const pointer = Buffer.from(pointerText(sha256, bytes.length));
  return { path, bytes, oid: blobId(pointer), sha256, pointerSize: pointer.length };
}
