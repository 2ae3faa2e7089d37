import { PromiseCheck } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { isKind } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NpmConfig } from './config.ts';
import { promisesOf } from './lock-integrity.ts';
import { tarballRef } from './refs.ts';
import type { Rooms } from './rooms.ts';
import type { Locked } from './wishes.ts';

/** What a bundle has of the versions that locks name. */
export class Holdings {
  readonly #context: Pick<Context<NpmConfig>, 'mirror' | 'blobs'>;
  readonly #packages: Rooms['packages'];

  constructor(context: Pick<Context<NpmConfig>, 'mirror' | 'blobs'>, packages: Rooms['packages']) {
    this.#context = context;
    this.#packages = packages;
  }

  /** What is wrong with a version here, in words; undefined when its tarball is there, and is what its lock promises. */
  async problem(locked: Locked): Promise<string | undefined> {
    const found = await this.#packages.record(locked.name, locked.version).catch((error) => {
      if (isKind(error, 'not-found', 'not-held', 'forbidden')) return undefined;
      throw error;
    });
    if (!found) return 'no tarball';
    const { record, origin } = found;
    const entry = await this.#context.mirror.held(tarballRef(origin, record));
    if (!entry || !(await this.#context.blobs.isHeld(entry.digest))) return 'no tarball';
    const { further, differs } = promisesOf(locked, record.manifest.dist, origin);
    return differs ?? (further && (await this.#breaks(entry, further, locked.why)));
  }

  /** The registry did not say this hash, so nobody has compared it yet. */
  async #breaks(entry: Entry, promised: NonNullable<ReturnType<typeof promisesOf>['further']>, why: string) {
    const check = await PromiseCheck.start(promised);
    for await (const chunk of await this.#context.blobs.open(entry.digest)) check.update(chunk as Buffer);
    try {
      check.finish('tarball');
    } catch (error) {
      if (!isKind(error, 'corrupt')) throw error;
      return `it is not the tarball that ${why} promises: ${error.message}`;
    }
    return undefined;
  }
}
