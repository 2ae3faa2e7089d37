import type { Promised } from '../../shared/model/digest.ts';
import type { Dist } from './packument.ts';
import { promisedBy } from './refs.ts';
import type { Locked } from './wishes.ts';

/** What a lock promises of a tarball, beside what its registry promises. */
export interface LockPromise {
  /** What the registry says nothing of. */
  further: Promised | undefined;
  /** Where they say different things, in words. */
  differs?: string;
}

/** Compares what a lock says of a tarball with what its registry says. */
export function promisesOf(
  { integrity, why }: Pick<Locked, 'integrity' | 'why'>,
  dist: Dist,
  registry: string,
): LockPromise {
  const known = hashesOf(promisedBy(dist));
  let further: Promised | undefined;
  for (const text of integrity) {
    for (const part of text.split(/\s+/)) {
      const said = promisedBy({ tarball: '', integrity: part });
      for (const [algorithm, hash] of hashesOf(said)) {
        const theirs = known.get(algorithm);
        if (theirs === undefined) further = joined(further, said);
        else if (theirs !== hash) return { further, differs: difference(why, registry, algorithm, hash, theirs) };
      }
    }
  }
  return { further };
}

/** Both, where both are needed. */
export function joined(a: Promised | undefined, b: Promised | undefined): Promised | undefined {
  if (!a || !b) return a ?? b;
  return { ...a, ...defined(b), others: { ...a.others, ...b.others } };
}

function defined(promised: Promised): Promised {
  return Object.fromEntries(Object.entries(promised).filter(([, value]) => value !== undefined));
}

function hashesOf({ sha512, sha256, others }: Promised): Map<string, string> {
  const all = { ...others, ...(sha512 ? { sha512 } : {}), ...(sha256 ? { sha256 } : {}) };
  return new Map(Object.entries(all));
}

function difference(why: string, registry: string, algorithm: string, ours: string, theirs: string): string {
  const shown = (hex: string) => `${algorithm}-${Buffer.from(hex, 'hex').toString('base64')}`;
  return `${why} promises ${shown(ours)}, and the registry "${registry}" says ${shown(theirs)}: one of the two was changed`;
}
