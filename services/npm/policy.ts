import semver from 'semver';
import { MirrorError } from '../../shared/model/errors.ts';
import { type Matcher, matcher, NamePolicy } from '../../shared/upstream/name-policy.ts';
import type { NpmConfig } from './config.ts';

/** What a site wants of its registry: which packages, which versions of them, and how old they must be. It fails closed. */
export class Policy extends NamePolicy {
  readonly #blocks: readonly Block[];

  /** Throws `bad-request` for a block that names no range. */
  constructor(config: NpmConfig, now: () => number) {
    super(config, now);
    this.#blocks = config.block.map(readBlock);
  }

  /** Throws `forbidden` for a package that the site does not want. */
  check(name: string): void {
    if (this.allows(name) && !this.#blocks.some((block) => block.range === '*' && block.names(name))) return;
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

  /** Says which versions of a package nobody gets; undefined when there are none such. */
  blocks(name: string): ((version: string) => boolean) | undefined {
    const ranges = this.#blocks.filter((block) => block.names(name)).map(({ range }) => range);
    if (ranges.length === 0) return undefined;
    return (version) => ranges.some((range) => semver.satisfies(version, range, { includePrerelease: true }));
  }
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
