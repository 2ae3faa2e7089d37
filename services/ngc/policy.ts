import { idOf } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { matchesAny } from './glob.ts';
import { placeOf } from './refs.ts';

/** Which models and resources may be asked for upstream. */
export interface Policy {
  /** Why not `org/team/name`; undefined when it may. */
  refuses(id: string): string | undefined;
  /** The same for a name of the catalog. */
  refusesKey(key: string): string | undefined;
}

export function policyOf(config: NgcConfig): Policy {
  const { private: hidden, deny: denied, allow: allowed } = config;
  const refuses = (id: string) => {
    if (matchesAny(id, hidden)) return `"${id}" is private here and is never asked for upstream (ngc.private)`;
    if (matchesAny(id, denied)) return `"${id}" is not allowed here (ngc.deny)`;
    const may = allowed.length === 0 || matchesAny(id, allowed);
    return may ? undefined : `"${id}" is not among what is allowed here (ngc.allow)`;
  };
  const refusesKey = (key: string) => {
    const place = placeOf(key);
    return place && refuses(idOf(place.artifact));
  };
  return { refuses, refusesKey };
}
