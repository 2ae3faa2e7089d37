import type { RequestHandler } from 'express';
import { send } from '../../shared/http/send.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { isPackageName, isVersion } from './package-name.ts';
import { type Asked, attestationsKey, escaped, PRIVATE } from './refs.ts';
import type { Rooms } from './rooms.ts';

/** What a version's publisher attests of it: written once when it is published, so hardly ever asked for again. */
export function attestationsRef(origin: Asked, name: string, version: string): Ref {
  return {
    key: attestationsKey(origin.name, name, version),
    subject: 'attestations',
    label: `the attestations of ${name}@${version}`,
    source: `${origin.url}-/npm/v1/attestations/${escaped(name)}@${version}`,
    origin: origin.name,
    accept: 'application/json',
    freshness: { fresh: 86_400, stale: 30 * 86_400 },
  };
}

/** `/-/npm/v1/attestations/<name>@<version>`, the slash of a scope escaped or not. */
export function attestationsHandler({ context, origins, packages }: Omit<Rooms, 'policy'>): RequestHandler {
  return async (req, res) => {
    const { name, version } = specIn(req.params.spec as unknown as string[]);
    const { origin: owner } = await packages.record(name, version);
    const origin = owner === PRIVATE ? undefined : (await origins.list()).find((one) => one.name === owner);
    if (!origin)
      throw new MirrorError('not-found', 'attestations', `nothing is attested of ${name}@${version}, published here`);
    await send(req, res, await context.mirror.open(attestationsRef(origin, name, version)));
  };
}

function specIn(segments: readonly string[]): { name: string; version: string } {
  const spec = segments.join('/');
  const at = spec.lastIndexOf('@');
  const [name, version] = [spec.slice(0, at), spec.slice(at + 1)];
  if (at > 0 && isPackageName(name) && isVersion(version)) return { name, version };
  const message = `"${spec.slice(0, 300)}" is no <name>@<version>`;
  throw new MirrorError('bad-request', 'attestations', message);
}
