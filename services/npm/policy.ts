import semver from 'semver';
import { MirrorError } from '../../shared/model/errors.ts';
import type { NpmConfig, OriginConfig } from './config.ts';

/** How finely the moment that a cooldown looks back to moves on, so that packuments are not rendered anew each time. Ms. */
const STEP = 600_000;

/** What a site wants of its registry: which packages, which versions of them, and how old they must be. It fails closed. */
export class Policy {
  readonly #config: NpmConfig;
  readonly #now: () => number;
  readonly #private: Matcher;
  readonly #allow: Matcher;
  readonly #deny: Matcher;
  readonly #exempt: Matcher;
  readonly #blocks: readonly Block[];

  /** Throws `bad-request` for a block that names no range. */
  constructor(config: NpmConfig, now: () => number) {
    this.#config = config;
    this.#now = now;
    this.#private = matcher(config.private);
    this.#allow = matcher(config.allow);
    this.#deny = matcher(config.deny);
    this.#exempt = matcher(config.excludeNewerExempt);
    this.#blocks = config.block.map(readBlock);
  }

  /** Throws `forbidden` for a package that the site does not want. */
  check(name: string): void {
    const denied = this.#deny(name) || (this.#config.allow.length > 0 && !this.#allow(name) && !this.#private(name));
    if (denied || this.#blocks.some((block) => block.range === '*' && block.names(name)))
      throw new MirrorError(
        'forbidden',
        'package',
        `the package "${name}" is not allowed here (npm.allow, npm.deny and npm.block say which are)`,
      );
  }

  /** Throws `forbidden` for a version that nobody gets. */
  checkVersion(name: string, version: string): void {
    if (!this.blocks(name)?.(version)) return;
    throw new MirrorError(
      'forbidden',
      'package',
      `${name}@${version} is not allowed here (npm.block says what is not)`,
    );
  }

  /** True for a name that never goes upstream. */
  isPrivate(name: string): boolean {
    return this.#private(name);
  }

  /** True when this origin is asked for this package. */
  asks(origin: OriginConfig, name: string): boolean {
    return (origin.allow.length === 0 || matcher(origin.allow)(name)) && !matcher(origin.deny)(name);
  }

  /** Says which versions of a package nobody gets; undefined when there are none such. */
  blocks(name: string): ((version: string) => boolean) | undefined {
    const ranges = this.#blocks.filter((block) => block.names(name)).map(({ range }) => range);
    if (ranges.length === 0) return undefined;
    return (version) => ranges.some((range) => semver.satisfies(version, range, { includePrerelease: true }));
  }

  /** The moment after which a version is too young for this package; undefined when there is none. Milliseconds. */
  newest(name: string): number | undefined {
    const setting = this.#config.excludeNewer;
    if (setting === undefined || this.#exempt(name)) return undefined;
    const length = /^(\d+)([dhm])$/.exec(setting);
    if (!length) return Date.parse(setting);
    const unit = { d: 86_400_000, h: 3_600_000, m: 60_000 }[length[2] as 'd' | 'h' | 'm'];
    return Math.floor((this.#now() - Number(length[1]) * unit) / STEP) * STEP;
  }
}

/** True for a version that was there at a moment, as far as anybody knows. @param time ISO 8601 */
export function isOldEnough(time: string | undefined, newest: number): boolean {
  const published = Date.parse(time ?? '');
  return !Number.isNaN(published) && published <= newest;
}

interface Block {
  names: Matcher;
  /** As semver writes it; `*` for all versions. */
  range: string;
}

/** `event-stream@3.3.6`, `lodash@<4.17.21`, `@evil/*`. */
function readBlock(text: string): Block {
  const at = text.lastIndexOf('@');
  const [name, wanted] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, '*'];
  const range = semver.validRange(wanted);
  if (range === null)
    throw new MirrorError('bad-request', 'settings', `npm.block: "${wanted}" of "${text}" is no range of versions`);
  return { names: matcher([name]), range };
}

type Matcher = (name: string) => boolean;

/** `*` stands for any characters; the rest for itself. */
function matcher(patterns: readonly string[]): Matcher {
  if (patterns.length === 0) return () => false;
  const sources = patterns.map((pattern) =>
    pattern
      .split('*')
      .map((part) => part.replace(/[^A-Za-z0-9]/g, '\\$&'))
      .join('.*'),
  );
  const all = new RegExp(`^(?:${sources.join('|')})$`);
  return (name) => all.test(name);
}
