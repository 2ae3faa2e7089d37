import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import { normalizeName } from './project-name.ts';
import { evaluateMarker, type MarkerEnvironment, parseMarker } from './python/markers.ts';
import { parseSpecifiers, satisfies } from './python/specifiers.ts';
import type { Target } from './python/target.ts';
import { type LockOptions, noWishes, type Pin, type Wishes } from './wishes.ts';

const file = z.looseObject({ hashes: z.record(z.string(), z.string()).optional() });
const packageSchema = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  marker: z.string().optional(),
  index: z.string().optional(),
  wheels: z.array(file).optional(),
  sdist: file.optional(),
  vcs: z.unknown().optional(),
  directory: z.unknown().optional(),
  archive: z.unknown().optional(),
});
type Package = z.infer<typeof packageSchema>;
const lockSchema = z.looseObject({
  'lock-version': z.string(),
  environments: z.array(z.string()).optional(),
  'requires-python': z.string().optional(),
  extras: z.array(z.string()).optional(),
  'dependency-groups': z.array(z.string()).optional(),
  'default-groups': z.array(z.string()).optional(),
  packages: z.array(packageSchema),
});

/**
 * `pylock.toml` (https://packaging.python.org/en/latest/specifications/pylock-toml/): every package with its marker;
 * those whose marker holds are installed as they are.
 */
export function readPylock(table: Record<string, unknown>, options: LockOptions, name: string): Wishes {
  const parsed = lockSchema.safeParse(table);
  if (!parsed.success)
    throw wrong(name, `${parsed.error.issues[0]!.path.join('.')}: ${parsed.error.issues[0]!.message}`);
  const lock = parsed.data;
  // "Tools MUST error if the major version is unknown"
  if (!lock['lock-version'].startsWith('1.'))
    throw wrong(name, `its version is ${lock['lock-version']}; 1.x can be read`);
  checkNames(name, 'extra', options.extras, lock.extras);
  checkNames(name, 'group', options.groups ?? [], lock['dependency-groups']);
  const wanted = { extras: options.extras, groups: options.groups ?? lock['default-groups'] ?? [] };
  const pins = (target: Target) => {
    const environment = { ...target.environment, ...wanted };
    checkPython(name, lock['requires-python'], target);
    const isFor = lock.environments?.some((marker) => holds(marker, environment, name)) ?? true;
    if (!isFor) throw wrong(name, `it is not for ${target.name}: ${lock.environments!.join(' or ')}`);
    const chosen = lock.packages.filter(({ marker }) => marker === undefined || holds(marker, environment, name));
    return chosen.filter(({ directory }) => !directory).map((one) => pinOf(one, name));
  };
  const local = lock.packages.filter(({ directory }) => directory);
  return { ...noWishes(), pins, notes: local.map((one) => `${name}: ${one.name} is left out, it is a folder`) };
}

function pinOf(one: Package, name: string): Pin {
  if (one.vcs || one.archive || one.version === undefined)
    throw wrong(name, `${one.name} does not come from an index; upload it to the site instead`);
  const files = [...(one.wheels ?? []), ...(one.sdist ? [one.sdist] : [])];
  const hashes = files.flatMap((each) => Object.entries(each.hashes ?? {}).map(([kind, hex]) => `${kind}:${hex}`));
  return {
    project: normalizeName(one.name),
    version: one.version,
    registry: one.index,
    decided: true,
    why: name,
    ...(hashes.length > 0 ? { hashes: new Set(hashes) } : {}),
  };
}

function holds(text: string, environment: MarkerEnvironment, name: string): boolean {
  const marker = parseMarker(text);
  if (!marker) throw wrong(name, `"${text}" is no marker`);
  return evaluateMarker(marker, environment);
}

/** A name that a lock does not have would bring nothing, silently. */
export function checkNames(
  lock: string,
  what: 'extra' | 'group',
  asked: readonly string[],
  known: readonly string[] | undefined,
): void {
  const names = (known ?? []).map(normalizeName);
  const unknown = asked.filter((one) => !names.includes(normalizeName(one)));
  if (unknown.length > 0)
    throw wrong(lock, `it has no ${what} "${unknown.join('", "')}"; it has ${names.join(', ') || 'none'}`);
}

/** Throws when a lock was not made for the Python of a target. */
export function checkPython(lock: string, requiresPython: string | undefined, target: Target): void {
  const set = parseSpecifiers(requiresPython ?? '');
  const version = target.environment.values.python_full_version!;
  if (set && !satisfies(version, set, { prereleases: true }))
    throw wrong(
      lock,
      `it is for Python ${requiresPython}, and ${target.name} is ${version}; a target may name its patch ("3.12.4")`,
    );
}

export function wrong(lock: string, message: string): MirrorError {
  return new MirrorError('bad-request', 'manifest', `${lock}: ${message}`);
}
