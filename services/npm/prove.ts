import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isKind, type MirrorError } from '../../shared/model/errors.ts';
import type { ClosureEnvironment, Context, ManifestItem, MissingEdge } from '../../shared/service/service.ts';
import { sideBySide } from '../../shared/storage/side-by-side.ts';
import type { NpmConfig } from './config.ts';
import { Holdings } from './holdings.ts';
import { itemOf, type NpmItem, targetsOf } from './items.ts';
import { ignoresPeers, writeProject } from './lock-project.ts';
import { type ReadLock, readLock } from './locks.ts';
import { type NpmSite, runNpm } from './npm-command.ts';
import { resolveSpecs } from './resolve.ts';
import { readResolved } from './resolved.ts';
import type { Rooms } from './rooms.ts';
import { isEverything, runsOn, shownPlatforms, type Target } from './targets.ts';
import { chosenBy, idOf, isNeededOn, type Locked } from './wishes.ts';

/** Packages that are looked up side by side. */
const AT_ONCE = 16;

/**
 * Proves an item from the bundle alone: every version that a target needs must be held as its lock promises it, what was
 * asked for by name must resolve again, and npm itself must install the locks that it can read.
 */
export async function* prove(
  context: Context<NpmConfig>,
  { packages }: Rooms,
  item: ManifestItem,
  environment: ClosureEnvironment,
): AsyncGenerator<MissingEdge> {
  const npm = itemOf(item);
  const { url, workDir, signal } = environment;
  const site = { program: context.config.npm, url, workDir, home: 'npm-prove', signal };
  const proof = new Proof(new Holdings(context, packages), npm, targetsOf(npm, item.defaults), environment, site);
  yield* proof.edges();
}

class Proof {
  readonly #holdings: Holdings;
  readonly #item: NpmItem;
  readonly #targets: Target[];
  readonly #environment: ClosureEnvironment;
  readonly #site: NpmSite;

  constructor(holdings: Holdings, item: NpmItem, targets: Target[], environment: ClosureEnvironment, site: NpmSite) {
    this.#holdings = holdings;
    this.#item = item;
    this.#targets = targets;
    this.#environment = environment;
    this.#site = site;
  }

  async *edges(): AsyncGenerator<MissingEdge> {
    const { packages, lockfile } = this.#item;
    const resolved = await readResolved(this.#environment.workDir, this.#item);
    const locks =
      resolved?.locks ?? (lockfile ? [await readLock(lockfile, this.#environment.baseDir, this.#item)] : []);
    const left = new Set(resolved?.left);
    const gaps: MissingEdge[] = [];
    for (const lock of locks) gaps.push(...(await this.#gaps(this.#wanted(lock, left))));
    yield* gaps;
    if (gaps.length > 0) return;
    const again = packages ? await this.#resolveAgain() : { locks: [] };
    if (again.edge) yield again.edge;
    for (const lock of resolved ? locks : [...locks, ...again.locks])
      yield* this.#install(lock, this.#wanted(lock, left));
  }

  #wanted(lock: ReadLock, left: ReadonlySet<string>): Locked[] {
    return lock.packages.filter(chosenBy(this.#item)).filter((locked) => !left.has(idOf(locked)));
  }

  /** What the targets need and the bundle lacks. */
  async #gaps(wanted: readonly Locked[]): Promise<MissingEdge[]> {
    const found = await sideBySide(wanted, AT_ONCE, async (locked) => {
      this.#environment.signal.throwIfAborted();
      const targets = this.#targets.filter((target) => isNeededOn(target, locked));
      if (targets.length === 0) return [];
      const problem = await this.#holdings.problem(locked);
      return targets.flatMap((target) => {
        const message = problem ?? stuck(locked, target);
        return message === undefined
          ? []
          : [{ target: target.name, message: `${locked.name} ${locked.version}: ${message}` }];
      });
    });
    return found.flat();
  }

  /** Names must come to something where only the bundle is asked: a client there may have no lock. */
  async #resolveAgain(): Promise<{ locks: ReadLock[]; edge?: MissingEdge }> {
    try {
      return { locks: await resolveSpecs(this.#item.packages!, this.#site) };
    } catch (error) {
      if (!isKind(error, 'conflict')) throw error;
      return { locks: [], edge: { target: 'npm install', message: error.message } };
    }
  }

  /** npm's own word on it, target by target; what one has brought is in the cache for the next. */
  async *#install(lock: ReadLock, wanted: readonly Locked[]): AsyncGenerator<MissingEdge> {
    const { workDir, url, note } = this.#environment;
    const targets = this.#targets.map(({ name }) => name).join(', ');
    const count = `${lock.file}: ${wanted.length} packages`;
    if (lock.kind !== 'npm') return note(`${count} are held as it promises them, for ${targets}`);
    const folder = await mkdtemp(join(workDir, 'install-'));
    try {
      if (!(await writeProject(lock, folder, url)))
        return note(`${count} are held, for ${targets}; npm could not judge: the lock leads out of its folder`);
      const edges = await this.#verdicts(lock, wanted, folder);
      yield* edges;
      if (edges.length === 0) note(`${count} can be installed from the bundle alone, by npm too, for ${targets}`);
    } catch (error) {
      if (!isKind(error, 'unavailable')) throw error;
      note(`${count} are held, for ${targets}; npm could not judge: ${(error as MirrorError).message}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Targets that get the same packages are one to npm. */
  async #verdicts(lock: ReadLock, wanted: readonly Locked[], folder: string): Promise<MissingEdge[]> {
    const verdicts = new Map<string, string | undefined>();
    const edges: MissingEdge[] = [];
    for (const target of this.#targets) {
      const set = wanted.filter((locked) => isNeededOn(target, locked)).map(idOf);
      const mark = set.join(' ');
      if (!verdicts.has(mark)) verdicts.set(mark, await this.#ci(lock, folder, target));
      const words = verdicts.get(mark);
      if (words) edges.push({ target: target.name, message: `npm ci of ${lock.file} says:\n    ${words}` });
    }
    return edges;
  }

  /** @returns npm's words when it fails */
  async #ci(lock: ReadLock, folder: string, target: Target): Promise<string | undefined> {
    const args = [
      ...['ci', '--no-bin-links', ...flagsOf(target)],
      ...(this.#item.dev ? [] : ['--omit', 'dev']),
      ...(this.#item.optional ? [] : ['--omit', 'optional']),
      ...((await ignoresPeers(lock)) ? ['--legacy-peer-deps'] : []),
    ];
    let failure = await runNpm(args, folder, this.#site);
    // it compares what is not optional with this machine, whatever it is told; what the target takes was seen to above
    if (failure?.code === 'EBADPLATFORM') failure = await runNpm([...args, '--force'], folder, this.#site);
    return failure && (failure.words || failure.code);
  }
}

/** As npm takes them; what is for all is installed as it would be here. */
function flagsOf(target: Target): string[] {
  const { os, cpu, libc } = target;
  if (isEverything(target)) return [];
  return ['--os', os, '--cpu', cpu, ...(libc ? ['--libc', libc] : [])];
}

/** Why a target cannot do with what is held. */
function stuck({ platforms, everywhere }: Locked, target: Target): string | undefined {
  if (everywhere || !platforms || runsOn(platforms, target)) return undefined;
  return `it is for ${shownPlatforms(platforms)}, and nothing says that it is optional`;
}
