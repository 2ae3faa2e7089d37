import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import type { Origin, Origins } from './origins.ts';
import { parseHtmlPage } from './parse-html.ts';
import { parseJsonPage } from './parse-json.ts';
import { Policy } from './policy.ts';
import { type FileRecord, type ProjectPage, versionsOf } from './project-page.ts';
import { fileKey, PRIVATE, pageRef } from './refs.ts';

/** A project as it is offered here. */
export interface Project {
  page: ProjectPage;
  /** Who has it: an origin's name, or `private`. */
  origin: string;
  /** Changes with what the page is made of. */
  stamp: string;
  held: number;
}

/** Parsed pages that are kept; the large ones have thousands of files. */
const MOST_PARSED = 48;

/**
 * Which project page is offered: the one of what was uploaded here, else that of the first origin that knows the
 * project. An origin that cannot be asked is not passed over: the next one might have something else by that name.
 */
export class Projects {
  readonly #context: Context<PypiConfig>;
  readonly #origins: Origins;
  readonly #policy: Policy;
  readonly #parsed = new Map<string, ProjectPage>();

  constructor(context: Context<PypiConfig>, origins: Origins) {
    this.#context = context;
    this.#origins = origins;
    this.#policy = new Policy(context.config, context.now);
  }

  /**
   * @param only asks a single origin, for its own view
   * Throws `not-found`, `not-held`, `forbidden`, or what kept an origin from answering.
   */
  async find(name: string, only?: string): Promise<Project> {
    this.#policy.check(name);
    const uploaded = await this.#context.catalog.list(fileKey(PRIVATE, name, ''));
    if (uploaded.length > 0 && (only === undefined || only === PRIVATE)) return privateProject(name, uploaded);
    if (this.#policy.isPrivate(name) || only === PRIVATE)
      throw unknown(name, 'it is a private name, and nothing was uploaded under it');
    return this.#fromOrigins(name, await this.#asked(name, only));
  }

  /** Origins in their order that are asked for a project. */
  async #asked(name: string, only: string | undefined): Promise<Origin[]> {
    const all = await this.#origins.list();
    const chosen = only === undefined ? all : all.filter((origin) => origin.name === only);
    if (chosen.length === 0) throw new MirrorError('not-found', 'index', `there is no index "${only}" here`);
    return chosen.filter((origin) => this.#policy.asks(origin, name));
  }

  async #fromOrigins(name: string, origins: readonly Origin[]): Promise<Project> {
    let notHeld: MirrorError | undefined;
    for (const origin of origins) {
      try {
        const project = await this.#fromOrigin(name, origin);
        if (project) return project;
      } catch (error) {
        if (!isKind(error, 'not-held', 'not-found')) throw error;
        if (error.kind === 'not-held') notHeld ??= error;
      }
    }
    throw (
      notHeld ??
      unknown(
        name,
        `no index here knows it (${origins.map((origin) => origin.name).join(', ') || 'none may be asked'})`,
      )
    );
  }

  async #fromOrigin(name: string, origin: Origin): Promise<Project | undefined> {
    const { entry, bytes } = await this.#context.mirror.read(pageRef(origin, name, this.#context.config));
    const known = this.#parse(entry, bytes, name, origin);
    // a flat page has many projects, and not to have this one is to not know it
    if (origin.kind === 'find-links' && known.files.length === 0) return undefined;
    const newest = this.#policy.newest(name);
    const cooled = this.#policy.cooled(known, newest);
    const stamp = `${origin.name}:${entry.digest}:${newest ?? ''}`;
    if (this.#context.listing === 'all') return { page: cooled, origin: origin.name, stamp, held: 0 };
    return this.#onlyHeld(cooled, origin.name, stamp, newest);
  }

  /** Lists must name nothing that cannot be had, and forget nothing that can: also what its origin took away since. */
  async #onlyHeld(page: ProjectPage, origin: string, stamp: string, newest: number | undefined): Promise<Project> {
    const entries = await this.#context.catalog.list(fileKey(origin, page.name, ''));
    const held = new Map(entries.map((entry) => [entry.key.slice(entry.key.lastIndexOf('/') + 1), entry]));
    const files = page.files
      .filter((file) => held.has(file.filename))
      .map((file) => ({ ...file, size: held.get(file.filename)!.size }));
    const listed = new Set(page.files.map((file) => file.filename));
    const vanished = entries
      .map(recordOf)
      .filter((file) => file !== undefined && !listed.has(file.filename)) as FileRecord[];
    const kept = this.#policy.cooled({ ...page, files: vanished }, newest).files;
    const all = [...files, ...kept];
    const names = digestOf([...held.keys()].join('\n'));
    return {
      page: { ...page, files: all, versions: versionsOf(all) },
      origin,
      stamp: `${stamp}:${names}`,
      held: entries.length,
    };
  }

  #parse(entry: Entry, bytes: Buffer, name: string, origin: Origin): ProjectPage {
    const key = `${entry.digest} ${name}`;
    const parsed = this.#parsed.get(key) ?? parsePage(entry, bytes, name);
    for (const file of parsed.files) origin.learnedHosts.add(new URL(file.url).host);
    this.#parsed.delete(key);
    this.#parsed.set(key, parsed);
    if (this.#parsed.size > MOST_PARSED) this.#parsed.delete(this.#parsed.keys().next().value!);
    return parsed;
  }
}

function parsePage(entry: Entry, bytes: Buffer, name: string): ProjectPage {
  const url = entry.headers['x-larder-url'] ?? entry.origin;
  const page = /[+/]json/.test(entry.mediaType) ? parseJsonPage(bytes, url) : parseHtmlPage(bytes, url, name);
  const serial = Number(entry.headers['x-pypi-last-serial']);
  return Number.isInteger(serial) && page.lastSerial === undefined ? { ...page, lastSerial: serial } : page;
}

function privateProject(name: string, entries: readonly Entry[]): Project {
  const files = entries.map(recordOf).filter((file) => file !== undefined);
  const stamp = `${PRIVATE}:${digestOf(entries.map((entry) => entry.key + entry.digest).join('\n'))}`;
  return { page: { name, files, versions: versionsOf(files) }, origin: PRIVATE, stamp, held: files.length };
}

/** What was known of a file when it came, kept with its name. */
export function recordOf(entry: Entry): FileRecord | undefined {
  const text = entry.headers['x-larder-file'];
  if (text === undefined) return undefined;
  const record = JSON.parse(text) as FileRecord;
  return { ...record, size: entry.size, hashes: { ...record.hashes, sha256: entry.digest.slice('sha256:'.length) } };
}

function unknown(name: string, why: string): MirrorError {
  return new MirrorError('not-found', 'project', `there is no project "${name}" here: ${why}`);
}
