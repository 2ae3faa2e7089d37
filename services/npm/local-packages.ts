import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { Turns } from '../../shared/mirror/turns.ts';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NpmConfig } from './config.ts';
import {
  emptyDocument,
  type Imported,
  importedOf,
  isSame,
  type LocalDocument,
  recordOf,
  stampOf,
  tarballEntry,
  withImported,
} from './local-document.ts';
import type { Packument, VersionRecord } from './packument.ts';
import { endPublishing, type Publishing, whilePublishing } from './publishing.ts';
import { localKey, PRIVATE, tarballKey } from './refs.ts';

/** Largest document that is read whole, bytes. */
const MOST_DOCUMENT = 64 << 20;
/** How often others may come between a look and a write; in this process one at a time looks. */
const TRIES = 40;
/** Milliseconds for which a look is good while no name changes here: other replicas' writes change no number of ours. */
const LOOK = 1_000;
const MOST_LOOKS = 5_000;
/** How many versions a document has, beside its name: those that were taken back altogether are in no list. */
const COUNT = 'x-larder-versions';

type Rooms = Pick<Context<NpmConfig>, 'catalog' | 'blobs' | 'now'>;

/** A name as it stands: the document with what came without one, and what that was made of. */
interface Look {
  document: LocalDocument | undefined;
  stamp: string;
  generation: number;
  at: number;
}

/**
 * What was published here, or came in bundles from where it was published. Its document is the one place where a version
 * begins to be: the bytes are in the store before, and named for the while; the tarball's own name follows from the
 * document, and is made by whoever finds it missing.
 */
export class LocalPackages {
  readonly #rooms: Rooms;
  readonly #looks = new Map<string, Look>();
  /** One writer of a name at a time. */
  readonly #turns = new Turns();

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  /**
   * The package as clients are told of it, with Verdaccio's `_id`, `_rev`, `readme`, `users`; undefined when no version
   * of it is here. Not to be changed by who gets it.
   * @returns also a stamp that changes when anything in it does
   */
  async read(name: string): Promise<{ packument: Packument; stamp: string } | undefined> {
    const { document, stamp } = await this.#look(name);
    if (!document) return undefined;
    const { _attachments, _removed, ...packument } = document;
    return { packument, stamp };
  }

  /** Whether it is published here: then nobody else is asked for it. */
  async has(name: string): Promise<boolean> {
    return (await this.#look(name)).document !== undefined;
  }

  /** Verdaccio's document, bookkeeping included: a copy of the caller's own. */
  async document(name: string): Promise<LocalDocument | undefined> {
    const { document } = await this.#look(name);
    return document && structuredClone(document);
  }

  /** What is known of a version, as its tarball carries it. */
  async record(name: string, version: string): Promise<VersionRecord | undefined> {
    const { document } = await this.#look(name);
    return document && recordOf(document, version);
  }

  /** All names that have a version here, in order. */
  async names(): Promise<string[]> {
    const { catalog } = this.#rooms;
    const names = new Set<string>();
    const without = new Set<string>();
    for (const { key, headers } of await catalog.list(localKey('')))
      (headers[COUNT] === '0' ? without : names).add(key.slice(localKey('').length));
    const prefix = `tarball/${PRIVATE}/`;
    for (const first of await catalog.segments(prefix)) {
      const all = first.startsWith('@') ? await catalog.segments(`${prefix}${first}/`) : [undefined];
      for (const second of all) names.add(second === undefined ? first : `${first}/${second}`);
    }
    // names of which only tarballs are left that were taken back, or are being
    for (const name of without) if (!(await this.has(name))) names.delete(name);
    return [...names].sort();
  }

  /**
   * Changes a package's document; who changes it at the same time loses nothing. A document without versions stays as
   * word of what was taken back.
   * @param make changes what it is given, or throws; called again when somebody came between
   */
  async change(name: string, make: (document: LocalDocument) => void | Promise<void>): Promise<LocalDocument> {
    return this.#turns.run(name, async () => {
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        if (attempt > 0) await wait(Math.random() * 20 * Math.min(attempt, 10));
        const held = await this.#rooms.catalog.current(localKey(name));
        const before = await this.#joined(name, held?.entry);
        const changed = structuredClone(before);
        await make(changed);
        this.#markRemoved(before, changed);
        changed._rev = `${Number.parseInt(before._rev, 10) + 1}-${randomBytes(8).toString('hex')}`;
        const entry = await this.#entryOf(name, changed);
        const condition = held ? { ifMatch: held.etag } : { ifAbsent: true };
        if (!(await this.#rooms.catalog.put(entry, condition))) continue;
        this.#looks.delete(name);
        const failed = await this.#settle(changed, await this.#tarballs(name));
        for (const [, error] of failed) throw error;
        return changed;
      }
      throw new MirrorError('conflict', 'package', `"${name}" is being written all the time; try again`);
    });
  }

  /** The same for a new version, whose bytes are in the store. */
  async publish(about: Publishing, make: (document: LocalDocument) => void): Promise<LocalDocument> {
    return whilePublishing(this.#rooms, about, () => this.change(about.name, make));
  }

  /** Ends what was being published by somebody who is no more. */
  async recover(): Promise<void> {
    await endPublishing(this.#rooms, (name) => this.#look(name));
  }

  #markRemoved(before: LocalDocument, changed: LocalDocument): void {
    const at = new Date(this.#rooms.now()).toISOString();
    for (const version of Object.keys(before.versions))
      if (!Object.hasOwn(changed.versions, version)) changed._removed[version] = at;
    for (const version of Object.keys(changed.versions)) delete changed._removed[version];
    changed.time.created ??= at;
    changed.time.modified = at;
  }

  async #entryOf(name: string, document: LocalDocument): Promise<Entry> {
    const bytes = Buffer.from(JSON.stringify(document));
    if (bytes.length > MOST_DOCUMENT)
      throw new MirrorError('too-large', 'package', `"${name}" has too many versions; take some old ones back`);
    const digest = digestOf(bytes);
    await this.#rooms.blobs.put(digest, bytes.length, Readable.from([bytes], { objectMode: false }));
    const at = document.time.modified!;
    const headers = { [COUNT]: String(Object.keys(document.versions).length) };
    const facts = { mediaType: 'application/json', headers, origin: 'upload', storedAt: at, checkedAt: at };
    return { key: localKey(name), digest, size: bytes.length, ...facts };
  }

  /** A name as it stands now, at the price of one look at its document where nothing changed. */
  async #look(name: string): Promise<Look> {
    const { catalog, now } = this.#rooms;
    const generation = catalog.generation();
    const known = this.#looks.get(name);
    if (known?.generation === generation && Math.abs(now() - known.at) < LOOK) return known;
    const entry = await catalog.get(localKey(name), { fresh: true, indexed: true });
    const tarballs = await this.#tarballs(name);
    const stamp = stampOf(entry, tarballs);
    const look = { document: known?.document, stamp, generation, at: now() };
    if (known?.stamp !== stamp) {
      const { document, isWhole } = await this.#read(name, entry, tarballs);
      look.document = document;
      if (!isWhole) return { ...look, stamp: `${stamp} ${Object.keys(document?.versions ?? {}).length}` };
    }
    if (this.#looks.size >= MOST_LOOKS) this.#looks.clear();
    this.#looks.set(name, look);
    return look;
  }

  /** Without versions whose tarball could not be given its name: no room is left, for one. They are there when it can. */
  async #read(name: string, entry: Entry | undefined, tarballs: ReadonlyMap<string, Imported>) {
    if (!entry && tarballs.size === 0) return { document: undefined, isWhole: true };
    const own = await this.#own(name, entry);
    const failed = await this.#settle(own, tarballs);
    const joined = withImported(own, tarballs);
    for (const version of failed.keys()) delete joined.versions[version];
    const document = Object.keys(joined.versions).length > 0 ? joined : undefined;
    return { document, isWhole: failed.size === 0 };
  }

  async #joined(name: string, entry: Entry | undefined): Promise<LocalDocument> {
    return withImported(await this.#own(name, entry), await this.#tarballs(name));
  }

  async #own(name: string, entry: Entry | undefined): Promise<LocalDocument> {
    if (!entry) return emptyDocument(name);
    const bytes = await this.#rooms.blobs.read(entry.digest, MOST_DOCUMENT);
    return { ...emptyDocument(name), ...(JSON.parse(bytes.toString('utf8')) as LocalDocument) };
  }

  /** By version: those that say what they are. */
  async #tarballs(name: string): Promise<Map<string, Imported>> {
    const prefix = tarballKey(PRIVATE, name, '');
    const found = new Map<string, Imported>();
    for (const entry of await this.#rooms.catalog.list(prefix)) {
      const version = entry.key.slice(prefix.length);
      const imported = importedOf(entry, name, version);
      if (imported) found.set(version, imported);
    }
    return found;
  }

  /**
   * Makes the tarballs' names say what the document says, and takes those away that were taken back.
   * @returns what went wrong, by the version that has no name for its tarball because of it
   */
  async #settle(document: LocalDocument, tarballs: ReadonlyMap<string, Imported>): Promise<Map<string, unknown>> {
    const { catalog } = this.#rooms;
    const failed = new Map<string, unknown>();
    for (const version of Object.keys(document.versions)) {
      const wanted = tarballEntry(document, version);
      const known = tarballs.get(version)?.entry ?? (wanted && (await catalog.get(wanted.key, { fresh: true })));
      if (!wanted || isSame(known, wanted)) continue;
      await catalog.put(wanted).catch((error: unknown) => {
        if (known?.digest !== wanted.digest) failed.set(version, error);
      });
    }
    for (const [version, { entry }] of tarballs)
      if ((document._removed[version] ?? '') >= entry.storedAt) await catalog.delete(entry.key).catch(() => undefined);
    return failed;
  }
}
