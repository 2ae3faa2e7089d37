import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { MirrorError } from '../../../shared/model/errors.ts';
import { readTarIndex, type TarIndex } from './tar-index.ts';

/** Largest document of an archive: manifests and configs, never layers. Bytes. */
const MOST_DOCUMENT = 16 << 20;
const CHUNK = 1 << 20;

/** The files of an archive, or of a folder that is laid out like one. */
export interface ArchiveFiles {
  /** For messages and for where entries say that they come from. */
  label: string;
  names(): string[];
  /** Bytes; undefined for a file that is not there. Links inside are followed. */
  size(name: string): number | undefined;
  open(name: string): Readable;
}

/** A document whole. Throws `not-found`, `too-large`. */
export async function readDocument(files: ArchiveFiles, name: string): Promise<Buffer> {
  const size = files.size(name);
  if (size === undefined) throw new MirrorError('not-found', 'archive', `${files.label} has no ${name}`);
  if (size > MOST_DOCUMENT)
    throw new MirrorError('too-large', 'archive', `${files.label}: ${name} has ${size} bytes, more than any manifest`);
  const chunks: Buffer[] = [];
  for await (const chunk of files.open(name) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The same as JSON. Throws `bad-request`. */
export async function readJson<T>(files: ArchiveFiles, name: string): Promise<T> {
  const bytes = await readDocument(files, name);
  try {
    return JSON.parse(bytes.toString('utf8')) as T;
  } catch (cause) {
    throw new MirrorError('bad-request', 'archive', `${files.label}: ${name} is not JSON`, { cause });
  }
}

/** A tar that can be read at any place: its headers are read once, its bytes where they lie. */
export async function tarFiles(path: string, label: string): Promise<ArchiveFiles> {
  const file = await open(path);
  let index: TarIndex;
  try {
    index = await readTarIndex(file, label);
  } finally {
    await file.close();
  }
  return {
    label,
    names: () => [...index.keys()],
    size: (name) => index.get(name)?.size,
    open(name) {
      const { start, size } = index.get(name)!;
      if (size === 0) return Readable.from([]);
      return createReadStream(path, { start, end: start + size - 1, highWaterMark: CHUNK });
    },
  };
}

/** A folder: an OCI layout that was not packed. Links are not followed: they could lead out of it. */
export async function folderFiles(path: string, label: string): Promise<ArchiveFiles> {
  const sizes = new Map<string, number>();
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    sizes.set(relative(path, file).split(sep).join('/'), (await stat(file)).size);
  }
  return {
    label,
    names: () => [...sizes.keys()],
    size: (name) => sizes.get(name),
    open: (name) => createReadStream(join(path, name), { highWaterMark: CHUNK }),
  };
}

/** The first bytes of a file: enough to tell what it is. */
export async function magicOf(path: string): Promise<'gzip' | 'zstd' | 'tar' | 'other'> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(512), 0, 512, 0);
    return kindOf(buffer);
  } finally {
    await file.close();
  }
}

export function kindOf(head: Buffer): 'gzip' | 'zstd' | 'tar' | 'other' {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return 'zstd';
  return head.subarray(257, 262).toString('latin1') === 'ustar' ? 'tar' : 'other';
}
