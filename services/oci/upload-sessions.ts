import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Measured, PromiseCheck } from '../../shared/model/digest.ts';
import { fromSystemError, MirrorError } from '../../shared/model/errors.ts';
import type { BlobStore } from '../../shared/storage/blob-store.ts';
import { synced, writeStream } from '../../shared/storage/disk-files.ts';
import { temporaryName } from '../../shared/storage/owned-files.ts';
import { type Algorithm, algorithmOf, promisedBy } from './digests.ts';

/** Uploads that may be under way at once; each has a file. */
const MOST = 5000;
/** Milliseconds between two looks for those that were given up. */
const SWEEP = 600_000;

interface Options {
  blobs: BlobStore;
  now(): number;
  /** Seconds without a request after which one is given up. */
  idleSeconds: number;
  mostBytes: number;
}

/** A blob that is on its way here in pieces. It lives in this process: after a restart its client begins anew. */
export class UploadSession {
  readonly id = randomUUID();
  readonly repository: string;
  /** Bytes that are here. */
  size = 0;
  touchedAt: number;
  /** One piece at a time. */
  busy = false;
  readonly path: string;
  readonly #check: PromiseCheck;
  readonly #algorithm: Algorithm;
  #file: FileHandle | undefined;

  /** @param check measures by `algorithm`, too */
  constructor(repository: string, path: string, now: number, algorithm: Algorithm, check: PromiseCheck) {
    this.repository = repository;
    this.path = path;
    this.touchedAt = now;
    this.#algorithm = algorithm;
    this.#check = check;
  }

  /** Adds what arrives. What came before a connection broke stays, and the client may go on from there. */
  async append(body: AsyncIterable<Buffer>, mostBytes: number): Promise<void> {
    this.#file ??= await open(this.path, 'wx', 0o640);
    let broken: unknown;
    const taken = async function* (this: UploadSession): AsyncGenerator<Buffer> {
      try {
        for await (const chunk of body) {
          if (this.size + chunk.length > mostBytes)
            throw new MirrorError('too-large', 'upload', `a blob has at most ${mostBytes} bytes here (oci.blobBytes)`);
          this.#check.update(chunk);
          this.size += chunk.length;
          yield chunk;
        }
      } catch (error) {
        broken = error;
      }
    };
    await writeStream(this.#file, taken.call(this));
    if (broken) throw broken;
  }

  /** Takes what arrived to the disk. @returns what it turned out to be, or undefined when that takes another look */
  async complete(digest: string): Promise<Measured | undefined> {
    this.#file ??= await open(this.path, 'wx', 0o640);
    await synced(this.#file);
    await this.close();
    const algorithm = algorithmOf(digest);
    if (algorithm === 'sha512' && this.#algorithm !== 'sha512') return undefined;
    return this.#check.measured(promisedBy(digest), 'blob');
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** The uploads that are under way. Those that nobody goes on with are given up. */
export class UploadSessions {
  readonly #options: Options;
  readonly #sessions = new Map<string, UploadSession>();
  /** Also where nobody begins another one, bytes that nobody goes on with are to go. */
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  async start(repository: string, algorithm: Algorithm = 'sha256'): Promise<UploadSession> {
    // what cannot be removed now goes when the store is opened next
    this.#sweeper ??= setInterval(() => void this.#sweep().catch(() => undefined), SWEEP).unref();
    await this.#sweep();
    if (this.#sessions.size >= MOST)
      throw new MirrorError('unavailable', 'upload', `${MOST} uploads are under way already`, { retryAfter: 10 });
    const { spoolDir } = this.#options.blobs;
    await mkdir(spoolDir, { recursive: true });
    const path = join(spoolDir, temporaryName('.upload'));
    // what it promises is said at its end; the hash has to know now which one that will be
    const check = await PromiseCheck.start(algorithm === 'sha512' ? { sha512: '-' } : undefined);
    const session = new UploadSession(repository, path, this.#options.now(), algorithm, check);
    this.#sessions.set(session.id, session);
    return session;
  }

  /** Undefined for one that is over, was given up, or belongs to another repository. */
  get(repository: string, id: string): UploadSession | undefined {
    const session = this.#sessions.get(id);
    if (session?.repository !== repository) return undefined;
    session.touchedAt = this.#options.now();
    return session;
  }

  /** Adds a piece. Throws `conflict` while another one is on its way; a disk that fails ends the upload. */
  async append(session: UploadSession, body: AsyncIterable<Buffer>): Promise<void> {
    await this.#alone(session, async () => {
      try {
        await session.append(body, this.#options.mostBytes);
      } catch (error) {
        const isClients = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
        if (!isClients) await this.#remove(session);
        throw isClients
          ? new MirrorError('bad-request', 'upload', 'the connection broke off', { cause: error })
          : fromSystemError(error, 'upload');
      }
    });
  }

  /** Ends an upload: its bytes are in the store, or it is gone. Throws `corrupt` for other bytes than were promised. */
  async finish(session: UploadSession, digest: string): Promise<Measured> {
    const { blobs } = this.#options;
    return this.#alone(session, async () => {
      try {
        const measured = await session.complete(digest);
        if (!measured) return await this.#measureAgain(session, digest);
        await blobs.putFile(measured.digest, measured.size, session.path);
        return measured;
      } catch (error) {
        throw fromSystemError(error, 'upload');
      } finally {
        await this.#remove(session);
      }
    });
  }

  /** It was measured by another algorithm than it is called by in the end. */
  async #measureAgain(session: UploadSession, digest: string): Promise<Measured> {
    const file = await open(session.path);
    const body = file.createReadStream({ highWaterMark: 1 << 20 });
    return this.#options.blobs.ingest(body, { subject: 'blob', promised: [promisedBy(digest)] });
  }

  async cancel(session: UploadSession): Promise<void> {
    await this.#remove(session);
  }

  /** How many there are. */
  get count(): number {
    return this.#sessions.size;
  }

  /** Ends all of them: their clients begin anew elsewhere. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    for (const session of this.#sessions.values()) await this.#remove(session);
  }

  async #alone<T>(session: UploadSession, work: () => Promise<T>): Promise<T> {
    if (session.busy) throw new MirrorError('conflict', 'upload', 'another piece of this upload is still on its way');
    session.busy = true;
    try {
      return await work();
    } finally {
      session.busy = false;
      session.touchedAt = this.#options.now();
    }
  }

  async #remove(session: UploadSession): Promise<void> {
    this.#sessions.delete(session.id);
    await session.close().catch(() => undefined);
    await rm(session.path, { force: true });
  }

  async #sweep(): Promise<void> {
    const { now, idleSeconds } = this.#options;
    for (const session of this.#sessions.values())
      if (!session.busy && session.touchedAt < now() - idleSeconds * 1000) await this.#remove(session);
  }
}
