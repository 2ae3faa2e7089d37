import type { Ref } from '../../shared/model/ref.ts';
import { type Asked, attestationsKey, escaped } from './refs.ts';

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
