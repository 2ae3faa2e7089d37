import type { Ref } from '../../shared/model/ref.ts';
import { type Asked, keysKey } from './refs.ts';

/**
 * The keys with which a registry signs its versions: `npm audit signatures` checks with them
 * ("About registry signatures" in its documentation).
 */
export function keysRef(origin: Asked): Ref {
  return {
    key: keysKey(origin.name),
    subject: 'keys',
    label: `the signing keys of "${origin.name}"`,
    source: `${origin.url}-/npm/v1/keys`,
    origin: origin.name,
    accept: 'application/json',
    freshness: { fresh: 3600, stale: 86_400 },
  };
}
