import { createHash, type Hash } from 'node:crypto';

/**
 * Ids of git's objects (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects): sha1 over `<type> <size>\0<body>`.
 * A hub shows them for every file, folder and commit, and clients compare what they downloaded with them.
 */

/** Begins the id of a blob whose bytes are to come. */
export function blobHash(size: number): Hash {
  return createHash('sha1').update(`blob ${size}\0`);
}

export function blobId(bytes: Buffer): string {
  return blobHash(bytes.length).update(bytes).digest('hex');
}

/** The text that stands in git for a large file (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). */
export function pointerText(sha256: string, size: number): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
}

/** A file as a tree has it: the id of its bytes, or of its pointer. */
export interface TreeFile {
  path: string;
  oid: string;
}

/** Ids of all folders by their path, `''` for the root. */
export function treeIds(files: Iterable<TreeFile>): Map<string, string> {
  const root: Folder = { folders: new Map(), files: new Map() };
  for (const { path, oid } of files) {
    const names = path.split('/');
    let folder = root;
    for (const name of names.slice(0, -1)) {
      const next = folder.folders.get(name) ?? { folders: new Map(), files: new Map() };
      folder.folders.set(name, next);
      folder = next;
    }
    folder.files.set(names.at(-1)!, oid);
  }
  const ids = new Map<string, string>();
  writeTree(root, '', ids);
  return ids;
}

interface Folder {
  folders: Map<string, Folder>;
  files: Map<string, string>;
}

function writeTree(folder: Folder, path: string, ids: Map<string, string>): string {
  const lines: { order: string; line: Buffer }[] = [];
  for (const [name, oid] of folder.files) lines.push({ order: name, line: treeLine('100644', name, oid) });
  for (const [name, inner] of folder.folders) {
    const oid = writeTree(inner, path === '' ? name : `${path}/${name}`, ids);
    // git orders a folder as if its name ended in a slash
    lines.push({ order: `${name}/`, line: treeLine('40000', name, oid) });
  }
  lines.sort((one, other) => Buffer.compare(Buffer.from(one.order), Buffer.from(other.order)));
  const body = Buffer.concat(lines.map(({ line }) => line));
  const id = createHash('sha1').update(`tree ${body.length}\0`).update(body).digest('hex');
  ids.set(path, id);
  return id;
}

function treeLine(mode: string, name: string, oid: string): Buffer {
  return Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')]);
}

export interface CommitFacts {
  /** Id of the root tree. */
  tree: string;
  parents: readonly string[];
  /** A person or a token's name. */
  author: string;
  /** Milliseconds since the epoch. */
  at: number;
  message: string;
}

export function commitId({ tree, parents, author, at, message }: CommitFacts): string {
  const name = author.replace(/[<>\n\0]/g, ' ').trim() || 'larder';
  const stamp = `${name} <${name.replace(/\s+/g, '.')}@larder.invalid> ${Math.floor(at / 1000)} +0000`;
  const lines = [
    `tree ${tree}`,
    ...parents.map((parent) => `parent ${parent}`),
    `author ${stamp}`,
    `committer ${stamp}`,
  ];
  const body = Buffer.from(`${lines.join('\n')}\n\n${message}\n`);
  return createHash('sha1').update(`commit ${body.length}\0`).update(body).digest('hex');
}
