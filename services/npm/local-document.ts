import { createHash } from 'node:crypto';
import type { Digest } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { tarballName } from './package-name.ts';
import type { Packument, VersionManifest, VersionRecord } from './packument.ts';
import { PRIVATE, RECORD, tarballKey, tarballRef } from './refs.ts';

/** A tarball as the document of its package knows it, by its file's name. */
export interface Attachment {
  /** Hex of sha1, as Verdaccio has it. */
  shasum: string;
  version?: string;
  digest: Digest;
  size: number;
}

/** What was published under a name: Verdaccio's document, and what makes each tarball's name in the catalog of it. */
export interface LocalDocument extends Packument {
  _id: string;
  /** `<count>-<random>`: whoever changes the document says which one was looked at. */
  _rev: string;
  time: Record<string, string>;
  _attachments: Record<string, Attachment>;
  /** Versions that were taken back, and when (ISO 8601): a tarball that is older than that is not offered. */
  _removed: Record<string, string>;
}

/** The document of a name that has none. */
export function emptyDocument(name: string): LocalDocument {
  const sections = { 'dist-tags': {}, versions: {}, time: {}, _attachments: {}, _removed: {} };
  return { _id: name, _rev: '0-0', name, ...sections };
}

/** What lists are made of when there is no document: a version with the tags that point at it. */
export function recordOf(document: LocalDocument, version: string): VersionRecord | undefined {
  const manifest = Object.hasOwn(document.versions, version) ? document.versions[version] : undefined;
  if (!manifest) return undefined;
  const tags = Object.keys(document['dist-tags']).filter((tag) => document['dist-tags'][tag] === version);
  return { manifest, time: document.time[version], tags };
}

/**
 * The name in the catalog that a version's tarball has, as its document says it: the same whoever makes it, so it can
 * be made again by whoever finds it missing. Undefined when the document knows no bytes.
 */
export function tarballEntry(document: LocalDocument, version: string): Entry | undefined {
  const attachment = document._attachments[tarballName(document.name, version)];
  const record = recordOf(document, version);
  if (!record || !attachment?.digest) return undefined;
  const { digest, size } = attachment;
  // not of now: a name that is made again must not look younger than the taking back of its version
  const storedAt = document.time[version] ?? document.time.created ?? new Date(0).toISOString();
  return {
    key: tarballKey(PRIVATE, document.name, version),
    digest,
    size,
    mediaType: 'application/octet-stream',
    headers: tarballRef(PRIVATE, record).keep ?? {},
    origin: 'upload',
    storedAt,
    checkedAt: document.time.modified ?? storedAt,
  };
}

/** A tarball that came with what is known of its version, in a bundle for one. */
export interface Imported {
  entry: Entry;
  record: VersionRecord;
}

/** What a tarball's entry says of its version; undefined when that is no record of it. */
export function importedOf(entry: Entry, name: string, version: string): Imported | undefined {
  try {
    const record = JSON.parse(entry.headers[RECORD] ?? '') as VersionRecord;
    const { manifest } = record;
    const isIts = manifest?.name === name && manifest.version === version && typeof manifest.dist === 'object';
    return isIts ? { entry, record } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A document with the versions that came without one. What it says itself of a version stands; of tags that point at
 * several versions, the one that was said last.
 */
export function withImported(document: LocalDocument, imported: ReadonlyMap<string, Imported>): LocalDocument {
  const joined: LocalDocument = structuredClone(document);
  const saidAt = new Map(Object.keys(document['dist-tags']).map((tag) => [tag, document.time.modified ?? '']));
  for (const [version, { entry, record }] of imported) {
    if (Object.hasOwn(document.versions, version)) continue;
    if ((document._removed[version] ?? '') >= entry.storedAt) continue;
    joined.versions[version] = record.manifest;
    joined.time[version] = record.time ?? entry.storedAt;
    joined._attachments[tarballName(document.name, version)] = attachmentOf(entry, version, record.manifest);
    for (const tag of record.tags ?? []) {
      if ((saidAt.get(tag) ?? '') > entry.storedAt) continue;
      saidAt.set(tag, entry.storedAt);
      joined['dist-tags'][tag] = version;
    }
  }
  const times = Object.keys(joined.versions).map((version) => joined.time[version] ?? '');
  times.sort();
  if (times.length > 0) {
    joined.time.created ??= times[0]!;
    joined.time.modified ??= times.at(-1)!;
  }
  return joined;
}

function attachmentOf({ digest, size }: Entry, version: string, { dist }: VersionManifest): Attachment {
  return { shasum: dist.shasum ?? '', version, digest, size };
}

/** Whether a tarball's name says what the document says. */
export function isSame(known: Entry | undefined, wanted: Entry): boolean {
  return known?.digest === wanted.digest && JSON.stringify(known.headers) === JSON.stringify(wanted.headers);
}

/** Changes when the document does, or what came without one. */
export function stampOf(entry: Entry | undefined, tarballs: ReadonlyMap<string, Imported>): string {
  const hash = createHash('sha256').update(entry?.digest ?? '');
  for (const [version, { entry: tarball }] of tarballs)
    hash.update(`\n${version} ${tarball.digest} ${tarball.storedAt} ${JSON.stringify(tarball.headers)}`);
  return hash.digest('base64url').slice(0, 22);
}
