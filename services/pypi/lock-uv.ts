import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import type { LockOptions, Pin } from './locks.ts';
import { normalizeName } from './project-name.ts';
import { evaluateMarker, type MarkerEnvironment, parseMarker } from './python/markers.ts';
import type { Target } from './python/target.ts';

const dependency = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  marker: z.string().optional(),
  extra: z.array(z.string()).optional(),
});
const file = z.looseObject({ hash: z.string().optional() });
const packageSchema = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  source: z.record(z.string(), z.unknown()),
  'resolution-markers': z.array(z.string()).optional(),
  dependencies: z.array(dependency).optional(),
  'optional-dependencies': z.record(z.string(), z.array(dependency)).optional(),
  'dev-dependencies': z.record(z.string(), z.array(dependency)).optional(),
  sdist: file.optional(),
  wheels: z.array(file).optional(),
});
type Package = z.infer<typeof packageSchema>;
type Dependency = z.infer<typeof dependency>;
const lockSchema = z.looseObject({ version: z.number(), package: z.array(packageSchema).default([]) });

/** `uv.lock`: one resolution for all environments; the walk from the project takes what holds for the target. */
export function readUvLock(table: Record<string, unknown>, target: Target, options: LockOptions, name: string): Pin[] {
  const parsed = lockSchema.safeParse(table);
  if (!parsed.success)
    throw wrong(name, `${parsed.error.issues[0]!.path.join('.')}: ${parsed.error.issues[0]!.message}`);
  if (parsed.data.version !== 1) throw wrong(name, `its version is ${parsed.data.version}; 1 can be read`);
  return new Walk(parsed.data.package, target, options, name).pins();
}

class Walk {
  readonly #packages: readonly Package[];
  readonly #environment: MarkerEnvironment;
  readonly #options: LockOptions;
  readonly #name: string;
  readonly #pins = new Map<string, Pin>();
  readonly #done = new Set<string>();

  constructor(packages: readonly Package[], target: Target, options: LockOptions, name: string) {
    this.#packages = packages;
    this.#environment = target.environment;
    this.#options = options;
    this.#name = name;
  }

  pins(): Pin[] {
    const roots = this.#packages.filter(({ source }) => isLocal(source));
    if (roots.length === 0) throw wrong(this.#name, 'it has no project of its own to start from');
    for (const root of roots) {
      this.#visit(root, this.#options.extras);
      for (const group of this.#options.groups) {
        for (const one of root['dev-dependencies']?.[group] ?? []) this.#follow(one, []);
      }
    }
    return [...this.#pins.values()];
  }

  #visit(one: Package, extras: readonly string[]): void {
    if (!isLocal(one.source)) this.#pin(one);
    for (const part of ['', ...extras]) {
      const mark = `${one.name} ${one.version ?? ''} ${part}`;
      if (this.#done.has(mark)) continue;
      this.#done.add(mark);
      const dependencies = part === '' ? one.dependencies : one['optional-dependencies']?.[part];
      for (const dependency of dependencies ?? []) this.#follow(dependency, extras);
    }
  }

  #follow(dependency: Dependency, extras: readonly string[]): void {
    if (!this.#holds(dependency.marker, extras)) return;
    const found = this.#packages.filter(
      ({ name, version }) =>
        name === dependency.name && (dependency.version === undefined || version === dependency.version),
    );
    // one name may stand there in several versions, each for some environments
    const chosen =
      found.length > 1
        ? found.find((one) => one['resolution-markers']?.some((marker) => this.#holds(marker, extras)))
        : found[0];
    if (!chosen) throw wrong(this.#name, `${dependency.name} is needed and not in it; run "uv lock" again`);
    this.#visit(chosen, dependency.extra ?? []);
  }

  #holds(marker: string | undefined, extras: readonly string[]): boolean {
    if (marker === undefined) return true;
    const parsed = parseMarker(marker);
    if (!parsed) throw wrong(this.#name, `"${marker}" is no marker`);
    return evaluateMarker(parsed, { ...this.#environment, extras });
  }

  #pin(one: Package): void {
    if (!('registry' in one.source) || one.version === undefined) {
      throw wrong(this.#name, `${one.name} does not come from an index; upload it to the site instead`);
    }
    const hashes = [...(one.wheels ?? []), ...(one.sdist ? [one.sdist] : [])].map(
      ({ hash }) => /^sha256:([0-9a-f]{64})$/.exec(hash ?? '')?.[1],
    );
    const sha256 = new Set(hashes.filter((hex) => hex !== undefined));
    const project = normalizeName(one.name);
    this.#pins.set(`${project} ${one.version}`, {
      project,
      version: one.version,
      why: this.#name,
      ...(sha256.size > 0 ? { sha256 } : {}),
    });
  }
}

function isLocal(source: Record<string, unknown>): boolean {
  return 'virtual' in source || 'editable' in source || 'directory' in source;
}

function wrong(name: string, message: string): MirrorError {
  return new MirrorError('bad-request', 'manifest', `${name}: ${message}`);
}
