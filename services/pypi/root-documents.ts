import { fork } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib';
import type { Coding } from '../../shared/http/coded-body.ts';
import type { Resource } from '../../shared/mirror/resource.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { Format } from './formats.ts';
import type { RootSource } from './root-names.ts';

/** What a list is made of. */
export interface RootParts {
  lists: { origin: string; entry: Entry; source: RootSource }[];
  /** Names beside those of the lists. */
  names: readonly string[];
  serial: number | undefined;
  /** Changes with any of it. */
  stamp: string;
}

export interface RootJob {
  sources: (RootSource & { origin: string; path: string })[];
  names: readonly string[];
  format: Format;
  serial: number | undefined;
  /** The file to write. */
  target: string;
}

export interface RootOutcome {
  failed: { origin: string; reason: string }[];
}

/** Lists that were replaced are kept for so long, for those who still read them. Milliseconds. */
const KEPT = 3_600_000;
/** Milliseconds for one list. */
const LIMIT = 300_000;

const compressors = {
  gzip: () => createGzip(),
  br: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  zstd: () => createZstdCompress(),
};

/**
 * Lists of all names of an index, as files: made once per change by a process of its own, compressed once per coding,
 * named by what they are made of. They outlive a restart.
 */
export class RootDocuments {
  readonly #context: Context<unknown>;
  readonly #folder: string;
  readonly #making = new Map<string, Promise<string>>();

  constructor(context: Context<unknown>) {
    this.#context = context;
    this.#folder = join(context.workDir, 'root-list');
  }

  async open(parts: RootParts, format: Format, coding: Coding, contentType: string): Promise<Resource> {
    const name = `${parts.stamp}.${format}`;
    const plain = await this.#once(name, (target) => this.#render(parts, format, target));
    const path = coding === 'identity' ? plain : await this.#once(`${name}.${coding}`, compress(plain, coding));
    const { size } = await stat(path);
    const etag = `"${parts.stamp}-${format}-${coding}"`;
    const open = async (range?: { start: number; end: number }) =>
      createReadStream(path, { ...range, highWaterMark: 1 << 20 });
    return { facts: { size, mediaType: contentType, etag, headers: {} }, served: 'hit', open };
  }

  /** A file that is there whole, or made now: one at a time, whoever asks. */
  #once(name: string, make: (target: string) => Promise<void>): Promise<string> {
    const running = this.#making.get(name);
    if (running) return running;
    const made = this.#make(name, make).finally(() => this.#making.delete(name));
    this.#making.set(name, made);
    return made;
  }

  async #make(name: string, make: (target: string) => Promise<void>): Promise<string> {
    const path = join(this.#folder, name);
    if (await isThere(path)) return path;
    await mkdir(this.#folder, { recursive: true });
    const target = `${path}.${process.pid}.part`;
    try {
      await make(target);
      await rename(target, path);
    } finally {
      await rm(target, { force: true });
    }
    await this.#sweep(name.split('.', 1)[0]!);
    return path;
  }

  async #render(parts: RootParts, format: Format, target: string): Promise<void> {
    const sources: RootJob['sources'] = [];
    try {
      for (const [number, { origin, entry, source }] of parts.lists.entries()) {
        const path = `${target}.${number}.source`;
        sources.push({ ...source, origin, path });
        await pipeline(await this.#context.blobs.open(entry.digest), createWriteStream(path));
      }
      const { failed } = await runWorker({ sources, names: parts.names, format, serial: parts.serial, target });
      for (const { origin, reason } of failed)
        this.#context.log.warn({ event: 'root-list', origin, reason }, 'the list of an origin could not be read');
    } finally {
      await Promise.all(sources.map(({ path }) => rm(path, { force: true })));
    }
  }

  async #sweep(stamp: string): Promise<void> {
    const oldest = Date.now() - KEPT;
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (!name.startsWith(stamp) && (await modified(path)) < oldest) await rm(path, { force: true });
    }
  }
}

function compress(plain: string, coding: Exclude<Coding, 'identity'>): (target: string) => Promise<void> {
  return (target) => pipeline(createReadStream(plain), compressors[coding](), createWriteStream(target));
}

async function isThere(path: string): Promise<boolean> {
  return (await modified(path)) > 0;
}

async function modified(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

function runWorker(job: RootJob): Promise<RootOutcome> {
  return new Promise((resolve, reject) => {
    const worker = fork(new URL('./root-worker.ts', import.meta.url), {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      timeout: LIMIT,
    });
    const failed = (cause: unknown) =>
      reject(new MirrorError('internal', 'list', 'the list of all projects could not be made', { cause }));
    worker.once('message', (outcome) => resolve(outcome as RootOutcome));
    worker.once('error', failed);
    worker.once('exit', (code, signal) => failed(new Error(`its process ended (${signal ?? code})`)));
    worker.send(job, (error) => error && failed(error));
  });
}
