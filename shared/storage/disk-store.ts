import { constants, createReadStream, type ReadStream } from 'node:fs';
import { access, copyFile, link, lstat, mkdir, open, realpath, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { type ByteRange, lengthOf } from '../model/byte-range.ts';
import { fromSystemError, MirrorError } from '../model/errors.ts';
import { absentOr, CHUNK, isTaken, readSmall, syncedFile, writeSynced } from './disk-files.ts';
import { DiskLock } from './disk-lock.ts';
import { type Walked, walk } from './disk-walk.ts';
import { FileBody } from './file-body.ts';
import { FolderSyncs } from './folder-syncs.ts';
import type { DeleteOptions, ObjectStat, ObjectStore, PutOptions, PutOutcome } from './object-store.ts';
import { sweepOwned, temporaryName } from './owned-files.ts';
import { LOCAL } from './paths.ts';
import { statOf, syncFolder } from './small-file.ts';

/** Up to this size one read is cheaper than a stream. */
const SMALL = 64 * 1024;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW;

/**
 * Objects as files of a directory. A put writes `tmp/<pid>-<host>-<random>`, syncs it, gives it its name in one step
 * and syncs the folder: it is visible whole or not at all, also after power loss. Files are never written to again, so
 * whoever reads one keeps its bytes. Links in the directory are not followed.
 */
export class DiskStore implements ObjectStore {
  readonly #root: string;
  readonly #tmp: string;
  readonly #lock: DiskLock;
  readonly #syncs = new FolderSyncs();
  /** Folders that are there, and are really inside. */
  readonly #folders = new Set<string>();

  private constructor(root: string) {
    this.#root = root;
    this.#tmp = join(root, 'tmp');
    this.#lock = new DiskLock(join(root, 'locks.sqlite'));
  }

  /**
   * Opens a directory; one that is made here is its owner's alone. Throws `bad-request`, in words for the operator,
   * when it cannot be used.
   */
  static async open(root: string): Promise<DiskStore> {
    try {
      await mkdir(resolve(root), { recursive: true, mode: 0o700 });
      const store = new DiskStore(await realpath(root));
      await mkdir(store.#tmp, { recursive: true, mode: 0o700 });
      await store.check();
      return store;
    } catch (error) {
      throw unusable(root, error);
    }
  }

  async head(key: string): Promise<ObjectStat | undefined> {
    const path = this.#path(key);
    if (!(await this.#isInside(dirname(path)))) return undefined;
    const found = await absentOr(() => lstat(path, { bigint: true }));
    return found?.isFile() ? statOf(found) : undefined;
  }

  async get(key: string, range?: ByteRange): Promise<{ stat: ObjectStat; body: Readable } | undefined> {
    const path = this.#path(key);
    if (!(await this.#isInside(dirname(path)))) return undefined;
    const file = await absentOr(() => open(path, READ));
    if (!file) return undefined;
    try {
      const facts = await file.stat({ bigint: true });
      const found = statOf(facts);
      if (!facts.isFile()) {
        await file.close();
        return undefined;
      }
      const wanted = range ?? { start: 0, end: found.size - 1 };
      if (lengthOf(wanted) <= SMALL) return { stat: found, body: await readSmall(file, wanted) };
      return { stat: found, body: new FileBody(file, wanted) };
    } catch (error) {
      await file.close().catch(() => {});
      throw fromSystemError(error, 'store');
    }
  }

  async locate(key: string): Promise<{ file: string }> {
    this.#path(key);
    return { file: key };
  }

  async put(key: string, body: Readable | Buffer, options: PutOptions = {}): Promise<PutOutcome> {
    const path = join(this.#tmp, temporaryName());
    try {
      const written = await writeSynced(path, body, options.size);
      return await this.#name(path, key, written, options);
    } catch (error) {
      if (!Buffer.isBuffer(body)) body.destroy();
      await rm(path, { force: true });
      throw fromSystemError(error, 'store');
    }
  }

  async putFile(key: string, path: string, size: number): Promise<PutOutcome> {
    try {
      const found = await syncedFile(path);
      if (found.size !== size) {
        throw new MirrorError('internal', 'store', `${size} bytes were announced and ${found.size} are there`);
      }
      return await this.#name(path, key, found, {});
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw fromSystemError(error, 'store');
      return await this.put(key, createReadStream(path, { highWaterMark: CHUNK }) as ReadStream, { size });
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Costs no bytes: files are never written to again, so two names may share one. */
  async copy(from: string, to: string): Promise<boolean> {
    if (!(await this.head(from))) return false;
    const path = join(this.#tmp, temporaryName());
    try {
      const source = this.#path(from);
      await link(source, path).catch(async () => {
        await copyFile(source, path, constants.COPYFILE_FICLONE);
        await syncedFile(path);
      });
      await this.#name(path, to, statOf(await lstat(path, { bigint: true })), {});
      return true;
    } catch (error) {
      throw fromSystemError(error, 'store');
    } finally {
      // Also after success: renaming one name of a file to another of its names does nothing (POSIX rename).
      await rm(path, { force: true });
    }
  }

  async delete(key: string, { ifMatch }: DeleteOptions = {}): Promise<boolean> {
    const path = this.#path(key);
    if (ifMatch !== undefined)
      return this.#lock.hold(async () => (await this.head(key))?.etag === ifMatch && this.delete(key));
    if (await this.#isInside(dirname(path))) await absentOr(() => rm(path, { force: true }));
    return true;
  }

  async touch(key: string, now: Date): Promise<void> {
    if (await this.head(key)) await absentOr(() => utimes(this.#path(key), now, now));
  }

  list(prefix: string, after = ''): AsyncGenerator<Walked> {
    return walk(this.#root, prefix, after);
  }

  async check(): Promise<void> {
    try {
      await access(this.#root, constants.R_OK | constants.W_OK | constants.X_OK);
      await access(this.#tmp, constants.W_OK | constants.X_OK);
    } catch (error) {
      throw unusable(this.#root, error);
    }
  }

  async sweep(): Promise<void> {
    await sweepOwned(this.#tmp);
  }

  async close(): Promise<void> {
    await this.#lock.close();
  }

  #path(key: string): string {
    // Keys are the store's own; this line keeps a mistake above from becoming a way out of the directory.
    const isKey = /^[\w.\-/]+$/.test(key) && !/(^|\/)\.{0,2}(\/|$)/.test(key) && !LOCAL.test(key);
    if (!isKey) throw new MirrorError('internal', 'store', `"${key.slice(0, 200)}" is no key`);
    return join(this.#root, key);
  }

  /** Gives a synced file its name, in one step; or removes it, when the condition does not hold. */
  async #name(path: string, key: string, written: ObjectStat, options: PutOptions): Promise<PutOutcome> {
    const target = this.#path(key);
    const attempt = async () => {
      await this.#makeFolder(dirname(target));
      if (options.ifMatch !== undefined) return this.#lock.hold(() => this.#replace(path, key, options.ifMatch));
      if (options.ifAbsent) return this.#nameOnce(path, key);
      await rename(path, target);
      return true;
    };
    const stored = await attempt().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' || !this.#folders.delete(dirname(target))) throw error;
      return attempt(); // somebody removed the folder that we had made
    });
    if (!stored || options.ifAbsent) await rm(path, { force: true });
    if (!stored) return { stored: false };
    await this.#syncs.sync(dirname(target));
    return { stored: true, etag: written.etag, modified: written.modified };
  }

  async #replace(path: string, key: string, expected: string | undefined): Promise<boolean> {
    if ((await this.head(key))?.etag !== expected) return false;
    await rename(path, this.#path(key));
    return true;
  }

  /** `link` fails when the name is taken, whoever took it; a file system without links takes the lock instead. */
  async #nameOnce(path: string, key: string): Promise<boolean> {
    try {
      return await link(path, this.#path(key)).then(
        () => true,
        (error) => !isTaken(error),
      );
    } catch (error) {
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code!)) throw error;
      return this.#lock.hold(() => this.#replace(path, key, undefined));
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    const first = await mkdir(folder, { recursive: true, mode: 0o750 });
    for (let made = folder; first && made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
    if (!(await this.#isInside(folder))) throw new MirrorError('internal', 'store', 'a folder of the store is missing');
  }

  /** False when the folder is not there. Throws when it leads elsewhere. */
  async #isInside(folder: string): Promise<boolean> {
    if (this.#folders.has(folder)) return true;
    const real = await absentOr(() => realpath(folder));
    if (real === undefined) return false;
    if (real !== folder) {
      const shown = folder.slice(this.#root.length + 1);
      throw new MirrorError(
        'internal',
        'store',
        `the folder ${shown} of the store is a link; put the folder itself there`,
      );
    }
    this.#folders.add(folder);
    return true;
  }
}

function unusable(root: string, cause: unknown): MirrorError {
  if (cause instanceof MirrorError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  const why = code === 'ENOTDIR' || code === 'EEXIST' ? 'it is a file' : `it cannot be read and written (${code})`;
  const message = `the store ${root} cannot be used: ${why}; set "store" to a directory that Larder may write to`;
  return new MirrorError('bad-request', 'store', message, { cause });
}
