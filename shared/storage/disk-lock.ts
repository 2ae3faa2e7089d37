import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { MirrorError } from '../model/errors.ts';

/** How long a writer waits for its turn, in milliseconds. */
const LIMIT = 10_000;

/**
 * One at a time among all processes over a directory. An empty SQLite file is the lock, because the system takes it
 * away from a process that dies; a lock file would have to be believed or stolen.
 */
export class DiskLock {
  readonly #path: string;
  #database: DatabaseSync | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Runs `act` while nobody else holds the lock. Throws `unavailable` when it does not come free. */
  hold<T>(act: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(() => this.#locked(act));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #locked<T>(act: () => Promise<T>): Promise<T> {
    this.#database ??= new DatabaseSync(this.#path, { timeout: 0 });
    await take(this.#database);
    try {
      return await act();
    } finally {
      this.#database.exec('ROLLBACK');
    }
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#database?.close();
    this.#database = undefined;
  }
}

async function take(database: DatabaseSync): Promise<void> {
  const until = Date.now() + LIMIT;
  for (;;) {
    try {
      database.exec('BEGIN IMMEDIATE');
      return;
    } catch (error) {
      const busy = (error as { errcode?: number }).errcode === 5;
      if (!busy) throw error;
      if (Date.now() > until) {
        throw new MirrorError('unavailable', 'store', 'another process keeps the store locked; try again', {
          cause: error,
          retryAfter: 5,
        });
      }
      await sleep(2 + Math.random() * 8);
    }
  }
}
