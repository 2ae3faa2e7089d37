import type { BigIntStats } from 'node:fs';
import { createReadStream } from 'node:fs';
import { access, constants, type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { type ByteRange, lengthOf } from '../model/byte-range.ts';
import { fromSystemError, MirrorError } from '../model/errors.ts';
import type { ObjectStat, ObjectStore, PutOptions, PutOutcome } from './object-store.ts';
import { sweepOwned, temporaryName } from './owned-files.ts';

const CHUNK = 1 << 20;
/** Up to this size one read is cheaper than a stream. */
const SMALL = 64 * 1024;
/** How long a writer waits for another that replaces the same object under a condition, in milliseconds. */
const LOCK_LIMIT = 10_000;

/**
 * Objects as files of a directory. A put writes `tmp/<pid>-<random>`, syncs it, gives it its name in one step and syncs
 * the folder: it is visible whole or not at all, also after power loss.
 */
export class DiskStore implements ObjectStore {
  readonly #root: string;
  readonly #tmp: string;
  readonly #folders = new Set<string>();

  private constructor(root: string) {
    this.#root = root;
    this.#tmp = join(root, 'tmp');
  }

  /** Opens a directory, making it when it is not there. Throws `bad-request` in words for the operator. */
  static async open(root: string): Promise<DiskStore> {
    const store = new DiskStore(resolve(root));
    try {
      await mkdir(store.#tmp, { recursive: true });
    } catch (error) {
      throw unusable(root, error);
    }
    await store.check();
    return store;
  }

  async head(key: string): Promise<ObjectStat | undefined> {
    return absent(async () => statOf(await stat(this.#path(key), { bigint: true })));
  }

  async get(key: string, range?: ByteRange): Promise<{ stat: ObjectStat; body: Readable } | undefined> {
    const file = await absent(() => open(this.#path(key), 'r'));
    if (!file) return undefined;
    try {
      const found = statOf(await file.stat({ bigint: true }));
      const wanted = range ?? { start: 0, end: found.size - 1 };
      if (lengthOf(wanted) <= SMALL) return { stat: found, body: await readSmall(file, wanted) };
      const body = file.createReadStream({ start: wanted.start, end: wanted.end, highWaterMark: CHUNK });
      return { stat: found, body };
    } catch (error) {
      await file.close();
      throw fromSystemError(error, 'store');
    }
  }

  async put(key: string, body: Readable | Buffer, options: PutOptions = {}): Promise<PutOutcome> {
    const path = join(this.#tmp, temporaryName());
    try {
      await writeSynced(path, body, options.size);
      return await this.#name(path, key, options);
    } catch (error) {
      if (!Buffer.isBuffer(body)) body.destroy();
      throw fromSystemError(error, 'store');
    } finally {
      await rm(path, { force: true });
    }
  }

  async putFile(key: string, path: string, size: number): Promise<PutOutcome> {
    try {
      const file = await open(path, 'r+');
      try {
        const found = (await file.stat()).size;
        if (found !== size)
          throw new MirrorError('internal', 'store', `${size} bytes were announced and ${found} are there`);
        await file.sync();
      } finally {
        await file.close();
      }
      return await this.#name(path, key, {});
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw fromSystemError(error, 'store');
      return await this.put(key, createReadStream(path, { highWaterMark: CHUNK }), { size });
    } finally {
      await rm(path, { force: true });
    }
  }

  async copy(from: string, to: string): Promise<boolean> {
    const found = await this.get(from);
    if (!found) return false;
    await this.put(to, found.body, { size: found.stat.size });
    return true;
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  async *list(prefix: string, after = ''): AsyncGenerator<{ key: string; size: number; modified: Date }> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    yield* this.#walk(folder, prefix, after);
  }

  async check(): Promise<void> {
    try {
      await access(this.#root, constants.R_OK | constants.W_OK | constants.X_OK);
      await access(this.#tmp, constants.W_OK);
    } catch (error) {
      throw unusable(this.#root, error);
    }
  }

  async sweep(): Promise<void> {
    await sweepOwned(this.#tmp);
    await sweepOwned(join(this.#root, 'locks'));
  }

  async close(): Promise<void> {}

  #path(key: string): string {
    // Keys are the store's own; this line keeps a mistake above from becoming a way out of the directory.
    if (!/^(?!.*(^|\/)\.{0,2}(\/|$))[\w.\-/]+$/.test(key))
      throw new MirrorError('internal', 'store', `"${key}" is no key`);
    return join(this.#root, key);
  }

  /** Gives a synced file its name, in one step. */
  async #name(path: string, key: string, options: PutOptions): Promise<PutOutcome> {
    const target = this.#path(key);
    await this.#makeFolder(dirname(target));
    if (options.ifMatch !== undefined) return this.#replace(path, key, options.ifMatch);
    if (options.ifAbsent) {
      // link fails when the name is taken, whoever took it
      const taken = await link(path, target).then(() => false, isTaken);
      if (taken) return { stored: false };
    } else {
      await rename(path, target);
    }
    await syncFolder(dirname(target));
    return { stored: true, etag: statOf(await stat(target, { bigint: true })).etag };
  }

  async #replace(path: string, key: string, expected: string): Promise<PutOutcome> {
    const release = await this.#lock(key);
    try {
      if ((await this.head(key))?.etag !== expected) return { stored: false };
      return await this.#name(path, key, {});
    } finally {
      await release();
    }
  }

  async #lock(key: string): Promise<() => Promise<void>> {
    const folder = join(this.#root, 'locks');
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${key.replaceAll('/', '_').slice(-200)}`);
    const until = Date.now() + LOCK_LIMIT;
    for (;;) {
      const taken = await mkdir(path).then(() => false, isTaken);
      if (!taken) return () => rm(path, { recursive: true, force: true });
      const age = await absent(async () => Date.now() - (await stat(path)).mtimeMs);
      if (age !== undefined && age > LOCK_LIMIT) await rm(path, { recursive: true, force: true });
      if (Date.now() > until) throw new MirrorError('unavailable', 'store', `${key} is being written by another`);
      await new Promise((done) => setTimeout(done, 5 + Math.random() * 10));
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    const first = await mkdir(folder, { recursive: true });
    if (first) await syncFolder(dirname(first));
    this.#folders.add(folder);
  }

  /** In order of keys: `a/` sorts by its slash, as keys do. */
  async *#walk(
    folder: string,
    prefix: string,
    after: string,
  ): AsyncGenerator<{ key: string; size: number; modified: Date }> {
    const entries = await absent(() => readdir(join(this.#root, folder), { withFileTypes: true }));
    const names = (entries ?? []).map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
    for (const name of names) {
      const key = folder + name;
      if (!key.startsWith(prefix) && !prefix.startsWith(key)) continue;
      if (
        folder === '' &&
        (name === 'tmp/' ||
          name === 'locks/' ||
          name === 'spool/' ||
          name === 'work/' ||
          name.startsWith('index.sqlite'))
      )
        continue;
      if (name.endsWith('/')) {
        if (after < key || after.startsWith(key)) yield* this.#walk(key, prefix, after);
      } else if (key > after) {
        const found = await this.head(key);
        if (found) yield { key, size: found.size, modified: found.modified };
      }
    }
  }
}

async function readSmall(file: FileHandle, range: ByteRange): Promise<Readable> {
  const bytes = Buffer.allocUnsafe(Math.max(0, lengthOf(range)));
  let read = 0;
  while (read < bytes.length) {
    const { bytesRead } = await file.read(bytes, read, bytes.length - read, range.start + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  await file.close();
  return Readable.from(read > 0 ? [bytes.subarray(0, read)] : [], { objectMode: false });
}

async function writeSynced(path: string, body: Readable | Buffer, size: number | undefined): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    let written = 0;
    for await (const chunk of Buffer.isBuffer(body) ? [body] : (body as AsyncIterable<Buffer>)) {
      await writeWhole(file, chunk);
      written += chunk.length;
    }
    if (size !== undefined && size !== written) {
      throw new MirrorError('internal', 'store', `${size} bytes were announced and ${written} came`);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeWhole(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    written += (await file.write(chunk, written, chunk.length - written)).bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The etag changes with every write: a name is always given to a new file. */
function statOf(found: BigIntStats): ObjectStat {
  const etag = `${found.ino.toString(36)}-${found.mtimeNs.toString(36)}-${found.size.toString(36)}`;
  return { size: Number(found.size), etag, modified: new Date(Number(found.mtimeMs)) };
}

async function absent<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fromSystemError(error, 'store');
  }
}

function isTaken(error: NodeJS.ErrnoException): true {
  if (error.code === 'EEXIST') return true;
  throw error;
}

function unusable(root: string, cause: unknown): MirrorError {
  const { code } = cause as NodeJS.ErrnoException;
  const why = code === 'ENOTDIR' || code === 'EEXIST' ? 'it is not a directory' : `it cannot be written to (${code})`;
  return new MirrorError(
    'bad-request',
    'store',
    `the store ${root} cannot be used: ${why}; set "store" to a directory that is ours`,
    { cause },
  );
}
