import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { MirrorError } from '../model/errors.ts';

/** A file of a folder of somebody's, which is to come into the store. */
export interface FolderFile {
  /** In the folder, with plain slashes. */
  path: string;
  /** On this machine, links followed. */
  place: string;
  size: number;
  /** What shows that it was changed meanwhile. */
  stamp: string;
  /** What stands in it, where it is a link. */
  link?: string;
}

/** Never part of what people mean. */
const SKIPPED = new Set(['.git', '.DS_Store']);

/** The folder itself, links followed. Throws `bad-request` when it cannot be read. */
export async function realFolder(folder: string): Promise<string> {
  return realpath(folder).catch((cause) => {
    const { code } = cause as NodeJS.ErrnoException;
    throw new MirrorError('bad-request', 'folder', `${folder} cannot be read (${code})`, { cause });
  });
}

/**
 * Every file below `root`, in order. Throws `bad-request` for links that lead out of it, for what is no file, and for
 * names that are not accepted.
 * @param root as `realFolder` has it
 * @param options.border links may lead as far as this; `root` when unset
 * @param options.accepts false for a path that cannot be the name of a file where it is going
 */
export async function filesBelow(
  root: string,
  options: { border?: string; accepts(path: string): boolean },
): Promise<FolderFile[]> {
  return walk(root, '', { border: root, ...options });
}

async function walk(
  root: string,
  below: string,
  rule: { border: string; accepts(path: string): boolean },
): Promise<FolderFile[]> {
  const found: FolderFile[] = [];
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    if (SKIPPED.has(entry.name)) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (!rule.accepts(path)) throw refused(path, 'cannot be the name of a file');
    const named = join(root, path);
    const isLink = entry.isSymbolicLink();
    const place = isLink ? await inside(named, path, rule.border) : named;
    const facts = await stat(place);
    if (facts.isDirectory()) {
      if (isLink) throw refused(path, 'is a link to a folder; put the folder itself there');
      found.push(...(await walk(root, path, rule)));
    } else if (facts.isFile()) {
      const stamp = `${facts.ino} ${facts.size} ${facts.mtimeMs}`;
      found.push({ path, place, size: facts.size, stamp, ...(isLink ? { link: await readlink(named) } : {}) });
    } else throw refused(path, 'is neither a file nor a folder');
  }
  return found;
}

/** Where a link leads, unless that is outside. */
async function inside(place: string, path: string, border: string): Promise<string> {
  const target = await realpath(place).catch(() => {
    throw refused(path, 'is a link to nothing');
  });
  if (relative(border, target).split(sep)[0] === '..') throw refused(path, 'is a link that leads out of the folder');
  return target;
}

function refused(path: string, why: string): MirrorError {
  return new MirrorError('bad-request', 'folder', `"${path}" ${why}`);
}
