import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { JsonCursor } from './json-cursor.ts';
import { isVersion } from './package-name.ts';
import type { VersionRecord } from './packument.ts';
import { type PackumentText, readVersion, type VersionText } from './packument-text.ts';
import { RECORD, tarballKey } from './refs.ts';

/** What the store has of a package of one origin. */
export interface HeldVersions {
  /** By version. */
  entries: Map<string, Entry>;
  /** Changes with any of it. */
  stamp: string;
}

export async function heldVersions(catalog: Catalog, origin: string, name: string): Promise<HeldVersions> {
  const prefix = tarballKey(origin, name, '');
  const entries = await catalog.list(prefix);
  return {
    entries: new Map(entries.map((entry) => [entry.key.slice(prefix.length), entry])),
    stamp: digestOf(entries.map(({ key, digest, storedAt }) => `${key} ${digest} ${storedAt}`).join('\n')),
  };
}

const records = new WeakMap<Entry, VersionRecord>();

/**
 * What was known of a version when its tarball came, kept with the tarball's name. Undefined when nothing was, or
 * something of another version. The same object for the same entry.
 */
export function recordOf(entry: Entry): VersionRecord | undefined {
  const known = records.get(entry) ?? readRecord(entry);
  if (known) records.set(entry, known);
  return known;
}

function readRecord({ key, headers }: Entry): VersionRecord | undefined {
  try {
    const record = JSON.parse(headers[RECORD] ?? '') as VersionRecord;
    const { name, version, dist } = record.manifest;
    const isIts = isVersion(version) && key.endsWith(`/${name}/${version}`) && typeof dist.tarball === 'string';
    return isIts ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A packument that names nothing that cannot be had, or an installer would choose it; and that forgets nothing that can,
 * also what the origin took away since. What was said last of a tag holds.
 * @param known the origin's own packument, where it is held, and when it was last confirmed (ISO 8601)
 */
export function onlyHeld(
  name: string,
  held: HeldVersions,
  known: { text: PackumentText; checkedAt: string } | undefined,
): PackumentText {
  const versions = new Map<string, VersionText>();
  const times: Record<string, string> = {};
  const said = Object.entries(known?.text.tags ?? {}).map(([tag, version]) => ({ tag, version, at: known!.checkedAt }));
  for (const [version, entry] of held.entries) {
    const record = recordOf(entry);
    const text = known?.text.versions.get(version) ?? (record && textOf(record));
    if (!text) continue;
    versions.set(version, text);
    const time = known?.text.times[version] ?? record?.time;
    if (time !== undefined) times[version] = time;
    for (const tag of record?.tags ?? []) said.push({ tag, version, at: entry.storedAt });
  }
  said.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
  const tags = Object.fromEntries(
    said.filter(({ version }) => versions.has(version)).map(({ tag, version }) => [tag, version]),
  );
  const rest =
    known?.text.rest ??
    new Map([
      ['_id', json(name)],
      ['name', json(name)],
    ]);
  return { rest, tags, times: withEnds(times, known?.text.times), versions, hosts: new Set(), dropped: [] };
}

function withEnds(times: Record<string, string>, known: Record<string, string> | undefined): Record<string, string> {
  const sorted = Object.values(times).sort();
  const created = known?.created ?? sorted[0];
  const modified = sorted.at(-1);
  return created === undefined || modified === undefined ? times : { created, modified, ...times };
}

function textOf(record: VersionRecord): VersionText | undefined {
  const bytes = json(record.manifest);
  return readVersion(bytes, new JsonCursor(bytes));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
