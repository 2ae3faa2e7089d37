import { MirrorError } from '../../shared/model/errors.ts';
import type { ClosureEnvironment, Context, ManifestItem, MissingEdge } from '../../shared/service/service.ts';
import { bestWheel, filesOf, sdistOf } from './choose.ts';
import { wishesOf } from './closure.ts';
import type { PypiConfig } from './config.ts';
import { type PythonItem, targetsOf } from './items.ts';
import { metadataText } from './metadata.ts';
import { parseFilename } from './project-name.ts';
import { type FileRecord, isWheel } from './project-page.ts';
import type { Project, Projects } from './projects.ts';
import { compareVersions, parseVersion } from './python/pep440.ts';
import { applies, parseRequirement, type Requirement } from './python/requirement.ts';
import { satisfies } from './python/specifiers.ts';
import type { Target } from './python/target.ts';
import { resolveRequirements } from './resolve.ts';
import { findUv } from './uv-binary.ts';
import { metadataFields } from './wheel-metadata.ts';

/**
 * Solves every target of an item again, from the bundle alone: a walk of our own that names each missing edge, and uv
 * as the second judge where there is one.
 */
export async function* prove(
  context: Context<PypiConfig>,
  projects: Projects,
  item: ManifestItem,
  environment: ClosureEnvironment,
): AsyncGenerator<MissingEdge> {
  const python = (item.value as { python: PythonItem }).python;
  const wishes = await wishesOf(python, environment.baseDir);
  const uv = await findUv(context, projects, environment.workDir);
  for (const target of targetsOf(python, item.defaults)) {
    const walk = new Walk(context, projects, target, python.sdists === 'allow');
    const pins = wishes.pins(target);
    for (const pin of pins) await walk.take(`${pin.project}==${pin.version}`, pin.why);
    for (const { text, why } of wishes.loose) await walk.take(text, why);
    const roots = [...pins.map((pin) => `${pin.project}==${pin.version}`), ...wishes.loose.map(({ text }) => text)];
    const verdict = uv && roots.length > 0 ? await judge(roots, uv, target, python, environment) : undefined;
    environment.note(
      `${target.name}: solved from the bundle alone${uv ? ', by uv too' : ''}${verdict ? ': not closed' : ''}`,
    );
    // several versions for several targets may lead our walk astray where a real resolver finds a way
    if (uv && !verdict) continue;
    for (const message of walk.missing) yield { target: target.id, message };
    if (verdict && walk.missing.size === 0) yield { target: target.id, message: verdict };
  }
}

async function judge(
  roots: readonly string[],
  uv: string,
  target: Target,
  python: PythonItem,
  environment: ClosureEnvironment,
): Promise<string | undefined> {
  const { url, workDir, signal } = environment;
  try {
    await resolveRequirements(roots, 'proof', {
      uv,
      index: `${url}/simple/`,
      target,
      sdists: python.sdists === 'allow',
      workDir,
      signal,
    });
    return undefined;
  } catch (error) {
    if (error instanceof MirrorError && error.kind === 'conflict') return error.message;
    throw error;
  }
}

/** Follows requirements through the METADATA that is held, for one target. */
class Walk {
  /** What is missing, in words. */
  readonly missing = new Set<string>();
  readonly #context: Context<PypiConfig>;
  readonly #projects: Projects;
  readonly #target: Target;
  readonly #sdists: boolean;
  readonly #done = new Set<string>();

  constructor(context: Context<PypiConfig>, projects: Projects, target: Target, sdists: boolean) {
    this.#context = context;
    this.#projects = projects;
    this.#target = target;
    this.#sdists = sdists;
  }

  /** @param who what asks for it: `requests 2.32.3`, `requirements.txt:3` */
  async take(text: string, who: string, extras: readonly string[] = []): Promise<void> {
    const requirement = parseRequirement(text);
    if (!requirement || !applies(requirement, { ...this.#target.environment, extras })) return;
    const mark = `${requirement.name}[${requirement.extras.join(',')}]${requirement.specifierText}`;
    if (this.#done.has(mark)) return;
    this.#done.add(mark);
    const project = await this.#find(requirement, who);
    const found = project && this.#choose(project, requirement, who);
    if (found) await this.#follow(project, found.file, found.version, requirement.extras);
  }

  async #find(requirement: Requirement, who: string): Promise<Project | undefined> {
    try {
      return await this.#projects.find(requirement.name);
    } catch (error) {
      if (!(error instanceof MirrorError) || (error.kind !== 'not-held' && error.kind !== 'not-found')) throw error;
      this.#miss(who, requirement, `${requirement.name} is not in the bundle`);
      return undefined;
    }
  }

  #choose(project: Project, requirement: Requirement, who: string): { file: FileRecord; version: string } | undefined {
    const versions = [...new Set(project.page.files.map((file) => parseFilename(file.filename)?.version))].filter(
      (version) => version !== undefined,
    );
    const fitting = versions
      .filter((version) => satisfies(version, requirement.specifiers, { prereleases: true }))
      .sort(newestFirst);
    for (const version of fitting) {
      const files = filesOf(project.page.files, version);
      const file = bestWheel(files, this.#target) ?? (this.#sdists ? sdistOf(files) : undefined);
      if (file) return { file, version };
    }
    const [best] = fitting;
    if (best !== undefined) this.missing.add(`${requirement.name} ${best} for ${this.#target.name}: no wheel`);
    else
      this.#miss(
        who,
        requirement,
        `no version of ${requirement.name} that fits is in the bundle (there is ${versions.sort(newestFirst).join(', ') || 'none'})`,
      );
    return undefined;
  }

  #miss(who: string, { name, specifierText, extras }: Requirement, why: string): void {
    const asked = `${name}${extras.length > 0 ? `[${extras.join(',')}]` : ''}${specifierText}`;
    this.missing.add(`${who} needs ${asked} for ${this.#target.name}: ${why}`);
  }

  async #follow(project: Project, file: FileRecord, version: string, extras: readonly string[]): Promise<void> {
    if (!isWheel(file.filename)) return;
    const metadata = await metadataText(this.#context, project.origin, project.page.name, file);
    const who = `${project.page.name} ${version}`;
    for (const text of metadataFields(metadata, 'Requires-Dist')) await this.take(text, who, extras);
  }
}

function newestFirst(one: string, other: string): number {
  const [a, b] = [parseVersion(one), parseVersion(other)];
  return a && b ? compareVersions(b, a) : 0;
}
