import { compareBuild } from 'semver';
import { MirrorError } from '../../shared/model/errors.ts';
import { type Platforms, runsOn, type Target } from './targets.ts';

/** A version that a lock has chosen. */
export interface Locked {
  name: string;
  version: string;
  /** Subresource Integrity, all that the lock says of it; empty when it says nothing. */
  integrity: readonly string[];
  /** Where it runs, when the lock tells. */
  platforms?: Platforms;
  /** Only development needs it. */
  dev: boolean;
  /** Nothing fails without it. */
  optional: boolean;
  /** Development needs it, or something that is optional. */
  devOptional: boolean;
  /** Who reads this lock fetches it on every platform, also where it does not run. */
  everywhere?: boolean;
  /** `app/package-lock.json` */
  why: string;
}

/** True when a target must find it. What is not optional is for all, or nothing is installed. */
export function isNeededOn(target: Target, locked: Locked, platforms = locked.platforms): boolean {
  return Boolean(locked.everywhere) || !locked.optional || !platforms || runsOn(platforms, target);
}

/** A lock, whoever wrote it. */
export interface Lock {
  /** As the manifest names it. */
  file: string;
  kind: 'npm' | 'pnpm' | 'yarn' | 'berry' | 'bun';
  packages: Locked[];
  /** What comes from elsewhere than a registry, in words. */
  strangers: string[];
}

export interface LockOptions {
  /** Take what only development needs. */
  dev: boolean;
  /** Take what nothing fails without. */
  optional: boolean;
}

/** What the options leave of a lock, as `npm ci --omit` leaves it. */
export function chosenBy(options: LockOptions): (locked: Locked) => boolean {
  return ({ dev, optional, devOptional }) => {
    if (dev && !options.dev) return false;
    if (optional && !options.optional) return false;
    return !devOptional || options.dev || options.optional;
  };
}

/** One entry per name and version: a tree holds a version in many places. */
export class LockedSet {
  readonly #byId = new Map<string, Locked>();

  add(locked: Locked): void {
    const id = idOf(locked);
    const known = this.#byId.get(id);
    if (!known) return void this.#byId.set(id, locked);
    const platforms = known.platforms ?? locked.platforms;
    const everywhere = known.everywhere || locked.everywhere;
    const more = { ...(platforms ? { platforms } : {}), ...(everywhere ? { everywhere } : {}) };
    this.#byId.set(id, { ...known, ...joined(known, locked), ...more });
  }

  /** In the order of their names. */
  list(): Locked[] {
    return [...this.#byId.values()].sort(
      (a, b) => Number(a.name > b.name) - Number(a.name < b.name) || compareBuild(a.version, b.version),
    );
  }
}

/** `react@19.0.0` */
export function idOf({ name, version }: Pick<Locked, 'name' | 'version'>): string {
  return `${name}@${version}`;
}

/** What one place needs is needed, whatever the other says. */
function joined(a: Locked, b: Locked): Pick<Locked, 'dev' | 'optional' | 'devOptional' | 'integrity'> {
  const dev = a.dev && b.dev;
  const optional = a.optional && b.optional;
  const isFree = (one: Locked) => one.dev || one.optional || one.devOptional;
  return {
    dev,
    optional,
    devOptional: isFree(a) && isFree(b) && !dev && !optional,
    integrity: [...new Set([...a.integrity, ...b.integrity])],
  };
}

/** A lock that cannot be used, and why. */
export function wrongLock(file: string, why: string): MirrorError {
  return new MirrorError('bad-request', 'manifest', `${file}: ${why}`);
}
