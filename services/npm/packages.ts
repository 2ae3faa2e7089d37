import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Freshness } from '../../shared/model/freshness.ts';
import type { Context } from '../../shared/service/service.ts';
import { isOldEnough } from '../../shared/upstream/name-policy.ts';
import type { NpmConfig } from './config.ts';
import { heldVersions, onlyHeld, recordOf } from './held-versions.ts';
import type { LocalPackages } from './local-packages.ts';
import { OriginPackuments } from './origin-packuments.ts';
import type { Origin, Origins } from './origins.ts';
import { Package } from './package.ts';
import { isPackageName } from './package-name.ts';
import type { VersionManifest, VersionRecord } from './packument.ts';
import { readPackument } from './packument-text.ts';
import type { Policy } from './policy.ts';
import { localKey, PRIVATE, packumentKey, tarballKey } from './refs.ts';

/** Names that a registry has not, and browsers ask for. */
const NO_PACKAGES = new Set(['favicon.ico', 'robots.txt', 'node_modules']);

/** Seconds: nobody is asked more often, whatever clients name. */
const ANEW: Freshness = { fresh: 10, stale: 0 };

interface Parts {
  origins: Origins;
  policy: Policy;
  locals: LocalPackages;
}

/** A version, and who has it: an origin's name, or `private`. */
export interface FoundVersion {
  origin: string;
  record: VersionRecord;
  /** Of its tarball, where that is held. */
  entry?: Entry;
}

/**
 * Which package is offered under a name: the one that was published here, else that of the first origin that knows it.
 * An origin that cannot be asked is not passed over: the next one might have something else by that name.
 */
export class Packages {
  readonly #context: Context<NpmConfig>;
  readonly #parts: Parts;
  readonly #packuments: OriginPackuments;

  constructor(context: Context<NpmConfig>, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
    this.#packuments = new OriginPackuments(context);
  }

  /** Throws `not-found`, `not-held`, `forbidden`, or what kept an origin from answering. */
  async find(name: string): Promise<Package> {
    this.check(name);
    if (await this.isPrivate(name)) return this.#private(name);
    const origins = await this.#asked(name);
    return this.#context.listing === 'held' ? this.#held(name, origins) : this.#listed(name, origins);
  }

  /**
   * A version, and who has it: what is held is found by its name alone, and then nobody is asked for it; else the
   * packument says what it must be.
   */
  async record(name: string, version: string): Promise<FoundVersion> {
    this.check(name);
    this.#parts.policy.checkVersion(name, version);
    const origins = await this.#asked(name);
    const held = (await this.#seemsPrivate(name)) ? undefined : await this.#heldOf(origins, name, version);
    if (held) return held;
    const found = (await this.isPrivate(name))
      ? await this.#heldRecord(PRIVATE, name, version)
      : await this.#originRecord(origins, name, version);
    if (found) return found;
    throw new MirrorError('not-found', 'tarball', `there is no ${name}@${version} here`);
  }

  /** Throws `not-found` for what is no name, `forbidden` for a package that the site does not want. */
  check(name: string): void {
    if (!isPackageName(name) || NO_PACKAGES.has(name))
      throw new MirrorError('not-found', 'package', `"${name.slice(0, 214)}" is no name of a package`);
    this.#parts.policy.check(name);
  }

  /** True for a name that is never asked for upstream. */
  async isPrivate(name: string): Promise<boolean> {
    return this.#parts.policy.isPrivate(name) || (await this.#parts.locals.has(name));
  }

  /** The same by the index of names alone, which learns within seconds what other replicas do. */
  async #seemsPrivate(name: string): Promise<boolean> {
    if (this.#parts.policy.isPrivate(name)) return true;
    const { catalog } = this.#context;
    const [first] = await catalog.keys(localKey(name), { limit: 1 });
    return first === localKey(name) || (await catalog.keys(tarballKey(PRIVATE, name, ''), { limit: 1 })).length > 0;
  }

  /** Origins in their order that are asked for a package. */
  async #asked(name: string): Promise<Origin[]> {
    const origins = await this.#parts.origins.forName(name);
    return origins.filter((origin) => this.#parts.policy.asks(origin, name));
  }

  /** A private name shadows all others. */
  async #private(name: string): Promise<Package> {
    const local = await this.#parts.locals.read(name);
    if (!local) throw unknown(name, 'it is a private name, and nothing was published under it');
    const versions = Object.entries(local.packument.versions).map(([version, manifest]) => [
      version,
      addressed(manifest),
    ]);
    const packument = { ...local.packument, versions: Object.fromEntries(versions) };
    const text = await readPackument(Buffer.from(JSON.stringify(packument)), name);
    const offer = { origin: PRIVATE, stamp: `${PRIVATE}:${local.stamp}`, held: text.versions.size };
    const found = new Package(name, offer, text, this.#wants(name, undefined));
    if (found.text.versions.size > 0) return found;
    throw unknown(name, noneLeft(text.versions.size, PRIVATE));
  }

  /** The first origin that knows the package has it. */
  async #listed(name: string, origins: readonly Origin[], freshness?: Freshness): Promise<Package> {
    for (const origin of origins) {
      const known = await this.#packuments.ask(origin, name, freshness);
      if (!known) continue;
      const newest = this.#parts.policy.newest(name);
      const stamp = `${origin.name}:${known.entry.digest}:${newest ?? ''}`;
      const found = new Package(name, { origin: origin.name, stamp }, known.text, this.#wants(name, newest));
      if (found.text.versions.size > 0) return found;
      throw unknown(name, noneLeft(known.text.versions.size, origin.name));
    }
    const asked = origins.map((origin) => origin.name).join(', ') || 'none may be asked';
    throw unknown(name, `no registry knows it (${asked})`);
  }

  /** The first origin of which some versions are held. */
  async #held(name: string, origins: readonly Origin[]): Promise<Package> {
    const { catalog } = this.#context;
    const newest = this.#parts.policy.newest(name);
    for (const origin of origins) {
      const held = await heldVersions(catalog, origin.name, name);
      if (held.entries.size === 0) continue;
      const known = await this.#packuments.held(origin, name);
      const text = onlyHeld(name, held, known && { text: known.text, checkedAt: known.entry.checkedAt });
      const stamp = `${origin.name}:${known?.entry.digest ?? ''}:${newest ?? ''}:${held.stamp}`;
      const offer = { origin: origin.name, stamp, held: held.entries.size };
      const found = new Package(name, offer, text, this.#wants(name, newest));
      if (found.text.versions.size > 0) return found;
      throw unknown(name, noneLeft(held.entries.size, origin.name));
    }
    throw await this.#wanted(name, origins);
  }

  /** What the site wants of a package's versions; undefined when that is all of them. */
  #wants(name: string, newest: number | undefined): ((version: string, time?: string) => boolean) | undefined {
    const blocks = this.#parts.policy.blocks(name);
    if (!blocks && newest === undefined) return undefined;
    return (version, time) => !blocks?.(version) && (newest === undefined || isOldEnough(time, newest));
  }

  async #heldOf(origins: readonly Origin[], name: string, version: string): Promise<FoundVersion | undefined> {
    for (const origin of origins) {
      const found = await this.#heldRecord(origin.name, name, version);
      if (!found) continue;
      // its packument named the host, some time ago
      const host = URL.parse(found.record.manifest.dist.tarball)?.host;
      if (host) origin.learnedHosts.add(host);
      return found;
    }
    return undefined;
  }

  async #originRecord(origins: readonly Origin[], name: string, version: string): Promise<FoundVersion> {
    const held = await this.#heldOf(origins, name, version);
    if (held) return held;
    if (this.#context.listing === 'held') throw await this.#wantedVersion(name, version, origins);
    const known = await this.#listed(name, origins);
    // whoever names a version has seen it: it may be younger than what is known of its package
    const found = known.text.versions.has(version) ? known : await this.#listed(name, origins, ANEW);
    const manifest = found.manifest(version);
    if (!manifest) throw new MirrorError('not-found', 'tarball', `${name}@${version} is not offered: ${this.#why()}`);
    const tags = Object.keys(found.tags).filter((tag) => found.tags[tag] === version);
    return { origin: found.origin, record: { manifest, time: found.text.times[version], tags } };
  }

  #why(): string {
    const cooled = this.#context.config.excludeNewer !== undefined;
    return `its registry has no such version${cooled ? ', or it is too young (npm.excludeNewer)' : ''}`;
  }

  async #heldRecord(origin: string, name: string, version: string): Promise<FoundVersion | undefined> {
    const entry = await this.#context.catalog.get(tarballKey(origin, name, version));
    const record = entry && recordOf(entry);
    if (!record) return undefined;
    return { origin, record, entry };
  }

  async #wanted(name: string, origins: readonly Origin[]): Promise<MirrorError> {
    const [first] = origins;
    if (!first) return unknown(name, 'no registry may be asked for it');
    const label = `the package "${name}"`;
    await this.#context.wants.record({ key: packumentKey(first.name, name), label, item: { npm: name } });
    return notHeld(`${label} is not held here`);
  }

  async #wantedVersion(name: string, version: string, origins: readonly Origin[]): Promise<MirrorError> {
    const [first] = origins;
    if (!first) return unknown(name, 'no registry may be asked for it');
    const label = `${name}@${version}`;
    // under the name that the tarball will have when a bundle brings it: the want is over then
    await this.#context.wants.record({ key: tarballKey(first.name, name, version), label, item: { npm: label } });
    return notHeld(`${label} is not held here`);
  }
}

/** Who publishes says where the tarball will be, or does not: it is at our own address, whatever that was. */
function addressed(manifest: VersionManifest): VersionManifest {
  const { dist } = manifest;
  if (/^https?:\/\/[^/]+\//.test(String(dist?.tarball))) return manifest;
  return { ...manifest, dist: { ...dist, tarball: 'http://private.invalid/' } };
}

function notHeld(message: string): MirrorError {
  return new MirrorError('not-held', 'package', `${message}. It was put on the list of wants for the next bundle`);
}

function noneLeft(all: number, origin: string): string {
  if (all === 0) return `its registry (${origin}) lists no version of it`;
  return `all of its ${all} versions are held back (npm.block and npm.excludeNewer say which)`;
}

function unknown(name: string, why: string): MirrorError {
  return new MirrorError('not-found', 'package', `there is no package "${name}" here: ${why}`);
}
