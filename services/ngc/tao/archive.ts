import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { basename, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { BlobStore } from '../../../shared/storage/blob-store.ts';
import { eachSideBySide } from '../../../shared/storage/side-by-side.ts';
import { isFilePath } from '../artifact.ts';
import type { KeptBytes } from '../local-versions.ts';

/** Files up to so many bytes are kept side by side: each waits for the disk. */
const SMALL = 64 << 10;
const AT_ONCE = 8;
/** Files of one archive: their names are in memory. */
const MOST_FILES = 1_000_000;
const MOST_HOPS = 10;

export type KeptFile = KeptBytes & { size: number };

export interface ReadOptions {
  signal?: AbortSignal;
  /** Told of every file whose bytes are in the store. */
  read?(path: string, size: number): void;
}

/**
 * Reads an archive once, as it comes, gzipped or not: every file's bytes go into the store, and none of them has a name
 * yet. Memory is that of the names, whatever the files are. What `<archive>.sha256` says is held against the archive.
 * Throws `bad-request` for what is no tar, is cut off, or has names that lead out of it; `corrupt` for another sha256.
 */
export async function readArchive(
  blobs: BlobStore,
  path: string,
  options: ReadOptions = {},
): Promise<{ files: Map<string, KeptFile>; checked: boolean }> {
  const label = basename(path);
  const promised = await promisedHash(path);
  const isGzip = await startsLikeGzip(path);
  const hash = createHash('sha256');
  const hashed = async function* (body: AsyncIterable<Buffer>) {
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const untar = extract();
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  const fed = isGzip ? pipeline(file, hashed, createGunzip(), untar) : pipeline(file, hashed, untar);
  // whoever reads what comes out is told of it there
  fed.catch(() => undefined);
  const files = await keepAll(blobs, untar, label, options).catch((error) => {
    options.signal?.throwIfAborted();
    if (error instanceof MirrorError) throw error;
    throw broken(label, 'it is no tar, is damaged, or is cut off', error);
  });
  await fed;
  const found = hash.digest('hex');
  if (promised !== undefined && promised !== found) {
    const words = `${label} is damaged or another one: its .sha256 says ${promised}, and it is ${found}. Nothing was imported`;
    throw new MirrorError('corrupt', 'archive', words);
  }
  return { files, checked: promised !== undefined };
}

type Untar = ReturnType<typeof extract>;
interface Small {
  path: string;
  bytes: Buffer;
}

async function keepAll(
  blobs: BlobStore,
  untar: Untar,
  label: string,
  { signal, read }: ReadOptions,
): Promise<Map<string, KeptFile>> {
  const files = new Map<string, KeptFile>();
  const links = new Map<string, string>();
  const keep = async (path: string, body: AsyncIterable<Buffer>) => {
    const wish = { subject: 'file', more: [{ name: 'md5', algorithm: 'md5' }], signal };
    const { digest, size, hashes } = await blobs.ingest(body, wish);
    files.set(path, { digest, size, md5: hashes.get('md5')! });
    read?.(path, size);
  };
  const small = async function* (): AsyncGenerator<Small> {
    for await (const entry of untar) {
      signal?.throwIfAborted();
      const { header } = entry;
      const path = pathOf(header, label);
      const body = entry as unknown as AsyncIterable<Buffer>;
      if (header.type === 'symlink' || header.type === 'link') links.set(path, linkTarget(path, header));
      else if (header.type !== 'directory' && path !== '') {
        if (header.type !== 'file' && header.type !== 'contiguous-file' && header.type !== null)
          throw broken(label, `"${path}" in it is neither a file nor a folder`);
        if (files.size >= MOST_FILES) throw broken(label, `it has more than ${MOST_FILES} files`);
        if ((header.size ?? 0) > SMALL) await keep(path, body);
        else yield { path, bytes: await wholeOf(body) };
        continue;
      }
      entry.resume();
    }
  };
  await eachSideBySide(small(), AT_ONCE, ({ path, bytes }) => keep(path, one(bytes)));
  for (const path of links.keys()) files.set(path, followed(path, links, files, label));
  return files;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length > 0) yield bytes;
}

async function wholeOf(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `./a/b` is `a/b`. Throws for a name that leads out of the archive. */
function pathOf({ name, type }: Header, label: string): string {
  const plain = name.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
  if (plain === '' || plain === '.') return '';
  if (!isFilePath(plain) && !(type === 'directory' && isFilePath(posix.normalize(plain))))
    throw broken(label, `the name "${name.slice(0, 200)}" leads out of it, or is none`);
  return plain;
}

/** A hard link names its target from the top, a symbolic one from where it stands. */
function linkTarget(path: string, { type, linkname }: Header): string {
  const target = linkname ?? '';
  if (type === 'link') return posix.normalize(target);
  return target.startsWith('/') ? target : posix.join(posix.dirname(path), target);
}

function followed(
  path: string,
  links: ReadonlyMap<string, string>,
  files: ReadonlyMap<string, KeptFile>,
  label: string,
): KeptFile {
  let at: string | undefined = path;
  for (let hops = 0; at !== undefined && hops < MOST_HOPS; hops += 1) {
    at = links.get(at);
    const file = at === undefined ? undefined : files.get(at);
    if (file) return file;
  }
  throw broken(label, `"${path}" in it is a link that leads to no file of it`);
}

/** What `sha256sum archive > archive.sha256` wrote. */
async function promisedHash(path: string): Promise<string | undefined> {
  const text = await readFile(`${path}.sha256`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw broken(`${basename(path)}.sha256`, `it cannot be read (${error.code})`, error);
  });
  if (text === undefined) return undefined;
  const found = /^\\?([0-9a-fA-F]{64})(\s|$)/.exec(text.trimStart());
  if (!found) throw broken(`${basename(path)}.sha256`, 'it is to begin with 64 hex digits, as sha256sum writes it');
  return found[1]!.toLowerCase();
}

async function startsLikeGzip(path: string): Promise<boolean> {
  const file = await open(path).catch((cause) => {
    throw broken(basename(path), `it cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  });
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

const broken = (label: string, why: string, cause?: unknown) =>
  new MirrorError('bad-request', 'archive', `${label}: ${why}`, { cause });
