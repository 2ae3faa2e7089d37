import type { Entry } from '../../shared/model/entry.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { type HeldFiles, heldFiles, onlyHeld } from './held-files.ts';
import type { Origin, Origins } from './origins.ts';
import { ParsedPages } from './parsed-pages.ts';
import { Policy } from './policy.ts';
import { isName } from './project-name.ts';
import type { ProjectPage } from './project-page.ts';
import { indexKey, PRIVATE, pageRef } from './refs.ts';

/** A project as it is offered here. */
export interface Project {
  page: ProjectPage;
  /** Who has it: an origin's name, or `private`. */
  origin: string;
  /** Changes with what the page is made of. */
  stamp: string;
  /** Files that are held, where only they are listed. */
  held?: number;
}

/**
 * Which project page is offered: the one of what was uploaded here, else that of the first origin that knows the
 * project. An origin that cannot be asked is not passed over: the next one might have something else by that name.
 */
export class Projects {
  readonly #context: Context<PypiConfig>;
  readonly #origins: Origins;
  readonly #policy: Policy;
  readonly #parsed: ParsedPages;

  constructor(context: Context<PypiConfig>, origins: Origins) {
    this.#context = context;
    this.#origins = origins;
    this.#policy = new Policy(context.config, context.now);
    this.#parsed = new ParsedPages(context.log);
  }

  /**
   * @param name normalised
   * @param only asks a single origin, for its own view
   * Throws `not-found`, `not-held`, `forbidden`, or what kept an origin from answering.
   */
  async find(name: string, only?: string): Promise<Project> {
    this.check(name);
    const uploaded = await heldFiles(this.#context.catalog, PRIVATE, name);
    if (uploaded.entries.size > 0 || this.#policy.isPrivate(name) || only === PRIVATE)
      return privateProject(name, uploaded, only);
    const origins = await this.#asked(name, only);
    return this.#context.listing === 'held' ? this.#held(name, origins) : this.#listed(name, origins);
  }

  /** Throws `not-found` for what is no name, `forbidden` for a project that the site does not want. */
  check(name: string): void {
    if (!isName(name)) throw new MirrorError('not-found', 'project', `"${name.slice(0, 200)}" is no name of a project`);
    this.#policy.check(name);
  }

  /** Origins in their order that are asked for a project. */
  async #asked(name: string, only: string | undefined): Promise<Origin[]> {
    const all = await this.#origins.list();
    const chosen = only === undefined ? all : all.filter((origin) => origin.name === only);
    if (chosen.length === 0) throw new MirrorError('not-found', 'index', `there is no index "${only}" here`);
    return chosen.filter((origin) => this.#policy.asks(origin, name));
  }

  /** The first origin that knows the project has it. */
  async #listed(name: string, origins: readonly Origin[]): Promise<Project> {
    for (const origin of origins) {
      const project = await this.#ask(name, origin);
      if (project) return project;
    }
    const asked = origins.map((origin) => origin.name).join(', ') || 'none may be asked';
    throw unknown(name, `no index here knows it (${asked})`);
  }

  async #ask(name: string, origin: Origin): Promise<Project | undefined> {
    try {
      const read = await this.#read(name, origin);
      // a flat page has many projects, and not to have this one is to not know it
      if (origin.kind === 'find-links' && read.page.files.length === 0) return undefined;
      const newest = this.#policy.newest(name);
      const page = this.#policy.cooled(read.page, newest);
      return { page, origin: origin.name, stamp: `${origin.name}:${read.entry.digest}:${newest ?? ''}` };
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async #read(name: string, origin: Origin): Promise<{ page: ProjectPage; entry: Entry }> {
    const { entry, bytes } = await this.#context.mirror.read(pageRef(origin, name, this.#context.config));
    return { page: this.#parsed.read(entry, bytes, name, origin), entry };
  }

  /** The first origin of which some files are held. */
  async #held(name: string, origins: readonly Origin[]): Promise<Project> {
    const newest = this.#policy.newest(name);
    for (const origin of origins) {
      const held = await heldFiles(this.#context.catalog, origin.name, name);
      if (held.entries.size === 0) continue;
      const known = await this.#context.mirror.held(pageRef(origin, name, this.#context.config));
      const page = known ? (await this.#read(name, origin)).page : { name, files: [], versions: [] };
      const stamp = `${origin.name}:${known?.digest ?? ''}:${newest ?? ''}:${held.stamp}`;
      return {
        page: this.#policy.cooled(onlyHeld(page, held), newest),
        origin: origin.name,
        stamp,
        held: held.entries.size,
      };
    }
    throw await this.#wanted(name, origins);
  }

  async #wanted(name: string, origins: readonly Origin[]): Promise<MirrorError> {
    const [first] = origins;
    if (!first) return unknown(name, 'no index may be asked for it');
    const { mirror, wants, config } = this.#context;
    const ref = { ...pageRef(first, name, config), key: indexKey(first.name, name) };
    // the mirror says what is not held; a page without one file of it is as good as none
    if (!(await mirror.held(ref))) await mirror.read(ref);
    await wants.record({ key: ref.key, label: ref.label, item: { python: name } });
    const message = `${ref.label} is known here, and none of its files is held here`;
    return new MirrorError('not-held', 'project', `${message}. It was put on the list of wants for the next bundle`);
  }
}

/** A private name shadows all others: no origin is asked for it, also not in the origin's own view. */
function privateProject(name: string, uploaded: HeldFiles, only: string | undefined): Project {
  if (only !== undefined && only !== PRIVATE)
    throw unknown(name, `it is a private name, and the index "${only}" is not asked for it`);
  if (uploaded.entries.size === 0) throw unknown(name, 'it is a private name, and nothing was uploaded under it');
  const page = onlyHeld({ name, files: [], versions: [] }, uploaded);
  return { page, origin: PRIVATE, stamp: `${PRIVATE}:${uploaded.stamp}`, held: uploaded.entries.size };
}

function unknown(name: string, why: string): MirrorError {
  return new MirrorError('not-found', 'project', `there is no project "${name}" here: ${why}`);
}
