import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import { parseFilename } from './project-name.ts';
import { type FileRecord, type ProjectPage, versionsOf } from './project-page.ts';

const metadata = z.union([z.boolean(), z.looseObject({ sha256: z.string().optional() })]);

/** Tolerant on purpose: what an origin adds is passed over, a file that is not right is left out. */
const fileSchema = z.looseObject({
  filename: z.string(),
  url: z.string(),
  hashes: z.record(z.string(), z.string()).nullish(),
  size: z.number().int().nonnegative().nullish(),
  'upload-time': z.string().nullish(),
  'requires-python': z.string().nullish(),
  yanked: z.union([z.boolean(), z.string()]).nullish(),
  'core-metadata': metadata.nullish(),
  'dist-info-metadata': metadata.nullish(),
  'data-dist-info-metadata': metadata.nullish(),
  provenance: z.string().nullish(),
});

const pageSchema = z.looseObject({
  meta: z.looseObject({
    'api-version': z.string(),
    '_last-serial': z.coerce.number().int().nullish().catch(undefined),
  }),
  files: z.array(z.unknown()),
  versions: z.array(z.string()).nullish(),
  'project-status': z
    .union([z.string(), z.looseObject({ status: z.string(), reason: z.string().nullish() })])
    .nullish()
    .catch(undefined),
});

/**
 * @param url where the page came from: its links are relative to it
 * @param project whose page it is, normalised, however the page spells it
 * @param dropped told of files that cannot be used, by what they call themselves
 * Throws `upstream-failed` for what is no page.
 */
export function parseJsonPage(
  bytes: Buffer,
  url: string,
  project: string,
  dropped: (filename: string) => void = () => {},
): ProjectPage {
  const parsed = pageSchema.safeParse(parseJson(bytes, url));
  if (!parsed.success) throw unreadable(url, parsed.error.issues[0]!.message);
  const page = parsed.data;
  checkApiVersion(page.meta['api-version'], url);
  const files: FileRecord[] = [];
  for (const raw of page.files) {
    const record = recordOf(raw, url);
    if (record) files.push(record);
    else dropped(String((raw as { filename?: unknown } | null)?.filename ?? 'a file without a name').slice(0, 200));
  }
  const status = statusOf(page['project-status']);
  return {
    name: project,
    files,
    versions: page.versions ?? versionsOf(files, project),
    ...(status ? { status } : {}),
    lastSerial: page.meta['_last-serial'] ?? undefined,
  };
}

/** Names on an origin's root list. */
export function parseJsonRoot(bytes: Buffer, url: string): string[] {
  const list = parseJson(bytes, url) as { projects?: unknown } | null;
  if (!Array.isArray(list?.projects)) throw unreadable(url, 'it is no list of projects');
  // by hand: a schema would make some hundred thousand objects once more
  return list.projects.map((project) => project?.name).filter((name) => typeof name === 'string');
}

/** "clients MUST … refuse" another major version (PEP 629): a mirror is a client of its origin. */
export function checkApiVersion(version: string, url: string): void {
  if (!/^1(\.|$)/.test(version)) throw unreadable(url, `its API version is ${version.slice(0, 20)}`);
}

/** A file object as it was kept with its file, also one without an address. Undefined for what is none. */
export function readKeptRecord(text: string): FileRecord | undefined {
  try {
    const raw = JSON.parse(text);
    if (raw?.url !== '') return recordOf(raw, '');
    const record = recordOf({ ...raw, url: 'http://nowhere.invalid/' }, '');
    return record && { ...record, url: '' };
  } catch {
    return undefined;
  }
}

function recordOf(raw: unknown, base: string): FileRecord | undefined {
  const parsed = fileSchema.safeParse(raw);
  if (!parsed.success || !parseFilename(parsed.data.filename)) return undefined;
  const file = parsed.data;
  const url = absolute(file.url, base);
  if (url === undefined) return undefined;
  const time = uploadTime(file['upload-time']);
  const provenance = file.provenance ? absolute(file.provenance, base) : undefined;
  const record: FileRecord = {
    filename: file.filename,
    url,
    hashes: lowerCase(file.hashes ?? {}),
    yanked: file.yanked ?? false,
    'core-metadata': metadataOf(
      file['core-metadata'] ?? file['dist-info-metadata'] ?? file['data-dist-info-metadata'] ?? false,
    ),
  };
  if (file.size != null) record.size = file.size;
  if (time) record['upload-time'] = time;
  if (file['requires-python']) record['requires-python'] = file['requires-python'];
  if (provenance) record.provenance = provenance;
  return record;
}

function statusOf(status: z.infer<typeof pageSchema>['project-status']): ProjectPage['status'] {
  if (!status) return undefined;
  return typeof status === 'string' ? { status } : { status: status.status, reason: status.reason ?? undefined };
}

/**
 * PEP 700: "yyyy-mm-ddThh:mm:ss.ffffffZ", fraction optional. Other ways to say a moment are turned into it; what says
 * none is as good as none.
 */
function uploadTime(text: string | null | undefined): string | undefined {
  if (!text) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) return undefined;
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/.test(text) ? text : new Date(time).toISOString();
}

function metadataOf(value: z.infer<typeof metadata>): FileRecord['core-metadata'] {
  if (typeof value === 'boolean') return value;
  return value.sha256 && /^[0-9a-fA-F]{64}$/.test(value.sha256) ? { sha256: value.sha256.toLowerCase() } : true;
}

/** Hex digests only: these go into pages and are compared. */
export function lowerCase(values: Record<string, string>): Record<string, string> {
  const found = Object.entries(values).filter(
    ([name, hex]) => /^[a-z0-9_]{2,20}$/.test(name) && /^[0-9a-fA-F]{16,128}$/.test(hex),
  );
  return Object.fromEntries(found.map(([name, hex]) => [name, hex.toLowerCase()]));
}

/** A link of an origin without user, password and fragment: http and https only. */
export function absolute(link: string, base: string): string | undefined {
  const url = URL.parse(link, base === '' ? undefined : base);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return undefined;
  url.username = '';
  url.password = '';
  url.hash = '';
  return url.href;
}

function parseJson(bytes: Buffer, url: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw unreadable(url, 'it is not JSON');
  }
}

/** The words for an origin's page that is no page. */
export function unreadable(url: string, why: string): MirrorError {
  return new MirrorError(
    'upstream-failed',
    'project',
    `the page ${url.split('?', 1)[0]} of the origin cannot be used: ${why}`,
  );
}
