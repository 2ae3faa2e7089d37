import { rmSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** Raised when the tables change: an index of another version is thrown away and built again from the documents. */
const VERSION = 3;

const TUNING = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA cache_size = -32768;
  PRAGMA wal_autocheckpoint = 10000;
  PRAGMA journal_size_limit = 8388608;
`;

/**
 * names: one row a name, in byte order of keys. `modified` is that of the document, in ms; null when it is to be read
 * again. `digest` is null for an entry of several parts, which stand in `parts`, perhaps
 * beside parts that it had before.
 * pending: names whose document is being written; what a killed process leaves here is looked at again.
 * words: the keys, to be searched; filled up to the id in the fact `searchable to`.
 */
const SCHEMA = `
  CREATE TABLE names (
    id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, key TEXT NOT NULL, digest BLOB, size INTEGER NOT NULL,
    modified INTEGER, entry TEXT NOT NULL, UNIQUE (service, key)) STRICT;
  CREATE INDEX by_digest ON names (digest);
  CREATE TABLE parts (digest BLOB NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (digest, id)) STRICT, WITHOUT ROWID;
  CREATE INDEX parts_of ON parts (id);
  CREATE TABLE pending (id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL,
    since INTEGER NOT NULL) STRICT;
  CREATE TABLE generations (service TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER gone AFTER DELETE ON names BEGIN
    DELETE FROM parts WHERE id = old.id;
    DELETE FROM words WHERE rowid = old.id; END;
  CREATE VIRTUAL TABLE words USING fts5 (key, content = '', contentless_delete = 1, tokenize = 'trigram');
  PRAGMA user_version = ${VERSION};
`;

/** How long a writer waits for a writer of another process, in milliseconds. */
const BUSY = 10_000;
/** What SQLite calls a file that another holds; and one that is spoilt, or is no database. */
const LOCKED = 5;
const DAMAGED = [11, 26];

/** The file of the index: opened, made anew where it is no good, and asked through statements that are kept. */
export class IndexDatabase {
  readonly #path: string;
  #database: DatabaseSync;
  #inode: number | undefined;
  readonly #statements = new Map<string, StatementSync>();

  /** @param path a file, or `:memory:` */
  constructor(path: string) {
    this.#path = path;
    this.#database = this.#open();
  }

  #open(): DatabaseSync {
    for (const until = Date.now() + BUSY; ; ) {
      let database: DatabaseSync | undefined;
      let isSpoilt = true;
      try {
        database = new DatabaseSync(this.#path, { timeout: BUSY });
        database.exec(TUNING);
        if (prepared(database)) {
          this.#inode = inodeOf(this.#path);
          return database;
        }
      } catch (error) {
        const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
        isSpoilt = DAMAGED.includes(code);
        if (!isSpoilt && (code !== LOCKED || Date.now() > until)) throw error;
      }
      database?.close();
      if (isSpoilt) removeDatabase(this.#path);
      // Two who make the file at once: SQLite does not wait for the other while it changes the journal's mode.
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 + Math.random() * 20);
    }
  }

  /** Opens it again when the file was deleted or replaced under our feet; true when that was so. */
  reopenIfGone(): boolean {
    if (this.#path === ':memory:' || inodeOf(this.#path) === this.#inode) return false;
    this.close();
    this.#database = this.#open();
    return true;
  }

  sql(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known) return known;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  /** Runs `act`, which awaits nothing, as one transaction. */
  transaction<T>(act: () => T): T {
    this.sql('BEGIN IMMEDIATE').run();
    try {
      const result = act();
      this.sql('COMMIT').run();
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  fact(name: string): string | undefined {
    return (this.sql('SELECT value FROM facts WHERE name = ?').get(name) as { value: string } | undefined)?.value;
  }

  setFact(name: string, value: string): void {
    this.sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value);
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

/** Makes the tables of a new file; false when the file holds those of another version. */
function prepared(database: DatabaseSync): boolean {
  database.exec('BEGIN IMMEDIATE');
  try {
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
    if (tables === 0) database.exec(SCHEMA);
    return tables === 0 || version === VERSION;
  } finally {
    database.exec('COMMIT');
  }
}

function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
