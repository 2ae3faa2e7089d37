import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import { filesBelow, type FolderFile as PlainFile, realFolder } from '../../shared/storage/folder-files.ts';
import { largeFile } from './local-documents.ts';
import { isCommit, isFilePath, type Repo } from './repo.ts';
import type { TreeFile } from './tree.ts';

/** A file of a folder that is to become a repo. */
export interface FolderFile extends PlainFile {
  /** What the hub called it, where the client that fetched it wrote that down: sha256 of a large file, git's id of another. */
  etag?: string;
}

/** A folder as it was found. */
export interface Folder {
  kind: 'plain' | 'local-dir' | 'cache';
  files: FolderFile[];
  /** The commit that it is a copy of, where that is known. */
  commit?: string;
  /** All files of that commit, where the client kept the list: a download may hold a part of them. */
  listed?: TreeFile[];
}

/** Where `hf download --local-dir` keeps what it knows of its files. */
const LOCAL_DIR = '.cache/huggingface';

/**
 * Looks at a folder: a plain one, one of `hf download --local-dir`, or a Hugging Face cache (its root, the folder of a
 * repo in it, or a snapshot). Throws `bad-request` for links that lead out of it.
 * @param rev of a cache: the branch or commit whose snapshot is meant
 */
export async function readFolder(folder: string, repo: Repo, rev: string): Promise<Folder> {
  const root = await realFolder(folder);
  const cache = await cacheFolder(root, repo);
  if (cache) return readCache(cache, rev);
  const snapshot = isCommit(basename(root)) && basename(dirname(root)) === 'snapshots';
  if (snapshot) return readSnapshot(dirname(dirname(root)), basename(root));
  const files = (await filesBelow(root, { accepts: isFilePath })).filter(
    ({ path }) => !path.startsWith(`${LOCAL_DIR}/`),
  );
  const known = await readLocalDir(root, files);
  if (!known) return { kind: 'plain', files };
  return { kind: 'local-dir', ...known, listed: await readListing(join(root, LOCAL_DIR), known.commit) };
}

/** The folder of the repo in a cache: the one that was named, or the one below a cache's root. */
async function cacheFolder(root: string, { type, id }: Repo): Promise<string | undefined> {
  const name = `${type}--${id.replaceAll('/', '--')}`;
  for (const place of [root, join(root, name), join(root, 'hub', name)]) {
    const names = await readdir(place).catch(() => [] as string[]);
    if (names.includes('snapshots') && (place !== root || names.includes('refs') || names.includes('blobs')))
      return place;
  }
  return undefined;
}

async function readCache(cache: string, rev: string): Promise<Folder> {
  const held = await readdir(join(cache, 'snapshots'));
  const named = isCommit(rev) ? rev : (await readFile(join(cache, 'refs', rev), 'utf8').catch(() => '')).trim();
  const commit = named !== '' ? named : held.length === 1 ? held[0]! : '';
  if (held.includes(commit)) return readSnapshot(cache, commit);
  throw new MirrorError(
    'bad-request',
    'folder',
    `the cache has no snapshot of "${rev}"; it has ${held.join(', ') || 'none'}`,
  );
}

/** Files of a snapshot are links to blobs, which are called by their ETag. */
async function readSnapshot(cache: string, commit: string): Promise<Folder> {
  const found = await filesBelow(join(cache, 'snapshots', commit), { border: cache, accepts: isFilePath });
  const files = found.map((file) => ({ ...file, etag: etagOf(basename(file.link ?? '')) }));
  return { kind: 'cache', commit, files, listed: await readListing(cache, commit) };
}

const listing = z.object({
  files: z.record(
    z.string(),
    z.object({
      size: z.number(),
      blob_id: z.string().regex(/^[0-9a-f]{40}$/),
      lfs_sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional(),
      lfs_size: z.number().optional(),
    }),
  ),
});

/** `trees/<commit>.json`, as huggingface_hub keeps it from 1.26 on; whatever cannot be read is not there. */
async function readListing(folder: string, commit: string | undefined): Promise<TreeFile[] | undefined> {
  try {
    const text = await readFile(join(folder, 'trees', `${commit}.json`), 'utf8');
    return Object.entries(listing.parse(JSON.parse(text)).files).map(([path, file]) => {
      const { size, blob_id: oid, lfs_sha256, lfs_size } = file;
      return lfs_sha256 ? largeFile(path, lfs_sha256, lfs_size ?? size) : { path, size, oid };
    });
  } catch {
    return undefined;
  }
}

/** `<path>.metadata` beside a download: the commit, the ETag and the time, a line each. */
async function readLocalDir(
  root: string,
  files: FolderFile[],
): Promise<{ files: FolderFile[]; commit?: string } | undefined> {
  const commits = new Set<string>();
  const known = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(root, LOCAL_DIR, 'download', `${file.path}.metadata`), 'utf8').catch(() => '');
      const [commit = '', etag = ''] = text.split('\n').map((line) => line.trim());
      if (!isCommit(commit)) return file;
      commits.add(commit);
      return { ...file, etag: etagOf(etag) };
    }),
  );
  if (commits.size === 0) return undefined;
  // files of several commits are a folder of somebody's own
  return {
    files: known,
    ...(commits.size === 1 && known.every(({ etag }) => etag) ? { commit: [...commits][0] } : {}),
  };
}

function etagOf(text: string): string | undefined {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text) ? text : undefined;
}
