import { MirrorError } from '../model/errors.ts';
import type { IndexDatabase } from './index-database.ts';

interface Waiting {
  act(): unknown;
  done(result: unknown): void;
  failed(error: unknown): void;
}

/**
 * What is written to the index during one turn of the event loop goes in as one transaction: a commit costs as much as
 * what it commits, and many requests come to theirs at once. It is over before any file operation that was begun after
 * it is answered, so what a caller writes down first is there first.
 */
export class IndexWrites {
  readonly #database: IndexDatabase;
  #waiting: Waiting[] = [];
  #ended = false;

  constructor(database: IndexDatabase) {
    this.#database = database;
  }

  /**
   * Runs `act`, which awaits nothing; resolves when what it wrote is committed. Throws what it threw, and `unavailable`
   * after the end: a request whose client left may be at work until then.
   */
  write<T>(act: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended) throw new MirrorError('unavailable', 'store', 'the store was closed; ask again');
      if (this.#waiting.length === 0) setImmediate(() => this.flush());
      this.#waiting.push({ act, done: (result) => resolve(result as T), failed: reject });
    });
  }

  /** Writes what waits, and nothing more. */
  end(): void {
    this.flush();
    this.#ended = true;
  }

  /** Writes now what waits. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    try {
      const results = this.#database.transaction(() => waiting.map(({ act }) => act()));
      for (const [place, { done }] of waiting.entries()) done(results[place]);
    } catch (error) {
      // one of them spoilt it for all: each by itself, so that only that one fails
      if (waiting.length === 1) waiting[0]!.failed(error);
      else for (const one of waiting) this.#alone(one);
    }
  }

  #alone({ act, done, failed }: Waiting): void {
    try {
      done(this.#database.transaction(act));
    } catch (error) {
      failed(error);
    }
  }
}
