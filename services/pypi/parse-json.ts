import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import { normalizeName, parseFilename } from './project-name.ts';
import { type FileRecord, type ProjectPage, versionsOf } from './project-page.ts';

const hashes = z.record(z.string(), z.string());
const metadata = z.union([z.boolean(), z.looseObject({ sha256: z.string().optional() })]);

/** Tolerant on purpose: what an origin adds is let through, a file that is not right is left out. */
const fileSchema = z.looseObject({
  filename: z.string(),
  url: z.string(),
  hashes,
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
  name: z.string(),
  files: z.array(z.unknown()),
  versions: z.array(z.string()).nullish(),
  'project-status': z
    .union([z.string(), z.looseObject({ status: z.string(), reason: z.string().nullish() })])
    .nullish(),
});

/** @param url where the page came from: its links are relative to it. Throws `upstream-failed` for what is no page. */
export function parseJsonPage(bytes: Buffer, url: string): ProjectPage {
  const parsed = pageSchema.safeParse(parseJson(bytes, url));
  if (!parsed.success) throw unreadable(url, parsed.error.issues[0]!.message);
  const page = parsed.data;
  // "If the major version does not match … clients MUST … refuse": the mirror is a client of its origin
  if (!page.meta['api-version'].startsWith('1.'))
    throw unreadable(url, `its API version is ${page.meta['api-version']}`);
  const files = page.files.map((file) => recordOf(file, url)).filter((file) => file !== undefined);
  const status = page['project-status'];
  return {
    name: normalizeName(page.name),
    files,
    versions: page.versions ?? versionsOf(files),
    ...(status
      ? {
          status:
            typeof status === 'string' ? { status } : { status: status.status, reason: status.reason ?? undefined },
        }
      : {}),
    lastSerial: page.meta['_last-serial'] ?? undefined,
  };
}

/** Names on an origin's root list. */
export function parseJsonRoot(bytes: Buffer, url: string): string[] {
  const list = z
    .looseObject({ projects: z.array(z.looseObject({ name: z.string() })) })
    .safeParse(parseJson(bytes, url));
  if (!list.success) throw unreadable(url, 'it is no list of projects');
  return list.data.projects.map(({ name }) => name);
}

function recordOf(raw: unknown, base: string): FileRecord | undefined {
  const parsed = fileSchema.safeParse(raw);
  if (!parsed.success || !parseFilename(parsed.data.filename)) return undefined;
  const file = parsed.data;
  const url = absolute(file.url, base);
  if (url === undefined) return undefined;
  const provenance = file.provenance ? absolute(file.provenance, base) : undefined;
  const record: FileRecord = {
    filename: file.filename,
    url,
    hashes: lowerCase(file.hashes),
    yanked: file.yanked ?? false,
    'core-metadata': metadataOf(
      file['core-metadata'] ?? file['dist-info-metadata'] ?? file['data-dist-info-metadata'] ?? false,
    ),
  };
  if (file.size != null) record.size = file.size;
  if (file['upload-time']) record['upload-time'] = file['upload-time'];
  if (file['requires-python']) record['requires-python'] = file['requires-python'];
  if (provenance) record.provenance = provenance;
  return record;
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

/** A link of an origin: http and https only. */
export function absolute(link: string, base: string): string | undefined {
  try {
    const url = new URL(link, base);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
    url.username = '';
    url.password = '';
    return url.href;
  } catch {
    return undefined;
  }
}

function parseJson(bytes: Buffer, url: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw unreadable(url, 'it is not JSON');
  }
}

function unreadable(url: string, why: string): MirrorError {
  return new MirrorError(
    'upstream-failed',
    'project',
    `the page ${url.split('?', 1)[0]} of the origin cannot be used: ${why}`,
  );
}
