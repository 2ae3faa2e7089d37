import { z } from 'zod';
import { checkNames, checkPython, wrong } from './lock-pylock.ts';
import { normalizeName } from './project-name.ts';
import { evaluateMarker, type MarkerEnvironment, parseMarker } from './python/markers.ts';
import type { Target } from './python/target.ts';
import { type LockOptions, noWishes, type Pin, type Wishes } from './wishes.ts';

const source = z.record(z.string(), z.unknown());
const dependency = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  source: source.optional(),
  marker: z.string().optional(),
  extra: z.array(z.string()).optional(),
  /** As `[manifest]` calls them. */
  extras: z.array(z.string()).optional(),
});
const dependencies = z.array(dependency);
const file = z.looseObject({ hash: z.string().optional() });
const packageSchema = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  source,
  'resolution-markers': z.array(z.string()).optional(),
  dependencies: dependencies.optional(),
  'optional-dependencies': z.record(z.string(), dependencies).optional(),
  'dev-dependencies': z.record(z.string(), dependencies).optional(),
  sdist: file.optional(),
  wheels: z.array(file).optional(),
});
const lockSchema = z.looseObject({
  version: z.number(),
  'requires-python': z.string().optional(),
  manifest: z
    .looseObject({
      members: z.array(z.string()).optional(),
      requirements: dependencies.optional(),
      'dependency-groups': z.record(z.string(), dependencies).optional(),
      overrides: z.array(z.looseObject({ name: z.string() })).optional(),
      excludes: z.array(z.unknown()).optional(),
    })
    .prefault({}),
  package: z.array(packageSchema).default([]),
});
type Package = z.infer<typeof packageSchema>;
type Dependency = z.infer<typeof dependency>;
type Lock = z.infer<typeof lockSchema>;

/** `uv.lock`: one resolution for all environments; the walk from the project takes what holds for the target. */
export function readUvLock(table: Record<string, unknown>, options: LockOptions, name: string): Wishes {
  const parsed = lockSchema.safeParse(table);
  if (!parsed.success)
    throw wrong(name, `${parsed.error.issues[0]!.path.join('.')}: ${parsed.error.issues[0]!.message}`);
  const lock = parsed.data;
  if (lock.version !== 1) throw wrong(name, `its version is ${lock.version}; 1 can be read`);
  const roots = rootsOf(lock);
  const { requirements, overrides = [], excludes = [] } = lock.manifest;
  if (roots.length === 0 && !requirements) throw wrong(name, 'it has no project of its own to start from');
  const keysOf = (field: 'optional-dependencies' | 'dev-dependencies') =>
    roots.flatMap((root) => Object.keys(root[field] ?? {}));
  const groups = [...keysOf('dev-dependencies'), ...Object.keys(lock.manifest['dependency-groups'] ?? {})];
  checkNames(name, 'extra', options.extras, keysOf('optional-dependencies'));
  checkNames(name, 'group', options.groups ?? [], groups);
  return {
    ...noWishes(),
    pins: (target) => {
      checkPython(name, lock['requires-python'], target);
      return new Walk(lock, roots, target, options, name).pins();
    },
    overridden: new Set(
      [...overrides.map((one) => one.name), ...excludes.filter((one) => typeof one === 'string')].map(normalizeName),
    ),
  };
}

/** The members of the workspace; else the project that stands beside the lock. */
function rootsOf(lock: Lock): Package[] {
  const { members } = lock.manifest;
  const local = lock.package.filter(({ source }) => isLocal(source));
  if (members) return local.filter(({ name }) => members.includes(name));
  const here = local.filter(({ source }) => Object.values(source).includes('.'));
  return here.length > 0 ? here : local;
}

function isLocal(source: Record<string, unknown>): boolean {
  return 'virtual' in source || 'editable' in source || 'directory' in source;
}

class Walk {
  readonly #lock: Lock;
  readonly #roots: readonly Package[];
  readonly #environment: MarkerEnvironment;
  readonly #extras: readonly string[];
  readonly #groups: readonly string[];
  readonly #name: string;
  readonly #pins = new Map<string, Pin>();
  readonly #done = new Set<string>();
  readonly #strangers = new Set<string>();

  constructor(lock: Lock, roots: readonly Package[], target: Target, options: LockOptions, name: string) {
    this.#lock = lock;
    this.#roots = roots;
    this.#extras = options.extras.map(normalizeName);
    this.#groups = (options.groups ?? []).map(normalizeName);
    this.#environment = { ...target.environment, extras: this.#conflictNames() };
    this.#name = name;
  }

  pins(): Pin[] {
    const { requirements = [], 'dependency-groups': ownGroups } = this.#lock.manifest;
    for (const root of this.#roots) {
      this.#visit(root, this.#extras);
      this.#followGroups(root['dev-dependencies']);
    }
    for (const one of requirements) this.#follow(one);
    this.#followGroups(ownGroups);
    if (this.#strangers.size > 0)
      throw wrong(
        this.#name,
        `${[...this.#strangers].join(', ')} does not come from an index; upload it to the site instead`,
      );
    return [...this.#pins.values()];
  }

  /**
   * Where extras or groups exclude each other, uv writes into markers which of them are on, as extras of its own:
   * `extra == 'extra-3-app-cpu'`, the number being the length of the name behind it.
   */
  #conflictNames(): string[] {
    return this.#roots.flatMap(({ name }) => [
      `project-${name.length}-${name}`,
      ...this.#extras.map((extra) => `extra-${name.length}-${name}-${extra}`),
      ...this.#groups.map((group) => `group-${name.length}-${name}-${group}`),
    ]);
  }

  #followGroups(groups: Record<string, Dependency[]> | undefined): void {
    for (const [group, members] of Object.entries(groups ?? {})) {
      if (this.#groups.includes(normalizeName(group))) for (const one of members) this.#follow(one);
    }
  }

  #visit(one: Package, extras: readonly string[]): void {
    if (!isLocal(one.source)) this.#pin(one);
    for (const extra of ['', ...extras]) {
      const mark = `${one.name} ${one.version ?? ''} ${JSON.stringify(one.source)} ${extra}`;
      if (this.#done.has(mark)) continue;
      this.#done.add(mark);
      const optional = Object.entries(one['optional-dependencies'] ?? {});
      const found = extra === '' ? one.dependencies : optional.find(([key]) => normalizeName(key) === extra)?.[1];
      for (const next of found ?? []) this.#follow(next);
    }
  }

  #follow(next: Dependency): void {
    if (!this.#holds(next.marker)) return;
    const found = this.#lock.package.filter(
      (one) =>
        one.name === next.name &&
        (next.version === undefined || one.version === next.version) &&
        (next.source === undefined || JSON.stringify(one.source) === JSON.stringify(next.source)),
    );
    // one name may stand there in several versions, each for some environments
    const fits = (one: Package) => one['resolution-markers']?.some((marker) => this.#holds(marker)) ?? true;
    const chosen = found.length > 1 ? found.find(fits) : found[0];
    if (!chosen) throw wrong(this.#name, `${next.name} is needed and not in it; run "uv lock" again`);
    this.#visit(chosen, [...(next.extra ?? []), ...(next.extras ?? [])].map(normalizeName));
  }

  #holds(text: string | undefined): boolean {
    if (text === undefined) return true;
    const marker = parseMarker(text);
    if (!marker) throw wrong(this.#name, `"${text}" is no marker`);
    return evaluateMarker(marker, this.#environment);
  }

  #pin(one: Package): void {
    const { registry } = one.source;
    if (typeof registry !== 'string' || one.version === undefined) {
      this.#strangers.add(one.name);
      return;
    }
    const files = [...(one.wheels ?? []), ...(one.sdist ? [one.sdist] : [])];
    const hashes = files.map(({ hash }) => hash).filter((hash) => hash !== undefined);
    const project = normalizeName(one.name);
    this.#pins.set(`${project} ${one.version}`, {
      project,
      version: one.version,
      registry,
      decided: true,
      why: this.#name,
      ...(hashes.length > 0 ? { hashes: new Set(hashes) } : {}),
    });
  }
}
