import { stat } from 'node:fs/promises';
import { MirrorError } from '../../shared/model/errors.ts';
import { type FolderFile, filesBelow, realFolder } from '../../shared/storage/folder-files.ts';
import { isFilePath } from './artifact.ts';

/** Every file of a folder that is to become a version, or a part of one. Throws `bad-request`, as `filesBelow` does. */
export async function readFolder(folder: string): Promise<FolderFile[]> {
  const root = await realFolder(folder);
  if (!(await stat(root)).isDirectory()) throw new MirrorError('bad-request', 'folder', `"${folder}" is no folder`);
  return filesBelow(root, { accepts: isFilePath });
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
