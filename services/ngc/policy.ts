import { refusalBy } from '../../shared/upstream/allow-list.ts';
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
  const refuses = refusalBy('ngc', config, matchesAny);
  const refusesKey = (key: string) => {
    const place = placeOf(key);
    return place && refuses(idOf(place.artifact));
  };
  return { refuses, refusesKey };
}
