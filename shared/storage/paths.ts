import { createHash } from 'node:crypto';
import { type Digest, hexOf } from '../model/digest.ts';

/**
 * The layout of a store. Names of users never become paths: they lie under the hash of themselves, and the index lists
 * them.
 *
 *   larder-store.json                               { "format": "larder-store/1" }
 *   blobs/sha256/<64 hex>                           the bytes, as an OCI layout has them
 *   catalog/<service>/<ab>/<sha256 of key>.json     a name (the key stands inside) and its facts
 *   imports/<bundle id>/journal.json, receipt.json  an import under way, and one that is done
 *   wants/<service>/<ab>/<sha256 of key>.json       asked for, not held
 *   tokens/<id>.json                                who may write: name, scopes, the sha256 of the secret
 *   keys/grants                                     what signs addresses that are good for one thing (32 bytes)
 *   audit/<date>/<time>-<what>.json                 who pushed, imported, deleted what; one event per document
 *   quarantine/<64 hex>                             blobs that were found damaged, kept for whoever wants to look
 *
 * A directory also holds what is no object; over an engine these lie in the work folder of each machine:
 *
 *   tmp/<pid>-<host>-<random>                       objects being written
 *   spool/<pid>-<host>-<random>…                    bytes that are not measured yet
 *   work/<service>/                                 a service's own temporary files
 *   index.sqlite (-wal, -shm)                       the index of names; may be deleted at any time
 *   locks.sqlite                                    held while an object is replaced under a condition
 */
export const MARKER = 'larder-store.json';
export const BLOBS = 'blobs/sha256/';
export const CATALOG = 'catalog/';
export const IMPORTS = 'imports/';
export const WANTS = 'wants/';
export const TOKENS = 'tokens/';
export const KEYS = 'keys/';
export const AUDIT = 'audit/';
export const GRANT_KEY = 'keys/grants';
export const QUARANTINE = 'quarantine/';

/** What lies in a store's directory and is no object, as a key or the name of a top folder with its slash. */
export const LOCAL = /^(tmp\/|spool\/|work\/|index\.sqlite|locks\.sqlite)/;

export function blobPath(digest: Digest): string {
  return `${BLOBS}${hexOf(digest)}`;
}

export function quarantinePath(digest: Digest): string {
  return `${QUARANTINE}${hexOf(digest)}`;
}

export function catalogPrefix(service: string): string {
  return `${CATALOG}${service}/`;
}

export function catalogPath(service: string, key: string): string {
  return `${catalogPrefix(service)}${spread(key)}`;
}

/** The service that a document of the catalog belongs to; undefined for anything that is no such document. */
export function serviceOfPath(path: string): string | undefined {
  return /^catalog\/([^/]+)\/[0-9a-f]{2}\/[0-9a-f]{64}\.json$/.exec(path)?.[1];
}

export function wantPrefix(service: string): string {
  return `${WANTS}${service}/`;
}

export function wantPath(service: string, key: string): string {
  return `${wantPrefix(service)}${spread(key)}`;
}

export function importPath(bundleId: string, name: string): string {
  return `${IMPORTS}${bundleId}/${name}`;
}

export function tokenPath(id: string): string {
  return `${TOKENS}${id}.json`;
}

/** @param at ISO 8601 */
export function auditPath(at: string, what: string): string {
  return `${AUDIT}${at.slice(0, 10)}/${at.slice(11).replace(/[^0-9]/g, '')}-${what}.json`;
}

function spread(key: string): string {
  const hash = createHash('sha256').update(key).digest('hex');
  return `${hash.slice(0, 2)}/${hash}.json`;
}
