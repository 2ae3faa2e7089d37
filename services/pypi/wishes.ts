import type { Target } from './python/target.ts';

/** One distribution that a target gets. */
export interface Pin {
  /** Normalised. */
  project: string;
  version: string;
  /** `sha256:<hex>` of the files that the lock allows; any file of the version when unset. */
  hashes?: ReadonlySet<string>;
  /** The index that the lock names. */
  registry?: string;
  /** The lock decides, whatever METADATA says: installers take it without resolving. */
  decided?: boolean;
  /** Where it was asked for: `uv.lock`, `requirements.txt:3`. */
  why: string;
}

/** What a manifest item comes to. */
export interface Wishes {
  /** Exact for a target. Throws `bad-request` when the lock is not for it. */
  pins(target: Target): Pin[];
  /** Requirements that a resolver must turn into pins. */
  loose: Line[];
  /** Bounds on what it may choose. */
  constraints: string[];
  /** Pre-releases are welcome (`--pre`). */
  prereleases: boolean;
  /** Projects whose requirements the lock changes on purpose. */
  overridden: ReadonlySet<string>;
  /** What was passed over, in words. */
  notes: string[];
}

/** A line of a requirements file. */
export interface Line {
  text: string;
  /** `requirements.txt:3` */
  why: string;
}

export interface LockOptions {
  extras: readonly string[];
  /** Unset: those that a lock has for its default. */
  groups?: readonly string[];
}

/** Nothing, to be filled. */
export function noWishes(): Wishes {
  return { pins: () => [], loose: [], constraints: [], prereleases: false, overridden: new Set(), notes: [] };
}

export function joinWishes(parts: readonly Wishes[]): Wishes {
  return {
    pins: (target) => parts.flatMap((part) => part.pins(target)),
    loose: parts.flatMap((part) => part.loose),
    constraints: parts.flatMap((part) => part.constraints),
    prereleases: parts.some((part) => part.prereleases),
    overridden: new Set(parts.flatMap((part) => [...part.overridden])),
    notes: parts.flatMap((part) => part.notes),
  };
}
