import type { Digest } from '../model/digest.ts';
import { hexOf } from '../model/digest.ts';
import type { Entry } from '../model/entry.ts';
import { IndexDatabase } from './index-database.ts';
import { IndexWrites } from './index-writes.ts';
import { NameSearch } from './name-search.ts';
import { isAbandoned, OWNER } from './owned-files.ts';
import { behind, compare, nextSegment } from './segments.ts';

export interface Page {
  /** Resume behind this key. */
  after?: string;
  limit?: number;
}

/** What became of a name. */
export interface Change {
  key: string;
  /** Undefined when it is gone. */
  entry: Entry | undefined;
  /** The entry as its document has it, where somebody knows already. */
  text?: string;
  /** When its document was written, ms; undefined: not known, so that it is read again at the next occasion. */
  modified?: number;
}

export interface Pending {
  id: number;
  service: string;
  key: string;
}

/**
 * All names of a store in order, with full-text search: SQLite, which answers in microseconds and is shared by every
 * process over one directory. It can be deleted at any time: the documents are the truth and it is built again.
 * What is asked is answered at once, and nothing scans all names; what is written is committed once per turn.
 */
export class CatalogIndex {
  readonly #database: IndexDatabase;
  readonly #search: NameSearch;
  readonly #writes: IndexWrites;
  readonly #generations = new Map<string, number>();
  #seen = -1;
  #looked = false;

  /** @param path a file, or `:memory:` */
  constructor(path: string) {
    this.#database = new IndexDatabase(path);
    this.#search = new NameSearch(this.#database);
    this.#writes = new IndexWrites(this.#database);
  }

  /** A number that changes when a name of this service does, by this process or another: asked per request. */
  generation(service: string): number {
    this.#lookForOthers();
    const known = this.#generations.get(service);
    if (known !== undefined) return known;
    const row = this.#sql('SELECT value FROM generations WHERE service = ?').get(service);
    const value = (row?.value as number | undefined) ?? 0;
    this.#generations.set(service, value);
    return value;
  }

  /** Once for all that runs before the next events are fetched: who asks because of another's write is among these. */
  #lookForOthers(): void {
    if (this.#looked) return;
    this.#looked = true;
    setImmediate(() => {
      this.#looked = false;
    });
    const { data_version: others } = this.#sql('PRAGMA data_version').get() as { data_version: number };
    if (others === this.#seen) return;
    this.#seen = others;
    this.#generations.clear();
  }

  get(service: string, key: string): Entry | undefined {
    const text = this.text(service, key);
    return text === undefined ? undefined : parse(text);
  }

  /** An entry as its document had it. */
  text(service: string, key: string): string | undefined {
    return this.#sql('SELECT entry FROM names WHERE service = ? AND key = ?').get(service, key)?.entry as
      | string
      | undefined;
  }

  /** Says that the documents of these names are about to be written; undone by `apply`, or looked at after a crash. */
  intend(service: string, keys: readonly string[]): Promise<number[]> {
    return this.#writes.write(() => {
      const insert = this.#sql('INSERT INTO pending (service, key, owner, since) VALUES (?, ?, ?, ?)');
      return keys.map((key) => Number(insert.run(service, key, OWNER, Date.now()).lastInsertRowid));
    });
  }

  /** Names that somebody was writing who is no more. */
  abandoned(): Pending[] {
    const rows = this.#sql('SELECT id, service, key, owner, since FROM pending ORDER BY id').all();
    return (rows as unknown as (Pending & { owner: string; since: number })[]).filter(({ owner, since }) =>
      isAbandoned(owner, since),
    );
  }

  /**
   * Takes changes in, together with the end of what was intended.
   * @returns the generation that this made of the service's names; undefined when nothing changed
   */
  async apply(service: string, changes: readonly Change[], intended: readonly number[] = []) {
    const generation = await this.#writes.write(() => this.#take(service, changes, intended));
    if (generation !== undefined) this.#generations.set(service, generation);
    return generation;
  }

  #take(service: string, changes: readonly Change[], intended: readonly number[]): number | undefined {
    for (const id of intended) this.#sql('DELETE FROM pending WHERE id = ?').run(id);
    for (const change of changes) {
      if (change.entry) this.#upsert(service, change.entry, change);
      else this.#sql('DELETE FROM names WHERE service = ? AND key = ?').run(service, change.key);
    }
    if (changes.length === 0) return undefined;
    return this.#sql(`INSERT INTO generations (service, value) VALUES (?, ?)
      ON CONFLICT (service) DO UPDATE SET value = value + 1 RETURNING value`).get(service, Date.now())!.value as number;
  }

  #upsert(service: string, entry: Entry, { modified, text = JSON.stringify(entry) }: Change): void {
    const digest = entry.parts ? null : bytesOf(entry.digest);
    this.#sql(`INSERT INTO names (service, key, digest, size, modified, entry) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (service, key) DO UPDATE SET digest = excluded.digest, size = excluded.size,
        modified = excluded.modified, entry = excluded.entry`).run(
      ...[service, entry.key, digest, entry.size, modified ?? null, text],
    );
    if (!entry.parts) return;
    const id = this.#sql('SELECT id FROM names WHERE service = ? AND key = ?').get(service, entry.key)!.id as number;
    const insert = this.#sql('INSERT OR IGNORE INTO parts (digest, id) VALUES (?, ?)');
    for (const part of entry.parts) insert.run(bytesOf(part.digest), id);
  }

  /** Remembers when documents were written whose names are known as they are. */
  async confirm(service: string, seen: readonly { key: string; modified: number }[]): Promise<void> {
    if (seen.length === 0) return;
    await this.#writes.write(() => {
      const update = this.#sql('UPDATE names SET modified = ? WHERE service = ? AND key = ?');
      for (const { key, modified } of seen) update.run(modified, service, key);
    });
  }

  keys(service: string, prefix: string, page: Page = {}): string[] {
    return this.#page('key', service, prefix, page).map((row) => row.key as string);
  }

  list(service: string, prefix: string, page: Page = {}): Entry[] {
    return this.#page('entry', service, prefix, page).map((row) => parse(row.entry));
  }

  /** Keys with the date of their document, ms. */
  dated(service: string, page: Page): { key: string; modified: number | null }[] {
    return this.#page('key, modified', service, '', page) as { key: string; modified: number | null }[];
  }

  #page(columns: string, service: string, prefix: string, page: Page): Record<string, unknown>[] {
    const after = page.after !== undefined && compare(page.after, prefix) >= 0 ? page.after : undefined;
    const sql = `SELECT ${columns} FROM names WHERE service = ? AND key ${after === undefined ? '>=' : '>'} ?
      AND key < CAST(? AS TEXT) ORDER BY key LIMIT ?`;
    return this.#sql(sql).all(service, after ?? prefix, behind(prefix), page.limit ?? -1);
  }

  /** Distinct names between `prefix` and the next slash: a few seeks for each, however many keys lie below it. */
  segments(service: string, prefix: string, page: Page = {}): string[] {
    const end = behind(prefix);
    const seek = (from: string, exclusive: boolean) => {
      const sql = `SELECT key FROM names WHERE service = ? AND key ${exclusive ? '>' : '>='} ? AND key < CAST(? AS TEXT) ORDER BY key LIMIT 1`;
      return this.#sql(sql).get(service, from, end)?.key as string | undefined;
    };
    const found: string[] = [];
    let last = page.after;
    while (found.length < (page.limit ?? Number.POSITIVE_INFINITY)) {
      last = nextSegment(seek, prefix, last);
      if (last === undefined) break;
      found.push(last);
    }
    return found;
  }

  async search(service: string, text: string, limit: number): Promise<Entry[]> {
    return (await this.#search.find(service, text, limit)).map(parse);
  }

  /** Entries of a service that need this blob, whole or as a part. */
  referrers(service: string, digest: Digest): Entry[] {
    // `+service` keeps SQLite from reading all names of the service instead of the few of the blob.
    const sql = `SELECT entry FROM names WHERE +service = ? AND
      id IN (SELECT id FROM names WHERE digest = ? UNION SELECT id FROM parts WHERE digest = ?) ORDER BY +key`;
    const bytes = bytesOf(digest);
    const entries = this.#sql(sql)
      .all(service, bytes, bytes)
      .map((row) => parse(row.entry));
    return entries.filter((entry) => (entry.parts ?? [entry]).some((blob) => blob.digest === digest));
  }

  /** How many names a service has, and the bytes they stand for. */
  count(service: string): { names: number; bytes: number } {
    const sql = 'SELECT count(*) AS names, coalesce(sum(size), 0) AS bytes FROM names WHERE service = ?';
    return { ...this.#sql(sql).get(service) } as { names: number; bytes: number };
  }

  /** Services that have names. */
  services(): string[] {
    const next = this.#sql('SELECT service FROM names WHERE service > ? ORDER BY service LIMIT 1');
    const found: string[] = [];
    for (let row = next.get(''); row; row = next.get(found.at(-1)!)) found.push(row.service as string);
    return found;
  }

  fact(name: string): string | undefined {
    return this.#database.fact(name);
  }

  setFact(name: string, value: string): void {
    this.#database.setFact(name, value);
  }

  /** True when the file had been deleted, and an empty one was opened in its place. */
  reopenIfGone(): boolean {
    this.#writes.flush();
    this.#seen = -1;
    return this.#database.reopenIfGone();
  }

  close(): void {
    this.#writes.end();
    this.#database.close();
  }

  #sql(text: string) {
    return this.#database.sql(text);
  }
}

function bytesOf(digest: Digest): Buffer {
  return Buffer.from(hexOf(digest), 'hex');
}

function parse(entry: unknown): Entry {
  return JSON.parse(entry as string) as Entry;
}
