import { isKind, type MirrorError } from '../../shared/model/errors.ts';
import type { ClosureEnvironment, Context, ManifestItem, MissingEdge } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { type Candidate, Holdings, type Need } from './holdings.ts';
import { type PythonItem, targetsOf, wishesOf } from './items.ts';
import type { Origins } from './origins.ts';
import { isWheel } from './project-page.ts';
import { Projects } from './projects.ts';
import { applies, parseRequirement } from './python/requirement.ts';
import type { Target } from './python/target.ts';
import { resolveRequirements } from './resolve.ts';
import { PinnedFiles } from './selection.ts';
import { solve } from './solve.ts';
import { findUv } from './uv-binary.ts';
import type { Line, Pin, Wishes } from './wishes.ts';

/**
 * Solves every target of an item again, from the bundle alone: a walk of our own that names each gap, and uv as the
 * second judge where there is one.
 */
export async function* prove(
  context: Context<PypiConfig>,
  origins: Origins,
  item: ManifestItem,
  environment: ClosureEnvironment,
): AsyncGenerator<MissingEdge> {
  const projects = new Projects(context, origins);
  const python = (item.value as { python: PythonItem }).python;
  const wishes = await wishesOf(python, environment.baseDir);
  const uv = await findUv(context, projects, environment.workDir);
  for (const target of targetsOf(python, item.defaults)) {
    environment.signal.throwIfAborted();
    const proof = new Proof(context, new PinnedFiles(projects, origins, python.index), target, python);
    const missing = await proof.gaps(wishes);
    for (const message of missing) yield { target: target.id, message };
    if (missing.length > 0) continue;
    if (uv.program === undefined) {
      environment.note(`${target.name}: solved from the bundle alone`);
      continue;
    }
    const verdict = await judge(proof, wishes, uv.program, environment);
    if (verdict) yield { target: target.id, message: verdict };
  }
}

/** What is to be proven for one target. */
class Proof {
  readonly target: Target;
  readonly python: PythonItem;
  /** Pins that are found where a client looks first. */
  readonly inFirstIndex: Pin[] = [];
  readonly #sources: PinnedFiles;
  readonly #holdings: Holdings;
  readonly #built = new Set<string>();

  constructor(context: Context<PypiConfig>, sources: PinnedFiles, target: Target, python: PythonItem) {
    this.target = target;
    this.python = python;
    this.#sources = sources;
    this.#holdings = new Holdings(context, sources, target, { sdists: python.sdists === 'allow' });
  }

  async gaps(wishes: Wishes): Promise<string[]> {
    const missing: string[] = [];
    const decided = new Map<string, Candidate>();
    const needs: Need[] = [];
    for (const pin of wishes.pins(this.target)) {
      const candidate = await this.#pinned(pin, missing);
      if (candidate && pin.decided) decided.set(pin.project, candidate);
      if (candidate)
        needs.push({ requirement: parseRequirement(`${pin.project}==${candidate.version}`)!, who: pin.why });
    }
    needs.push(...this.#needsOf(wishes.loose));
    if (this.python.tools)
      needs.push(...this.#needsOf(['pip', 'setuptools', 'wheel'].map((text) => ({ text, why: 'tools' }))));
    const solution = await solve(needs, this.#holdings, this.target, { decided, overridden: wishes.overridden });
    missing.push(...solution.missing);
    for (const candidate of solution.chosen) missing.push(...(await this.#gapsOfBuild(candidate)));
    return [...new Set(missing)];
  }

  #needsOf(lines: readonly Line[]): Need[] {
    return lines
      .map(({ text, why }) => ({ requirement: parseRequirement(text)!, who: why }))
      .filter(({ requirement }) => applies(requirement, this.target.environment));
  }

  async #pinned(pin: Pin, missing: string[]): Promise<Candidate | undefined> {
    const found = await this.#sources.find(pin, this.target);
    const file = found.wheel ?? (this.python.sdists === 'allow' ? found.sdist : undefined);
    if (!found.project || !file) {
      const why = found.sdist ? 'no wheel' : found.why === 'no wheel' ? found.why : 'it is not in the bundle';
      missing.push(`${pin.project} ${pin.version} for ${this.target.name}: ${why}`);
      return undefined;
    }
    const first = await this.#sources.page(pin.project);
    if (first?.origin === found.project.origin) this.inFirstIndex.push(pin);
    return { name: pin.project, version: pin.version, project: found.project, file };
  }

  /** An sdist is built in an environment of its own, out of what builds it and what that needs. */
  async #gapsOfBuild(candidate: Candidate): Promise<string[]> {
    const { filename } = candidate.file;
    if (isWheel(filename) || !this.python.buildRequires || this.#built.has(filename)) return [];
    this.#built.add(filename);
    const all = await this.#holdings.buildRequirements(candidate);
    const needs = all
      .filter((requirement) => applies(requirement, this.target.environment))
      .map((requirement) => ({ requirement, who: `${filename}, to be built,` }));
    const { missing, chosen } = await solve(needs, this.#holdings, this.target);
    const deeper = await Promise.all(chosen.map((one) => this.#gapsOfBuild(one)));
    return [...missing, ...deeper.flat()];
  }
}

/** uv's own words when it finds no solution; undefined when it finds one, or cannot judge. */
async function judge(
  proof: Proof,
  wishes: Wishes,
  uv: string,
  environment: ClosureEnvironment,
): Promise<string | undefined> {
  const { target, python } = proof;
  const { url, workDir, signal, note } = environment;
  const lines = [
    ...proof.inFirstIndex.map(({ project, version, why }) => ({ text: `${project}==${version}`, why })),
    ...wishes.loose,
  ];
  const decided = proof.inFirstIndex.some((pin) => pin.decided);
  // uv takes the tags of its own Python, which is none of these
  if (lines.length === 0 || target.version.endsWith('t')) return undefined;
  try {
    await resolveRequirements(lines, {
      uv,
      index: `${url}/simple/`,
      firstIndex: python.index && `${url}/${python.index}/simple/`,
      target,
      sdists: python.sdists === 'allow',
      constraints: wishes.constraints,
      prereleases: wishes.prereleases,
      withoutDependencies: decided && wishes.loose.length === 0,
      workDir,
      signal,
    });
    note(`${target.name}: solved from the bundle alone, by uv too`);
    return undefined;
  } catch (error) {
    if (isKind(error, 'conflict')) return error.message;
    if (!isKind(error, 'unsupported', 'unavailable')) throw error;
    note(`${target.name}: solved from the bundle alone; uv could not judge: ${(error as MirrorError).message}`);
    return undefined;
  }
}
