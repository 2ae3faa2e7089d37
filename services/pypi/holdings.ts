import { isKind } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { bestWheel, filesOf, sdistOf, versionsOf } from './choose.ts';
import type { PypiConfig } from './config.ts';
import { metadataText } from './metadata.ts';
import { type FileRecord, isWheel } from './project-page.ts';
import type { Project } from './projects.ts';
import { parseRequirement, type Requirement } from './python/requirement.ts';
import type { Target } from './python/target.ts';
import { fileRef } from './refs.ts';
import { readSdist } from './sdist.ts';
import type { PinnedFiles } from './selection.ts';
import { metadataFields } from './wheel-metadata.ts';

/** A version of a project that a target can have. */
export interface Candidate {
  name: string;
  version: string;
  project: Project;
  file: FileRecord;
}

/** A requirement, and who has it: `requests 2.32`, `requirements.txt:3`. */
export interface Need {
  requirement: Requirement;
  who: string;
}

/** What is held for a target: the versions of a project that have a file for it, and what each of them needs. */
export class Holdings {
  readonly #context: Context<PypiConfig>;
  readonly #sources: PinnedFiles;
  readonly #target: Target;
  readonly #sdists: boolean;
  readonly #pages = new Map<string, Promise<Project | undefined>>();
  readonly #needs = new Map<string, Promise<Requirement[]>>();

  constructor(context: Context<PypiConfig>, sources: PinnedFiles, target: Target, options: { sdists: boolean }) {
    this.#context = context;
    this.#sources = sources;
    this.#target = target;
    this.#sdists = options.sdists;
  }

  /** Versions that are held, the newest first, whether or not they have a file for the target. */
  async versions(name: string): Promise<string[]> {
    const project = await this.#page(name);
    return project ? versionsOf(project.page) : [];
  }

  /** Undefined when no file of the version is for the target. */
  async candidate(name: string, version: string): Promise<Candidate | undefined> {
    const project = await this.#page(name);
    if (!project) return undefined;
    const files = filesOf(project.page, version);
    const file = bestWheel(files, this.#target) ?? (this.#sdists ? sdistOf(files) : undefined);
    return file && { name, version, project, file };
  }

  /** What a file says that it needs, markers not yet asked. What cannot be read as a requirement is left out, as by installers. */
  async requirements(candidate: Candidate): Promise<Requirement[]> {
    const { filename } = candidate.file;
    const found = this.#needs.get(filename) ?? this.#read(candidate);
    this.#needs.set(filename, found);
    return found;
  }

  async #read(candidate: Candidate): Promise<Requirement[]> {
    const { project, file } = candidate;
    const texts = isWheel(file.filename)
      ? metadataFields(await metadataText(this.#context, project.origin, project.page.name, file), 'Requires-Dist')
      : ((await this.#sdist(candidate)).requiresDist ?? []);
    return texts.map(parseRequirement).filter((requirement) => requirement !== undefined);
  }

  /** What builds an sdist. */
  async buildRequirements(candidate: Candidate): Promise<Requirement[]> {
    const { buildRequires } = await this.#sdist(candidate);
    return buildRequires.map(parseRequirement).filter((requirement) => requirement !== undefined);
  }

  async #sdist({ project, file }: Candidate) {
    const { entry } = await this.#context.mirror.hold(fileRef(project.origin, project.page.name, file));
    const open = (range?: { start: number; end: number }) => this.#context.blobs.open(entry.digest, range);
    return readSdist({ filename: file.filename, size: entry.size, open });
  }

  #page(name: string): Promise<Project | undefined> {
    const found = this.#pages.get(name) ?? this.#sources.page(name).catch(notThere);
    this.#pages.set(name, found);
    return found;
  }
}

function notThere(error: unknown): undefined {
  if (isKind(error, 'not-found', 'not-held', 'forbidden')) return undefined;
  throw error;
}
