import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import { MirrorError } from '../model/errors.ts';
import type { HashWish } from '../model/running-hash.ts';

/** What a thread is told, of a stream that has an id. */
export type Said = { id: number } & ({ wishes: HashWish[] } | { bytes: Uint8Array } | { over: 'finish' | 'drop' });
/** What it tells. */
export type Told = { id: number } & ({ added: true } | { found: Map<string, Uint8Array> } | { failed: string });

/** Bytes of a piece of shared memory, and how many each stream has in turn. */
export const PIECE = 1 << 20;
const PIECES = 3;
/** Streams that are hashed in threads at once: two cores have no more to give, and each has memory of its own. */
const MOST = 8;
/** MiB: a thread makes next to nothing of its own, and left alone V8 lets it grow before it tidies up. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 48 };
const CACHE = getCompileCacheDir();
/** Milliseconds after which threads that nobody needs end. */
const IDLE = 10_000;

interface Waiting {
  resolve(found: Map<string, Uint8Array> | undefined): void;
  reject(error: Error): void;
}

/** One thread, and who waits for its answers: those about one stream come in the order they were asked for. */
class HashThread {
  readonly #worker = new Worker(new URL('./hash-thread.ts', import.meta.url), {
    resourceLimits: LIMITS,
    // a thread does not inherit the cache, and to strip types it would load what takes 16 MB
    env: CACHE === undefined ? {} : { NODE_COMPILE_CACHE: CACHE },
  });
  readonly #waiting = new Map<number, Waiting[]>();
  broken = false;

  constructor() {
    this.#worker.on('message', (told: Told) => {
      const queue = this.#waiting.get(told.id) ?? [];
      const waiting = queue.shift();
      if (queue.length === 0) this.#waiting.delete(told.id);
      if ('failed' in told) waiting?.reject(failed(told.failed));
      else waiting?.resolve('found' in told ? told.found : undefined);
    });
    const ended = (error: unknown) => {
      this.broken = true;
      for (const all of this.#waiting.values()) for (const { reject } of all) reject(failed(String(error)));
      this.#waiting.clear();
    };
    this.#worker.on('error', ended);
    this.#worker.on('exit', ended);
  }

  tell(said: Said): void {
    this.#worker.postMessage(said);
  }

  ask(said: Said): Promise<Map<string, Uint8Array> | undefined> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(said.id) ?? [];
      this.#waiting.set(said.id, waiting);
      waiting.push({ resolve, reject });
      this.#worker.postMessage(said);
    });
  }

  /** Keeps the process alive, or no longer: a command is over when its work is, and not before. */
  hold(held: boolean): void {
    if (held) this.#worker.ref();
    else this.#worker.unref();
  }

  end(): void {
    void this.#worker.terminate();
  }
}

const failed = (why: string) => new MirrorError('internal', 'store', `a thread that hashes failed: ${why}`);

let threads: [HashThread, HashThread] | undefined;
let leased = 0;
let ids = 0;
let idle: NodeJS.Timeout | undefined;
const pieces: Buffer[] = [];

/**
 * Hashes of one long stream, worked out in two threads beside it: sha256 in one, all others in the other. On two cores
 * an upload that needs MD5 as well takes half the time (reference s3.md §4).
 */
export class SideHashes {
  /** Shared memory, to be filled in turn. */
  readonly pieces: Buffer[];
  readonly #id: number;
  readonly #threads: HashThread[];

  private constructor(wishes: readonly HashWish[], [first, second]: [HashThread, HashThread]) {
    ids += 1;
    this.#id = ids;
    this.pieces = Array.from({ length: PIECES }, () => pieces.pop() ?? Buffer.from(new SharedArrayBuffer(PIECE)));
    const halves: [HashThread, HashWish[]][] = [
      [first, wishes.filter(({ name }) => name === 'sha256')],
      [second, wishes.filter(({ name }) => name !== 'sha256')],
    ];
    const busy = halves.filter(([, half]) => half.length > 0);
    for (const [thread, half] of busy) thread.tell({ id: this.#id, wishes: half });
    this.#threads = busy.map(([thread]) => thread);
  }

  /** Undefined when as many streams as are good are hashed so already. Whoever gets one gives it back: `release`. */
  static lease(wishes: readonly HashWish[]): SideHashes | undefined {
    if (leased >= MOST) return undefined;
    leased += 1;
    clearTimeout(idle);
    if (threads?.some(({ broken }) => broken)) endThreads();
    threads ??= [new HashThread(), new HashThread()];
    for (const thread of threads) thread.hold(true);
    return new SideHashes(wishes, threads);
  }

  /** Hashes a piece, or the first bytes of one; resolves when it may be filled again. */
  async add(piece: Buffer): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.ask({ id: this.#id, bytes: piece })));
  }

  /** @returns hex, by names */
  async finish(): Promise<Map<string, string>> {
    const found = await Promise.all(this.#threads.map((thread) => thread.ask({ id: this.#id, over: 'finish' })));
    return new Map(
      found.flatMap((half) => [...half!].map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')] as const)),
    );
  }

  /** The pieces are others' from now on: to be called when nobody writes them to the disk any more. */
  release(): void {
    for (const thread of this.#threads) thread.tell({ id: this.#id, over: 'drop' });
    pieces.push(...this.pieces);
    leased -= 1;
    if (leased > 0) return;
    for (const thread of threads ?? []) thread.hold(false);
    idle = setTimeout(endThreads, IDLE).unref();
  }
}

function endThreads(): void {
  for (const thread of threads ?? []) thread.end();
  threads = undefined;
  pieces.length = 0;
}
