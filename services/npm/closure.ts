import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { BundleItem, Bundling, ClosureEnvironment, Context, ManifestItem } from '../../shared/service/service.ts';
import { sideBySide } from '../../shared/storage/side-by-side.ts';
import { advisoriesRef } from './advisories.ts';
import { attestationsRef } from './attestations.ts';
import type { NpmConfig } from './config.ts';
import { itemOf, type NpmItem, npmItemSchema, targetsOf } from './items.ts';
import { keysRef } from './keys.ts';
import { joined, promisesOf } from './lock-integrity.ts';
import { type ReadLock, readLock } from './locks.ts';
import type { VersionRecord } from './packument.ts';
import { prove } from './prove.ts';
import { tarballRef } from './refs.ts';
import { resolveSpecs } from './resolve.ts';
import { keepResolved } from './resolved.ts';
import type { Rooms } from './rooms.ts';
import { platformsOf, runsOn, type Target } from './targets.ts';
import { chosenBy, idOf, isNeededOn, type Locked, LockedSet } from './wishes.ts';

/** Packages that are asked for side by side. */
const AT_ONCE = 12;

/** How `npm` items come to be tarballs, and how a bundle of them is proven. */
export function bundling(roomsFor: (context: Context<NpmConfig>) => Rooms): Bundling<NpmConfig> {
  return {
    items: { npm: npmItemSchema },
    closure: (context, item, environment) => new Closure(context, roomsFor(context), item, environment).items(),
    prove: (context, item, environment) => prove(context, roomsFor(context), item, environment),
  };
}

/** A version that is taken. */
interface Taken {
  locked: Locked;
  ref: Ref;
  record: VersionRecord;
  origin: string;
  /** Names of the targets that can install it. */
  targets: string[];
}

class Closure {
  readonly #context: Context<NpmConfig>;
  readonly #rooms: Rooms;
  readonly #item: NpmItem;
  readonly #targets: Target[];
  readonly #environment: ClosureEnvironment;
  /** What cannot be had, in words. */
  readonly #refused = new Set<string>();
  /** Versions that no target can install. */
  readonly #left = new Set<string>();
  /** Packages and origins that have brought what they have but once. */
  readonly #told = new Set<string>();

  constructor(context: Context<NpmConfig>, rooms: Rooms, item: ManifestItem, environment: ClosureEnvironment) {
    this.#context = context;
    this.#rooms = rooms;
    this.#item = itemOf(item);
    this.#targets = targetsOf(this.#item, item.defaults);
    this.#environment = environment;
  }

  /** One item per version, in the order of their names. Throws `conflict`, naming everything that cannot be had at once. */
  async *items(): AsyncGenerator<BundleItem> {
    const locks = await this.#locks();
    const wanted = this.#wanted(locks);
    const found = await sideBySide(wanted, AT_ONCE, (locked) => this.#take(locked));
    if (this.#refused.size > 0)
      throw new MirrorError(
        'conflict',
        'package',
        `some packages cannot be had:\n  ${[...this.#refused].join('\n  ')}`,
      );
    const taken = found.filter((one) => one !== undefined);
    this.#note(locks, taken);
    await keepResolved(this.#environment.workDir, this.#item, { locks, left: [...this.#left] });
    for (const one of taken) yield await this.#toItem(one);
  }

  async #locks(): Promise<ReadLock[]> {
    const { lockfile, packages } = this.#item;
    const { url, workDir, signal, baseDir } = this.#environment;
    const locks = lockfile === undefined ? [] : [await readLock(lockfile, baseDir, this.#item)];
    const site = { program: this.#context.config.npm, url, workDir, home: 'npm-resolve', signal };
    if (packages) {
      const resolve = (token?: string) => resolveSpecs(packages, { ...site, token });
      locks.push(...(await this.#context.access.lendRead('npm', resolve)));
    }
    return locks;
  }

  #wanted(locks: readonly ReadLock[]): Locked[] {
    const all = new LockedSet();
    for (const { file, strangers, packages } of locks) {
      for (const stranger of strangers)
        this.#refused.add(`${file}: ${stranger}, and a bundle carries what registries have; publish it at the site`);
      for (const locked of packages.filter(chosenBy(this.#item))) all.add(locked);
    }
    return all.list().filter((locked) => this.#isFor(locked, locked.platforms));
  }

  /** What fits no target is left out where nothing fails without it. */
  #isFor(locked: Locked, platforms = locked.platforms): boolean {
    if (this.#targets.some((target) => isNeededOn(target, locked, platforms))) return true;
    this.#left.add(idOf(locked));
    return false;
  }

  async #take(locked: Locked): Promise<Taken | undefined> {
    this.#environment.signal.throwIfAborted();
    const found = await this.#rooms.packages.record(locked.name, locked.version).catch((error) => {
      if (!isKind(error, 'not-found', 'forbidden', 'not-held', 'upstream-denied', 'conflict')) throw error;
      this.#refused.add(`${idOf(locked)} of ${locked.why}: ${error.message}`);
    });
    if (!found) return undefined;
    const { record, origin } = found;
    const platforms = locked.platforms ?? platformsOf(record.manifest);
    if (!this.#isFor(locked, platforms)) return undefined;
    const { further, differs } = promisesOf(locked, record.manifest.dist, origin);
    if (differs) this.#refused.add(`${idOf(locked)}: ${differs}`);
    const ref = tarballRef(origin, record);
    return {
      locked,
      origin,
      record,
      ref: { ...ref, promised: joined(ref.promised, further) },
      targets: this.#targets.filter((target) => !platforms || runsOn(platforms, target)).map(({ name }) => name),
    };
  }

  #note(locks: readonly ReadLock[], taken: readonly Taken[]): void {
    const { note } = this.#environment;
    const names = [...new Set(locks.map(({ file }) => file))].join(', ');
    const targets = this.#targets.map(({ name }) => name).join(', ');
    const left = this.#left.size > 0 ? `; ${this.#left.size} that none of these can install are left out` : '';
    note(`${names}: ${taken.length} packages for ${targets}${left}`);
    const scripted = taken.filter(({ record }) => hasInstallScript(record)).map(({ locked }) => idOf(locked));
    if (scripted.length > 0)
      note(`these run scripts when they are installed, and may want more than a registry has: ${scripted.join(', ')}`);
  }

  async #toItem({ locked, origin, record, ref, targets }: Taken): Promise<BundleItem> {
    const { dist } = record.manifest;
    return {
      id: `npm:${idOf(locked)}`,
      type: 'npm-package',
      refs: [ref],
      optional: await this.#beside(locked, origin, record),
      details: {
        package: locked.name,
        version: locked.version,
        integrity: dist.integrity ?? dist.shasum,
        unpackedSize: dist.unpackedSize,
        installScript: hasInstallScript(record) || undefined,
        deprecated: record.manifest.deprecated,
        published: record.time,
        why: locked.why,
        for: targets,
      },
    };
  }

  /** What clients ask for beside the tarball, where the origin has it: attestations, advisories, signing keys. */
  async #beside({ name, version }: Locked, originName: string, { manifest }: VersionRecord): Promise<Ref[]> {
    const origin = await this.#rooms.origins.named(originName);
    if (!origin) return [];
    const refs: Ref[] = [];
    if (manifest.dist.attestations) refs.push(attestationsRef(origin, name, version));
    if (this.#isNew(`${originName} ${name}`)) {
      // what is held goes along though its origin is out
      const found = await this.#rooms.packages.find(name).catch(() => undefined);
      if (found) refs.push(advisoriesRef(origin, name, [...found.text.versions.keys()]));
    }
    if (this.#isNew(originName)) refs.push(keysRef(origin));
    return refs;
  }

  #isNew(what: string): boolean {
    if (this.#told.has(what)) return false;
    this.#told.add(what);
    return true;
  }
}

/** As npm sees it: any of the three scripts, or a gyp file that it would build. */
function hasInstallScript({ manifest }: VersionRecord): boolean {
  const { scripts = {}, hasInstallScript: said } = manifest as {
    scripts?: Record<string, unknown>;
    hasInstallScript?: boolean;
  };
  return said === true || ['preinstall', 'install', 'postinstall'].some((name) => name in (scripts ?? {}));
}
