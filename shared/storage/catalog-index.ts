import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Digest } from '../model/digest.ts';
import type { Entry } from '../model/entry.ts';

export interface Page {
  /** Resume behind this key. */
  after?: string;
  limit?: number;
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = 10000;
  CREATE TABLE IF NOT EXISTS names (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, entry TEXT NOT NULL,
    UNIQUE (service, key)) STRICT;
  CREATE INDEX IF NOT EXISTS by_digest ON names (digest);
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (key, content = 'names', content_rowid = 'id', tokenize = 'trigram');
  CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON names BEGIN INSERT INTO words (rowid, key) VALUES (new.id, new.key); END;
  CREATE TRIGGER IF NOT EXISTS gone AFTER DELETE ON names BEGIN
    INSERT INTO words (words, rowid, key) VALUES ('delete', old.id, old.key); END;
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

/** Behind every key that starts with a prefix, in byte order. */
const LAST = '\u{10ffff}';

/**
 * All names of a store in order, with full-text search: SQLite, which answers in microseconds and is shared by every
 * process over one directory. It can be deleted at any time: the documents are the truth and it is built again.
 */
export class CatalogIndex {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #writes = 0;

  /** @param path a file, or `:memory:` */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec(SCHEMA);
  }

  /** Changes with every write, by this process or another: a cheap question that is asked per request. */
  generation(): string {
    const { data_version: others } = this.#sql('PRAGMA data_version').get() as { data_version: number };
    return `${this.#writes}.${others}`;
  }

  get(service: string, key: string): Entry | undefined {
    const row = this.#sql('SELECT entry FROM names WHERE service = ? AND key = ?').get(service, key) as
      | { entry: string }
      | undefined;
    return row && (JSON.parse(row.entry) as Entry);
  }

  put(service: string, entry: Entry): void {
    this.#sql(`INSERT INTO names (service, key, digest, entry) VALUES (?, ?, ?, ?)
      ON CONFLICT (service, key) DO UPDATE SET digest = excluded.digest, entry = excluded.entry`).run(
      service,
      entry.key,
      entry.digest,
      JSON.stringify(entry),
    );
    this.#writes += 1;
  }

  /** Many at once, in one transaction. */
  putMany(service: string, entries: Iterable<Entry>): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const entry of entries) this.put(service, entry);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  delete(service: string, key: string): void {
    this.#sql('DELETE FROM names WHERE service = ? AND key = ?').run(service, key);
    this.#writes += 1;
  }

  keys(service: string, prefix: string, page: Page = {}): string[] {
    return this.#page('key', service, prefix, page).map((row) => row.key as string);
  }

  list(service: string, prefix: string, page: Page = {}): Entry[] {
    return this.#page('entry', service, prefix, page).map((row) => JSON.parse(row.entry as string) as Entry);
  }

  #page(column: 'key' | 'entry', service: string, prefix: string, page: Page): Record<string, unknown>[] {
    const after = page.after !== undefined && page.after > prefix ? page.after : undefined;
    const sql = `SELECT ${column} FROM names WHERE service = ? AND key ${after === undefined ? '>=' : '>'} ? AND key < ? ORDER BY key LIMIT ?`;
    return this.#sql(sql).all(service, after ?? prefix, prefix + LAST, page.limit ?? -1) as Record<string, unknown>[];
  }

  /** Distinct names between `prefix` and the next slash: one seek for each, however many keys lie below it. */
  segments(service: string, prefix: string, page: Page = {}): string[] {
    const next = this.#sql('SELECT key FROM names WHERE service = ? AND key >= ? AND key < ? ORDER BY key LIMIT 1');
    const found: string[] = [];
    let from = page.after === undefined ? prefix : `${prefix}${page.after}0`;
    while (found.length < (page.limit ?? Number.POSITIVE_INFINITY)) {
      const row = next.get(service, from, prefix + LAST) as { key: string } | undefined;
      if (!row) break;
      const segment = row.key.slice(prefix.length).split('/', 1)[0]!;
      found.push(segment);
      // '0' follows '/' in byte order: the next key that is not below this segment
      from = `${prefix}${segment}${row.key.length > prefix.length + segment.length ? '0' : '\u0001'}`;
    }
    return [...new Set(found)];
  }

  /** Names that hold the text (three characters or more), best first. */
  search(service: string, text: string, limit: number): Entry[] {
    const sql =
      'SELECT entry FROM words JOIN names ON names.id = words.rowid WHERE words MATCH ? AND service = ? ORDER BY rank LIMIT ?';
    const rows = this.#sql(sql).all(`"${text.replaceAll('"', '""')}"`, service, limit) as { entry: string }[];
    return rows.map((row) => JSON.parse(row.entry) as Entry);
  }

  referrers(service: string | undefined, digest: Digest): Entry[] {
    const sql = 'SELECT entry FROM names WHERE digest = ? AND service = coalesce(?, service)';
    return (this.#sql(sql).all(digest, service ?? null) as { entry: string }[]).map(
      (row) => JSON.parse(row.entry) as Entry,
    );
  }

  /** Services that have names. */
  services(): string[] {
    return (this.#sql('SELECT DISTINCT service FROM names ORDER BY service').all() as { service: string }[]).map(
      (row) => row.service,
    );
  }

  fact(name: string): string | undefined {
    return (this.#sql('SELECT value FROM facts WHERE name = ?').get(name) as { value: string } | undefined)?.value;
  }

  setFact(name: string, value: string): void {
    this.#sql(
      'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    ).run(name, value);
  }

  close(): void {
    this.#db.close();
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}
