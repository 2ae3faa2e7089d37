import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { MirrorError } from '../../shared/model/errors.ts';
import { isFilePath } from './artifact.ts';

/** A file of a folder that is to become a version, or a part of one. */
export interface FolderFile {
  /** In the folder. */
  path: string;
  /** On this machine, links followed. */
  place: string;
  size: number;
  /** What shows that it was changed meanwhile. */
  stamp: string;
}

/** Never part of a version. */
const SKIPPED = new Set(['.git', '.DS_Store']);

/** Every file below a folder, in order. Throws `bad-request` for links that lead out of it, and for what is no file. */
export async function readFolder(folder: string): Promise<FolderFile[]> {
  const root = await realpath(folder).catch((cause) => {
    const { code } = cause as NodeJS.ErrnoException;
    throw new MirrorError('bad-request', 'folder', `${folder} cannot be read (${code})`, { cause });
  });
  if (!(await stat(root)).isDirectory()) throw refused(folder, 'is no folder');
  return walk(root, '');
}

/** Throws `conflict` unless every file is as it was when it was read, and none came or went. */
export async function checkUnchanged(folder: string, before: readonly FolderFile[]): Promise<void> {
  const now = new Map((await readFolder(folder)).map(({ path, stamp }) => [path, stamp]));
  const other =
    before.find(({ path, stamp }) => now.get(path) !== stamp)?.path ??
    [...now.keys()].find((path) => !before.some((file) => file.path === path));
  if (other === undefined) return;
  throw new MirrorError('conflict', 'folder', `${other} changed while it was being read; let it rest, and try again`);
}

async function walk(root: string, below: string): Promise<FolderFile[]> {
  const found: FolderFile[] = [];
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    if (SKIPPED.has(entry.name)) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (!isFilePath(path)) throw refused(path, 'cannot be the name of a file');
    const place = entry.isSymbolicLink() ? await inside(root, path) : join(root, path);
    const facts = await stat(place);
    if (facts.isDirectory()) {
      if (entry.isSymbolicLink()) throw refused(path, 'is a link to a folder; put the folder itself there');
      found.push(...(await walk(root, path)));
    } else if (facts.isFile())
      found.push({ path, place, size: facts.size, stamp: `${facts.ino} ${facts.size} ${facts.mtimeMs}` });
    else throw refused(path, 'is neither a file nor a folder');
  }
  return found;
}

/** Where a link leads, unless that is outside. */
async function inside(root: string, path: string): Promise<string> {
  const target = await realpath(join(root, path)).catch(() => {
    throw refused(path, 'is a link to nothing');
  });
  if (relative(root, target).split(sep)[0] === '..') throw refused(path, 'is a link that leads out of the folder');
  return target;
}

const refused = (path: string, why: string) => new MirrorError('bad-request', 'folder', `"${path}" ${why}`);
