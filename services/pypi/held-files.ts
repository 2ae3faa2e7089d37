import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { readKeptRecord } from './parse-json.ts';
import { type FileRecord, isQuarantined, type ProjectPage, withFiles } from './project-page.ts';
import { fileKey, provenanceKey } from './refs.ts';

/** What the store has of a project. */
export interface HeldFiles {
  /** By file name. */
  entries: Map<string, Entry>;
  /** Names of files whose attestations are held. */
  attested: Set<string>;
  /** Changes with any of it. */
  stamp: string;
}

export async function heldFiles(catalog: Catalog, origin: string, project: string): Promise<HeldFiles> {
  const entries = await catalog.list(fileKey(origin, project, ''));
  const attested = await catalog.keys(provenanceKey(origin, project, ''));
  return {
    entries: new Map(entries.map((entry) => [lastOf(entry.key), entry])),
    attested: new Set(attested.map(lastOf)),
    stamp: digestOf([...entries.map((entry) => `${entry.key} ${entry.digest}`), ...attested].join('\n')),
  };
}

/**
 * A page that names nothing that cannot be had, or a resolver would choose it; and that forgets nothing that can, also
 * what the origin took away since.
 */
export function onlyHeld(page: ProjectPage, held: HeldFiles): ProjectPage {
  if (isQuarantined(page)) return withFiles(page, []);
  const listed = page.files.map((file) => ({ file, entry: held.entries.get(file.filename) }));
  const files = listed.filter(({ entry }) => entry).map(({ file, entry }) => factsFrom(file, entry!));
  const named = new Set(page.files.map((file) => file.filename));
  const vanished = [...held.entries.values()]
    .filter((entry) => !named.has(lastOf(entry.key)))
    .map(recordOf)
    .filter((file) => file !== undefined);
  return withFiles(
    page,
    [...files, ...vanished].map((file) => (held.attested.has(file.filename) ? file : withoutProvenance(file))),
  );
}

/** What was known of a file when it came, kept with its name. */
export function recordOf(entry: Entry): FileRecord | undefined {
  const record = readKeptRecord(entry.headers['x-larder-file'] ?? '');
  return record?.filename === lastOf(entry.key) ? factsFrom(record, entry) : undefined;
}

/** The bytes are here, so their size and digest are known, whatever the origin told of them. */
function factsFrom(file: FileRecord, entry: Entry): FileRecord {
  return { ...file, size: entry.size, hashes: { ...file.hashes, sha256: entry.digest.slice('sha256:'.length) } };
}

function withoutProvenance({ provenance: _gone, ...file }: FileRecord): FileRecord {
  return file;
}

function lastOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
