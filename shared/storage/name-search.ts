import { setImmediate as breathe } from 'node:timers/promises';
import type { IndexDatabase } from './index-database.ts';

/** Keys that are made searchable in one go: some tens of milliseconds. */
const BATCH = 2_000;
const MARK = 'searchable to';

/**
 * Full-text search over the keys of an index. A new key waits to be made searchable until somebody searches, so that
 * an import of 100,000 names does not pay for it.
 */
export class NameSearch {
  readonly #database: IndexDatabase;

  constructor(database: IndexDatabase) {
    this.#database = database;
  }

  /** Entries as JSON whose key holds every word of `text`, in any case, best first. */
  async find(service: string, text: string, limit: number): Promise<string[]> {
    while (this.#catchUp()) await breathe();
    const words = text.split(/\s+/).filter((word) => word !== '');
    if (words.length === 0 || limit < 1) return [];
    const long = words.filter((word) => [...word].length >= 3);
    const rows = long.length > 0 ? this.#match(service, long, limit) : this.#scan(service, words, limit);
    return rows as unknown as string[];
  }

  #match(service: string, words: string[], limit: number): unknown[] {
    const sql = `SELECT entry FROM words JOIN names ON names.id = words.rowid
      WHERE words MATCH ? AND service = ? ORDER BY rank LIMIT ?`;
    const phrase = words.map((word) => `"${word.replaceAll('"', '""')}"`).join(' ');
    return this.#database.sql(sql).all(phrase, service, limit).map(entryOf);
  }

  /** Words of one or two characters are in no index of trigrams: the keys are read in order. */
  #scan(service: string, words: string[], limit: number): unknown[] {
    const sql = `SELECT entry FROM names WHERE service = ? AND key LIKE ? ESCAPE '\\' ORDER BY key LIMIT ?`;
    const pattern = `%${words.map((word) => word.replace(/[\\%_]/g, '\\$&')).join('%')}%`;
    return this.#database.sql(sql).all(service, pattern, limit).map(entryOf);
  }

  /** Makes the next keys searchable; false when there are none left. */
  #catchUp(): boolean {
    const database = this.#database;
    return database.transaction(() => {
      const rows = database
        .sql('SELECT id, key FROM names WHERE id > ? ORDER BY id LIMIT ?')
        .all(Number(database.fact(MARK) ?? 0), BATCH) as { id: number; key: string }[];
      const last = rows.at(-1);
      if (!last) return false;
      const insert = database.sql('INSERT INTO words (rowid, key) VALUES (?, ?)');
      for (const { id, key } of rows) insert.run(id, key);
      database.setFact(MARK, String(last.id));
      return rows.length === BATCH;
    });
  }
}

function entryOf(row: Record<string, unknown>): unknown {
  return row.entry;
}
