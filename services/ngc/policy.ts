import { idOf } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { placeOf } from './refs.ts';

/** Which models and resources may be asked for upstream. */
export interface Policy {
  /** Why not `org/team/name`; undefined when it may. */
  refuses(id: string): string | undefined;
  /** The same for a name of the catalog. */
  refusesKey(key: string): string | undefined;
}

export function policyOf(config: NgcConfig): Policy {
  const [hidden, denied, allowed] = [config.private, config.deny, config.allow].map((list) => list.map(globRegExp));
  const fits = (id: string, patterns: readonly RegExp[]) => patterns.some((pattern) => pattern.test(id));
  const refuses = (id: string) => {
    if (fits(id, hidden!)) return `"${id}" is private here and is never asked for upstream (ngc.private)`;
    if (fits(id, denied!)) return `"${id}" is not allowed here (ngc.deny)`;
    const may = allowed!.length === 0 || fits(id, allowed!);
    return may ? undefined : `"${id}" is not among what is allowed here (ngc.allow)`;
  };
  const refusesKey = (key: string) => {
    const place = placeOf(key);
    return place && refuses(idOf(place.artifact));
  };
  return { refuses, refusesKey };
}

/** `*` stands for any characters. */
export function globRegExp(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i');
}
