import type { Ref } from '../../shared/model/ref.ts';
import { type Asked, advisoriesKey } from './refs.ts';

/** Where registries are asked for advisories, below their address: names with versions in, advisories by name out. */
export const BULK = '-/npm/v1/security/advisories/bulk';

/**
 * What an origin's audit says of one package: asked once for all versions that it has, so that a site without a network
 * can tell for any of them. The answer is `{ "<name>": [advisory, …] }`, and `{}` where nothing is known against it.
 * An origin without an audit has no such thing; bundles bring these as `optional`.
 * @param versions all that the origin lists
 */
export function advisoriesRef(origin: Asked, name: string, versions: readonly string[]): Ref {
  return {
    key: advisoriesKey(origin.name, name),
    subject: 'advisories',
    label: `advisories about "${name}"`,
    source: `${origin.url}${BULK}`,
    origin: origin.name,
    accept: 'application/json',
    posted: { body: JSON.stringify({ [name]: versions }), mediaType: 'application/json' },
    freshness: { fresh: 3600, stale: 86_400 },
  };
}
