import type { Promised } from '../../shared/model/digest.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { NpmConfig } from './config.ts';
import { tarballName } from './package-name.ts';
import type { Dist, VersionManifest, VersionRecord } from './packument.ts';

/*
 * Names in the catalog:
 *   packument/<origin>/<name>            as the origin sent it, in full; moves
 *   tarball/<origin>/<name>/<version>    immutable. Its header RECORD has what its packument said of it
 *   local/<name>                         what was published here, as Verdaccio keeps it; moves
 *   tarball/private/<name>/<version>     its tarballs
 *   keys/<origin>                        signing keys of a registry; moves
 *   attestations/<origin>/<name>@<version>
 *   advisories/<origin>/<name>           what an audit says of all versions that a bundle brings; moves
 */

/** The origin of what was published here. */
export const PRIVATE = 'private';
/** The header of a tarball's entry that holds a VersionRecord as JSON. */
export const RECORD = 'x-larder-version';
/** Most characters of it: longer ones leave out what installing does not need. */
const MOST_RECORD = 60_000;

export const packumentKey = (origin: string, name: string) => `packument/${origin}/${name}`;
export const tarballKey = (origin: string, name: string, version: string) => `tarball/${origin}/${name}/${version}`;
export const localKey = (name: string) => `local/${name}`;
export const keysKey = (origin: string) => `keys/${origin}`;
export const attestationsKey = (origin: string, name: string, version: string) =>
  `attestations/${origin}/${name}@${version}`;
export const advisoriesKey = (origin: string, name: string) => `advisories/${origin}/${name}`;

/** The package that a name in the catalog is about; undefined for what is about none. */
export function nameInKey(key: string): string | undefined {
  const [kind, , first, second] = key.split('/');
  if (!first || !['packument', 'tarball', 'attestations', 'advisories'].includes(kind!)) return undefined;
  const name = first.startsWith('@') ? `${first}/${second}` : first;
  return kind === 'attestations' ? name.slice(0, name.lastIndexOf('@')) : name;
}

/** What an origin must be for its Refs. */
export interface Asked {
  name: string;
  /** With a slash at its end. */
  url: string;
}

/** A name in an origin's address: "the slash of a scope is escaped", as npm does it. */
export const escaped = (name: string) => name.replace('/', '%2f');

/** A package's document at an origin, in full: the short form lacks the times that a cooldown needs. */
export function packumentRef(origin: Asked, name: string, config: NpmConfig): Ref {
  return {
    key: packumentKey(origin.name, name),
    subject: 'package',
    label: `the package "${name}"`,
    source: `${origin.url}${escaped(name)}`,
    origin: origin.name,
    accept: 'application/json',
    freshness: { fresh: config.freshSeconds, stale: config.staleSeconds },
    want: { npm: name },
  };
}

/** A tarball. Its version says its bytes, and its integrity is what everybody checks. */
export function tarballRef(origin: string, record: VersionRecord): Ref {
  const { name, version, dist } = record.manifest;
  return {
    key: tarballKey(origin, name, version),
    subject: 'tarball',
    label: tarballName(name, version),
    source: origin === PRIVATE ? '' : dist.tarball,
    origin,
    freshness: 'immutable',
    promised: promisedBy(dist),
    ifHeld: { mediaType: 'application/octet-stream', headers: {} },
    keep: { [RECORD]: recordText(record) },
    want: { npm: `${name}@${version}` },
  };
}

/** What `dist` promises: the strongest hash that it names, and the old one beside it. Weaker ones alone are promises too. */
export function promisedBy({ integrity = '', shasum }: Dist): Promised {
  const hashes = new Map<string, string>();
  for (const part of integrity.split(/\s+/)) {
    const [, algorithm, base64] = /^(sha512|sha384|sha256|sha1)-([A-Za-z0-9+/=]+)/.exec(part) ?? [];
    // of several of one algorithm one must match (SRI); origins name one
    if (algorithm && base64) hashes.set(algorithm, Buffer.from(base64, 'base64').toString('hex'));
  }
  if (shasum && /^[0-9a-f]{40}$/i.test(shasum)) hashes.set('sha1', shasum.toLowerCase());
  const { sha512, sha256, ...others } = Object.fromEntries(hashes) as Record<string, string | undefined>;
  return { sha512, sha256, others: others as Record<string, string> };
}

function recordText(record: VersionRecord): string {
  const whole = JSON.stringify(record);
  if (whole.length <= MOST_RECORD) return whole;
  const { devDependencies: _left, ...manifest } = installFields(record.manifest);
  return JSON.stringify({ ...record, manifest });
}

/** Fields that installers read ("corgi" of npm's package-metadata document). */
export const INSTALL_FIELDS: readonly string[] = [
  ...['name', 'version', 'dist', 'deprecated', 'dependencies', 'optionalDependencies', 'devDependencies'],
  ...['bundleDependencies', 'bundledDependencies', 'peerDependencies', 'peerDependenciesMeta', 'acceptDependencies'],
  ...['bin', 'directories', 'engines', 'cpu', 'os', 'libc', 'funding', 'hasInstallScript', '_hasShrinkwrap'],
];

/** A version with what installers read of it, and nothing more: as it stands in an abbreviated packument. */
export function installFields(manifest: VersionManifest): VersionManifest {
  const fields = INSTALL_FIELDS.filter((field) => manifest[field] !== undefined);
  return Object.fromEntries(fields.map((field) => [field, manifest[field]])) as VersionManifest;
}
