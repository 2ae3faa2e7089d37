import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { MirrorError } from '../../shared/model/errors.ts';
import { type Folder, type FolderFile, readFolder } from './folder-files.ts';
import { type IsLarge, LARGE_FROM, largeRule } from './large-files.ts';
import { keepSmallFile, type LocalStore, largeFile, nameLargeFile } from './local-documents.ts';
import { LocalRepos } from './local-repos.ts';
import { isFilePath, labelOf, type Repo } from './repo.ts';
import type { TreeFile } from './tree.ts';

export interface AddOptions {
  folder: string;
  repo: Repo;
  /** The branch that gets the commit. */
  revision: string;
  author: string;
  message?: string;
  private?: boolean;
  signal?: AbortSignal;
  /** Told of every file that is in the store. */
  added?(path: string, size: number): void;
}

export interface Added {
  sha: string;
  files: number;
  bytes: number;
  kind: Folder['kind'];
  /** Its commit is the hub's own. */
  known: boolean;
}

/**
 * Makes a repo of a folder. Files that came from the hub are checked against what the client wrote down of them, and the
 * commit keeps its id, so that whoever is pinned to it finds it. A folder that changes meanwhile is refused.
 */
export async function addFolder(store: LocalStore, options: AddOptions): Promise<Added> {
  const { repo, revision, signal } = options;
  const folder = await readFolder(options.folder, repo, revision);
  if (folder.files.length === 0) throw new MirrorError('bad-request', 'folder', `${options.folder} has no files`);
  const origin = folder.commit ? ('folder' as const) : ('upload' as const);
  const isLarge = await ruleOf(folder);
  const files = new Map<string, TreeFile>();
  for (const file of folder.listed ?? []) if (isFilePath(file.path)) files.set(file.path, file);
  for (const file of folder.files) {
    signal?.throwIfAborted();
    files.set(file.path, await addFile(store, file, isLarge, origin));
    options.added?.(file.path, file.size);
  }
  await checkUnchanged(folder, options);
  const repos = new LocalRepos(store);
  const sha = await repos.commit(repo, {
    branch: revision.length === 40 && folder.commit === revision ? 'main' : revision,
    title: options.message ?? `Add ${labelOf(repo)} from a folder`,
    author: options.author,
    sha: folder.commit,
    origin,
    private: options.private,
    change: () => files,
  });
  const bytes = folder.files.reduce((sum, { size }) => sum + size, 0);
  return { sha, files: folder.files.length, bytes, kind: folder.kind, known: folder.commit !== undefined };
}

async function ruleOf({ files }: Folder): Promise<IsLarge> {
  const attributes = files.find(({ path }) => path === '.gitattributes');
  return largeRule(attributes && attributes.size < LARGE_FROM ? await readFile(attributes.place, 'utf8') : undefined);
}

async function addFile(
  store: LocalStore,
  file: FolderFile,
  isLarge: IsLarge,
  origin: 'upload' | 'folder',
): Promise<TreeFile> {
  const { path, etag, size } = file;
  const large = etag ? etag.length === 64 : isLarge({ path, size, sample: await sampleOf(file) });
  if (!large && size > 20 * LARGE_FROM)
    throw new MirrorError('too-large', 'file', `${path} is too large for a small file`);
  if (!large) {
    const kept = await keepSmallFile(store, path, await readFile(file.place), origin);
    if (etag && etag !== kept.oid) throw damaged(path, etag, kept.oid);
    return kept;
  }
  const promised = { size, ...(etag ? { sha256: etag } : {}) };
  const measured = await store.blobs
    .ingest(createReadStream(file.place, { highWaterMark: 1 << 20 }), { subject: 'file', promised: [promised] })
    .catch((error) => {
      throw error instanceof MirrorError && error.kind === 'corrupt' ? damaged(path, etag, error.message) : error;
    });
  const added = largeFile(path, measured.digest.slice('sha256:'.length), measured.size);
  await nameLargeFile(store, added, origin);
  return added;
}

async function sampleOf({ place }: FolderFile): Promise<Buffer> {
  const handle = await open(place);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(8000), 0, 8000, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function damaged(path: string, etag: string | undefined, found: string): MirrorError {
  const known = etag ? ` (the hub calls it ${etag})` : '';
  return new MirrorError('corrupt', 'file', `${path} is damaged or was changed${known}: ${found}. Nothing was added`);
}

/** Every file as it was when it was read, and none that came or went. */
async function checkUnchanged(folder: Folder, options: AddOptions): Promise<void> {
  for (const { path, place, stamp } of folder.files) {
    const facts = await stat(place).catch(() => undefined);
    if (!facts || `${facts.ino} ${facts.size} ${facts.mtimeMs}` !== stamp) throw changed(path);
  }
  const now = new Set((await readFolder(options.folder, options.repo, options.revision)).files.map(({ path }) => path));
  const before = folder.files.map(({ path }) => path);
  const other = before.find((path) => !now.has(path)) ?? [...now].find((path) => !before.includes(path));
  if (other !== undefined) throw changed(other);
}

function changed(path: string): MirrorError {
  return new MirrorError(
    'conflict',
    'folder',
    `${path} changed while the folder was being added; let it rest, and add it again`,
  );
}
