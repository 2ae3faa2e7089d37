import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MirrorError } from '../model/errors.ts';
import { isFolder, isMember } from './layout.ts';

/**
 * Every file of a bundle's folder with its size, by its path inside. Anything that has no place in a bundle (links,
 * devices, other names, hidden files, a folder too many) throws `bad-request`: a bundle is read by an allow-list.
 */
export async function scanTree(dir: string): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  await walk(dir, '', files);
  return files;
}

async function walk(dir: string, folder: string, files: Map<string, number>): Promise<void> {
  for (const entry of await readdir(join(dir, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!isFolder(path)) throw stranger(path, 'a folder');
      await walk(dir, path, files);
    } else if (!entry.isFile()) {
      throw stranger(path, entry.isSymbolicLink() ? 'a link' : 'no regular file');
    } else {
      if (!isMember(path)) throw stranger(path, 'a file');
      files.set(path, (await lstat(join(dir, path))).size);
    }
  }
}

function stranger(path: string, what: string): MirrorError {
  const shown = JSON.stringify(path.slice(0, 200));
  return new MirrorError(
    'bad-request',
    'bundle',
    `${shown} is ${what} that has no place in a bundle; nothing was read from it`,
  );
}
