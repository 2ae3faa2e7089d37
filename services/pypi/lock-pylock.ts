import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import type { LockOptions, Pin } from './locks.ts';
import { normalizeName } from './project-name.ts';
import { evaluateMarker, parseMarker } from './python/markers.ts';
import type { Target } from './python/target.ts';

const file = z.looseObject({ hashes: z.record(z.string(), z.string()).optional() });
const lockSchema = z.looseObject({
  'lock-version': z.string(),
  packages: z.array(
    z.looseObject({
      name: z.string(),
      version: z.string().optional(),
      marker: z.string().optional(),
      wheels: z.array(file).optional(),
      sdist: file.optional(),
      vcs: z.unknown().optional(),
      directory: z.unknown().optional(),
      archive: z.unknown().optional(),
    }),
  ),
});

/** `pylock.toml` (PEP 751): every package with its marker; those that hold for the target are installed. */
export function readPylock(table: Record<string, unknown>, target: Target, options: LockOptions, name: string): Pin[] {
  const parsed = lockSchema.safeParse(table);
  if (!parsed.success)
    throw wrong(name, `${parsed.error.issues[0]!.path.join('.')}: ${parsed.error.issues[0]!.message}`);
  if (!parsed.data['lock-version'].startsWith('1.'))
    throw wrong(name, `its version is ${parsed.data['lock-version']}; 1.x can be read`);
  const environment = { ...target.environment, extras: options.extras, groups: options.groups };
  const pins: Pin[] = [];
  for (const entry of parsed.data.packages) {
    const marker = entry.marker === undefined ? undefined : parseMarker(entry.marker);
    if (entry.marker !== undefined && !marker) throw wrong(name, `${entry.name}: "${entry.marker}" is no marker`);
    if (marker && !evaluateMarker(marker, environment)) continue;
    if (entry.directory) continue;
    if (entry.vcs || entry.archive || entry.version === undefined)
      throw wrong(name, `${entry.name} does not come from an index; upload it to the site instead`);
    const sha256 = [...(entry.wheels ?? []), ...(entry.sdist ? [entry.sdist] : [])]
      .map(({ hashes }) => hashes?.sha256)
      .filter((hex) => hex !== undefined);
    pins.push({
      project: normalizeName(entry.name),
      version: entry.version,
      why: name,
      ...(sha256.length > 0 ? { sha256: new Set(sha256) } : {}),
    });
  }
  return pins;
}

function wrong(name: string, message: string): MirrorError {
  return new MirrorError('bad-request', 'manifest', `${name}: ${message}`);
}
