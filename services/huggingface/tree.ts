import { MirrorError } from '../../shared/model/errors.ts';

/** A file of a commit, as the hub's tree has it. */
export interface TreeFile {
  path: string;
  /** Bytes. */
  size: number;
  /** git's blob id: of the pointer, for a large file. */
  oid: string;
  lfs?: { oid: string; size: number; pointerSize: number };
}

export interface TreeFolder {
  path: string;
  /** git's tree id. */
  oid: string;
}

/** All that a commit holds, by path. */
export interface Tree {
  files: Map<string, TreeFile>;
  folders: Map<string, TreeFolder>;
  /** Paths of both in the order in which pages go through them. */
  paths: string[];
}

interface Line {
  type?: unknown;
  path?: unknown;
  size?: unknown;
  oid?: unknown;
  lfs?: { oid?: unknown; sha256?: unknown; size?: unknown; pointerSize?: unknown };
}

/** Reads a tree document: one entry a line. Throws `corrupt` for lines that are no entries. */
export function parseTree(bytes: Buffer): Tree {
  const tree: Tree = { files: new Map(), folders: new Map(), paths: [] };
  for (const text of bytes.toString('utf8').split('\n')) {
    if (text !== '') addLine(tree, JSON.parse(text) as Line);
  }
  tree.paths = [...tree.files.keys(), ...tree.folders.keys()].sort(compare);
  return tree;
}

function addLine(tree: Tree, { type, path, size, oid, lfs }: Line): void {
  if (typeof path !== 'string' || typeof oid !== 'string')
    throw new MirrorError('corrupt', 'tree', 'an entry has no path');
  if (type === 'directory') {
    tree.folders.set(path, { path, oid });
    return;
  }
  if (type !== 'file') return;
  const sha256 = lfs?.oid ?? lfs?.sha256;
  const large =
    typeof sha256 === 'string'
      ? { lfs: { oid: sha256, size: Number(lfs!.size), pointerSize: Number(lfs!.pointerSize ?? 0) } }
      : {};
  tree.files.set(path, { path, size: Number(size), oid, ...large });
}

/** Writes one: folders and files, a line each. */
export function writeTree(files: Iterable<TreeFile>, folders: ReadonlyMap<string, string>): Buffer {
  const lines: string[] = [];
  for (const [path, oid] of folders)
    if (path !== '') lines.push(JSON.stringify({ type: 'directory', path, size: 0, oid }));
  for (const file of files) lines.push(JSON.stringify({ type: 'file', ...file }));
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** Paths below a folder (`''`: all), its own level alone unless `recursive`. Undefined: there is no such folder. */
export function pathsUnder(tree: Tree, folder: string, recursive: boolean): string[] | undefined {
  if (folder !== '' && !tree.folders.has(folder) && !hasBelow(tree, folder)) return undefined;
  const prefix = folder === '' ? '' : `${folder}/`;
  const from = prefix === '' ? 0 : firstAtLeast(tree.paths, prefix);
  const found: string[] = [];
  for (let index = from; index < tree.paths.length; index += 1) {
    const path = tree.paths[index]!;
    if (!path.startsWith(prefix)) break;
    if (recursive || !path.includes('/', prefix.length)) found.push(path);
  }
  return found;
}

function hasBelow(tree: Tree, folder: string): boolean {
  const at = firstAtLeast(tree.paths, `${folder}/`);
  return tree.paths[at]?.startsWith(`${folder}/`) ?? false;
}

function firstAtLeast(paths: readonly string[], wanted: string): number {
  let [low, high] = [0, paths.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (paths[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** A name cannot be a file and a folder: throws `bad-request`. */
export function checkFolders(files: ReadonlyMap<string, TreeFile>): void {
  for (const path of files.keys()) {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
      if (files.has(path.slice(0, at)))
        throw new MirrorError('bad-request', 'file', `"${path.slice(0, at)}" cannot be a file and a folder`);
    }
  }
}
