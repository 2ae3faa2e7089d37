import { isKind } from '../../shared/model/errors.ts';
import { bestWheel, filesOf, isAllowed, newestWheel, sdistOf } from './choose.ts';
import type { Origins } from './origins.ts';
import type { FileRecord } from './project-page.ts';
import type { Project, Projects } from './projects.ts';
import type { Target } from './python/target.ts';
import { PRIVATE } from './refs.ts';
import type { Pin } from './wishes.ts';

/** A file that some targets need, and why. */
export interface Chosen {
  project: Project;
  file: FileRecord;
  version: string;
  why: Set<string>;
  /** Ids of targets. */
  targets: Set<string>;
}

/** Which files pins come to: the best wheel for each target, or the sdist. */
export class Selection {
  /** What cannot be had, in words. */
  readonly refused = new Set<string>();
  readonly #chosen = new Map<string, Chosen>();
  readonly #sources: PinnedFiles;
  readonly #sdists: boolean;

  constructor(sources: PinnedFiles, options: { sdists: boolean }) {
    this.#sources = sources;
    this.#sdists = options.sdists;
  }

  /** In the order of their names. */
  files(): Chosen[] {
    return [...this.#chosen.keys()].sort().map((key) => this.#chosen.get(key)!);
  }

  /** @returns an sdist that was not yet chosen for this target: what builds it must come along */
  async take(pin: Pin, target: Target): Promise<Chosen | undefined> {
    const found = await this.#sources.find(pin, target);
    if (found.wheel) this.#add(found.project, found.wheel, pin, target);
    else if (!found.sdist) this.refused.add(`${pin.project} ${pin.version} for ${target.name}: ${found.why}`);
    else if (!this.#sdists)
      this.refused.add(
        `${pin.project} ${pin.version} for ${target.name}: no wheel, only ${found.sdist.filename} ("sdists: allow" brings it, with what it needs to be built)`,
      );
    else return this.#add(found.project, found.sdist, pin, target);
    return undefined;
  }

  /** The newest version of a tool. */
  async takeNewest(name: string, target: Target, why: string): Promise<void> {
    const project = await this.#sources.page(name);
    const newest = project && newestWheel(project.page, target);
    if (newest) this.#add(project, newest.file, { project: name, version: newest.version, why }, target);
    else this.refused.add(`${name} for ${target.name}: no wheel`);
  }

  #add(project: Project, file: FileRecord, pin: Pin, target: Target): Chosen | undefined {
    const key = `${file.filename} ${project.origin}`;
    const { version } = pin;
    const chosen = this.#chosen.get(key) ?? { project, file, version, why: new Set(), targets: new Set() };
    const isNew = !chosen.targets.has(target.id);
    for (const one of pin.why.split(', ')) chosen.why.add(one);
    chosen.targets.add(target.id);
    this.#chosen.set(key, chosen);
    return isNew ? chosen : undefined;
  }
}

/** What a pin comes to: `why` when there is neither. */
type Found = { project: Project; wheel?: FileRecord; sdist?: FileRecord; why?: undefined } | Nothing;
interface Nothing {
  project?: undefined;
  wheel?: undefined;
  sdist?: undefined;
  why: string;
}

/** Where the files of a pin are: in the view of a named index first, else where every client would find them. */
export class PinnedFiles {
  readonly #projects: Projects;
  readonly #origins: Origins;
  readonly #index: string | undefined;

  /** @param index one of our origins, asked before the others */
  constructor(projects: Projects, origins: Origins, index: string | undefined) {
    this.#projects = projects;
    this.#origins = origins;
    this.#index = index;
  }

  async find(pin: Pin, target: Target): Promise<Found> {
    try {
      return await this.#find(pin, target);
    } catch (error) {
      if (isKind(error, 'forbidden')) return { why: error.message };
      throw error;
    }
  }

  async #find(pin: Pin, target: Target): Promise<Found> {
    const nothing: string[] = [];
    let sdist: Found | undefined;
    for await (const project of this.#pages(pin)) {
      const ofVersion = filesOf(project.page, pin.version);
      const files = ofVersion.filter((file) => isAllowed(file, pin.hashes));
      const wheel = bestWheel(files, target);
      if (wheel) return { project, wheel };
      const source = sdistOf(files);
      if (source) sdist ??= { project, sdist: source };
      else if (files.length > 0) nothing.push('no wheel');
      else nothing.push(ofVersion.length > 0 ? 'no file has a hash that the lock allows' : 'no index has this version');
    }
    const why = ['no wheel', 'no file has a hash that the lock allows', 'no index has this version'];
    return sdist ?? { why: why.find((one) => nothing.includes(one)) ?? 'no index knows the project' };
  }

  /** The page of a project where it is looked for first; undefined when nobody knows it. */
  async page(name: string): Promise<Project | undefined> {
    for (const index of this.#index === undefined ? [undefined] : [this.#index, undefined]) {
      const project = await this.#look(name, index);
      if (project) return project;
    }
    return undefined;
  }

  /**
   * Pages where a pin's files may be. The hashes of a lock say which bytes are meant, so with them every origin may be
   * asked, the one that the lock names first; without them the first that knows the project has it.
   */
  async *#pages({ project: name, hashes, registry }: Pin): AsyncGenerator<Project> {
    const seen = new Set<string>();
    const first = await this.page(name);
    if (first) {
      seen.add(first.origin);
      yield first;
    }
    // a private name shadows all others
    if (!hashes || first?.origin === PRIVATE) return;
    const all = await this.#origins.list();
    const named = all.filter(({ url }) => registry !== undefined && sameIndex(url, registry));
    for (const { name: origin } of [...named, ...all]) {
      if (seen.has(origin)) continue;
      seen.add(origin);
      const project = await this.#look(name, origin);
      if (project) yield project;
    }
  }

  async #look(name: string, origin: string | undefined): Promise<Project | undefined> {
    try {
      return await this.#projects.find(name, origin);
    } catch (error) {
      if (isKind(error, 'not-found', 'not-held') && error.subject !== 'index') return undefined;
      throw error;
    }
  }
}

function sameIndex(one: string, other: string): boolean {
  const plain = (url: string) => url.replace(/\/+$/, '').replace(/^https?:/, '');
  return plain(one) === plain(other);
}
