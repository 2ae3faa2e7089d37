import type { Candidate, Holdings, Need } from './holdings.ts';
import { applies, formatRequirement, type Requirement } from './python/requirement.ts';
import { filterVersions, satisfies } from './python/specifiers.ts';
import type { Target } from './python/target.ts';

/** Tries of a search; real closures need a few per project. */
const MOST_TRIES = 20_000;

export interface SolveOptions {
  /** Versions that a lock decided: METADATA that says otherwise does not count. */
  decided?: ReadonlyMap<string, Candidate>;
  /** Projects whose requirements a lock changed on purpose: their absence is no gap. */
  overridden?: ReadonlySet<string>;
}

export interface Solution {
  /** Gaps, in words; empty when the target can be installed. */
  missing: string[];
  /** What would be installed. */
  chosen: Candidate[];
}

/**
 * Solves requirements from what is held alone. A first walk takes the newest of everything and notes each gap; where it
 * finds some, a search with every held version shows whether there is a way around them. What it cannot get around is
 * named.
 */
export async function solve(
  needs: readonly Need[],
  holdings: Holdings,
  target: Target,
  options: SolveOptions = {},
): Promise<Solution> {
  const walk = new Solver(holdings, target, options, 'walk');
  await walk.run(needs);
  if (walk.missing.size === 0) return { missing: [], chosen: [...walk.chosen.values()] };
  const search = new Solver(holdings, target, options, 'search');
  const found = await search.run(needs);
  if (found) return { missing: [], chosen: [...search.chosen.values()] };
  return { missing: [...walk.missing], chosen: [...walk.chosen.values()] };
}

interface State {
  chosen: ReadonlyMap<string, Candidate>;
  /** `name[extra]` whose requirements were taken up. */
  extras: ReadonlySet<string>;
}

class Solver {
  readonly missing = new Set<string>();
  readonly #holdings: Holdings;
  readonly #target: Target;
  readonly #options: SolveOptions;
  /** `walk`: goes on past a gap with what there is; `search`: steps back and tries another version. */
  readonly #mode: 'walk' | 'search';
  #tries = 0;
  chosen: ReadonlyMap<string, Candidate> = new Map();

  constructor(holdings: Holdings, target: Target, options: SolveOptions, mode: 'walk' | 'search') {
    this.#holdings = holdings;
    this.#target = target;
    this.#options = options;
    this.#mode = mode;
  }

  async run(needs: readonly Need[]): Promise<boolean> {
    const state = { chosen: new Map(this.#options.decided), extras: new Set<string>() };
    return this.#step(needs, state);
  }

  /** Takes needs one by one; true when all are met. */
  async #step(needs: readonly Need[], state: State): Promise<boolean> {
    const open = [...needs];
    let { chosen, extras } = state;
    for (let need = open.shift(); need; need = open.shift()) {
      const { requirement } = need;
      if (this.#options.overridden?.has(requirement.name) && !chosen.has(requirement.name)) continue;
      const present = chosen.get(requirement.name);
      if (present) {
        if (!this.#isMetBy(requirement, present)) {
          this.#miss(need, `${present.name} ${present.version} is what the others take`);
          if (this.#mode === 'search') return false;
        }
        const more = await this.#follow(present, requirement.extras, extras);
        extras = more.extras;
        open.push(...more.needs);
        continue;
      }
      const candidates = await this.#candidates(need);
      if (candidates.length === 0 && this.#mode === 'search') return false;
      if (this.#mode === 'walk' || candidates.length === 1) {
        const [candidate] = candidates;
        if (!candidate) continue;
        chosen = new Map(chosen).set(requirement.name, candidate);
        const more = await this.#follow(candidate, requirement.extras, extras);
        extras = more.extras;
        open.push(...more.needs);
        continue;
      }
      for (const candidate of candidates) {
        if (++this.#tries > MOST_TRIES) return false;
        const more = await this.#follow(candidate, requirement.extras, extras);
        const next = { chosen: new Map(chosen).set(requirement.name, candidate), extras: more.extras };
        if (await this.#step([...open, ...more.needs], next)) return true;
      }
      return false;
    }
    this.chosen = chosen;
    return true;
  }

  #isMetBy({ name, specifiers }: Requirement, { version }: Candidate): boolean {
    return this.#options.decided?.has(name) || satisfies(version, specifiers, { prereleases: true });
  }

  /** Held versions that a requirement allows and that have a file for the target, in the order an installer tries them. */
  async #candidates(need: Need): Promise<Candidate[]> {
    const { name, specifiers } = need.requirement;
    const versions = await this.#holdings.versions(name);
    const allowed = filterVersions(versions, specifiers);
    const candidates: Candidate[] = [];
    for (const version of allowed) {
      const candidate = await this.#holdings.candidate(name, version);
      if (candidate) candidates.push(candidate);
    }
    if (candidates.length > 0) return candidates;
    if (allowed.length > 0) this.missing.add(`${name} ${allowed[0]} for ${this.#target.name}: no wheel`);
    else if (versions.length === 0) this.#miss(need, `no version of ${name} is in the bundle`);
    else this.#miss(need, `of ${name} the bundle has ${versions.join(', ')} only`);
    return [];
  }

  #miss({ requirement, who }: Need, why: string): void {
    this.missing.add(`${who} needs ${formatRequirement(requirement)} for ${this.#target.name}: ${why}`);
  }

  /** What a version needs, and what those of its extras need that were not asked for before. */
  async #follow(
    candidate: Candidate,
    wanted: readonly string[],
    extras: ReadonlySet<string>,
  ): Promise<{ needs: Need[]; extras: ReadonlySet<string> }> {
    const fresh = ['', ...wanted].filter((extra) => !extras.has(`${candidate.name}[${extra}]`));
    if (fresh.length === 0) return { needs: [], extras };
    const who = `${candidate.name} ${candidate.version}`;
    const all = await this.#holdings.requirements(candidate);
    const { environment } = this.#target;
    const needs = all.filter((requirement) => applies(requirement, { ...environment, extras: fresh }));
    return {
      needs: needs.map((requirement) => ({ requirement, who })),
      extras: new Set([...extras, ...fresh.map((extra) => `${candidate.name}[${extra}]`)]),
    };
  }
}
