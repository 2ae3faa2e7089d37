import type { Promised } from '../../shared/model/digest.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { PypiConfig } from './config.ts';
import type { Origin } from './origins.ts';
import { parseFilename } from './project-name.ts';
import type { FileRecord } from './project-page.ts';

/** The origin of what was uploaded here. */
export const PRIVATE = 'private';

/** JSON when the origin has it; HTML otherwise (PEP 691). */
export const PAGE_ACCEPT =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01';
export const PROVENANCE_TYPE = 'application/vnd.pypi.integrity.v1+json';

export const indexKey = (origin: string, project: string) => `index/${origin}/${project}`;
export const fileKey = (origin: string, project: string, filename: string) => `file/${origin}/${project}/${filename}`;
export const metadataKey = (origin: string, project: string, filename: string) =>
  `metadata/${origin}/${project}/${filename}`;
export const provenanceKey = (origin: string, project: string, filename: string) =>
  `provenance/${origin}/${project}/${filename}`;

/** A project's page at an origin, or its root list for an empty `project`. */
export function pageRef(origin: Origin, project: string, config: PypiConfig): Ref {
  const flat = origin.kind === 'find-links';
  return {
    key: indexKey(origin.name, flat ? '' : project),
    subject: 'project',
    label: project === '' ? `the list of "${origin.name}"` : `the project "${project}"`,
    source: flat || project === '' ? origin.url : `${origin.url}${project}/`,
    origin: origin.name,
    accept: PAGE_ACCEPT,
    freshness: { fresh: config.freshSeconds, stale: config.staleSeconds },
    ...(project === '' ? {} : { want: { python: project } }),
  };
}

/** A wheel or an sdist. Its name says its bytes, and its hash is what everybody checks. */
export function fileRef(origin: string, project: string, record: FileRecord): Ref {
  const { filename, hashes, size } = record;
  const version = parseFilename(filename, project)?.version;
  return {
    key: fileKey(origin, project, filename),
    subject: 'file',
    label: filename,
    source: record.url,
    origin,
    freshness: 'immutable',
    promised: promisedBy(hashes, size),
    ifHeld: { size, mediaType: 'application/octet-stream', headers: {} },
    keep: { 'x-larder-file': JSON.stringify(record) },
    want: { python: version === undefined ? project : `${project}==${version}` },
  };
}

/** The METADATA beside a wheel, where its origin has it (PEP 658). */
export function metadataRef(origin: string, project: string, record: FileRecord): Ref {
  const metadata = record['core-metadata'];
  return {
    key: metadataKey(origin, project, record.filename),
    subject: 'file',
    label: `${record.filename}.metadata`,
    source: metadata === false ? '' : `${record.url}.metadata`,
    origin,
    freshness: 'immutable',
    ...(typeof metadata === 'object' ? { promised: { sha256: metadata.sha256 } } : {}),
    ifHeld: { mediaType: 'text/plain; charset=utf-8', headers: {} },
    want: { python: `${project}==${parseFilename(record.filename, project)?.version}` },
  };
}

/** The attestations of a file (PEP 740). More may be added, so they are asked for again now and then. */
export function provenanceRef(origin: string, project: string, record: FileRecord & { provenance: string }): Ref {
  return {
    key: provenanceKey(origin, project, record.filename),
    subject: 'file',
    label: `the provenance of ${record.filename}`,
    source: record.provenance,
    origin,
    accept: PROVENANCE_TYPE,
    freshness: { fresh: 86_400, stale: 30 * 86_400 },
  };
}

function promisedBy(hashes: Record<string, string>, size: number | undefined): Promised {
  const { sha256, sha512, ...rest } = hashes;
  const others = Object.fromEntries(
    Object.entries(rest).filter(([name]) => ['md5', 'sha1', 'sha224', 'sha384'].includes(name)),
  );
  return { size, sha256, sha512, others };
}

/** What an address of a file names. */
export interface FileAddress {
  filename: string;
  project: string;
  version: string;
  what: 'file' | 'metadata';
  /** From `/files/<origin>/…`; unset for an address in PyPI's layout. */
  origin?: string;
  /** `packages/aa/bb/<60 hex>/<filename>` as it was asked for. */
  path?: string;
}

const METADATA = '.metadata';

/**
 * Reads the address of a file: `/packages/aa/bb/<60 hex>/<filename>` (PyPI's own layout, so that a lock file's URLs
 * need a new prefix only) or `/files/<origin>/<project>/<filename>`; `.metadata` behind either. The path is decoded
 * once, here. Undefined for anything else: hidden slashes, dots, control characters.
 */
export function parseFileAddress(path: string): FileAddress | undefined {
  const packages = /^\/packages\/([0-9a-f]{2})\/([0-9a-f]{2})\/([0-9a-f]{60})\/([^/]+)$/.exec(path);
  const own = /^\/files\/([a-z][a-z0-9-]*)\/([a-z0-9-]+)\/([^/]+)$/.exec(path);
  const last = decodeOnce((packages?.[4] ?? own?.[3]) || '');
  if (!last) return undefined;
  const isMetadata = last.endsWith(METADATA);
  const filename = isMetadata ? last.slice(0, -METADATA.length) : last;
  const parsed = parseFilename(filename, own?.[2]);
  if (!parsed) return undefined;
  const address: FileAddress = {
    filename,
    project: parsed.project,
    version: parsed.version,
    what: isMetadata ? 'metadata' : 'file',
  };
  if (packages) return { ...address, path: `packages/${packages[1]}/${packages[2]}/${packages[3]}/${filename}` };
  return { ...address, origin: own![1]!, project: own![2]! };
}

/** Where we have a file: PyPI's path where the origin has that shape, else one of our own. No leading slash. */
export function filePath(origin: string, project: string, record: FileRecord): string {
  const pypi = packagesPath(record.url);
  if (pypi?.endsWith(`/${record.filename}`))
    return `${pypi.slice(0, pypi.lastIndexOf('/'))}/${encodeURIComponent(record.filename)}`;
  return `files/${origin}/${project}/${encodeURIComponent(record.filename)}`;
}

/** The `packages/aa/bb/<60 hex>/<filename>` of an origin's URL. */
export function packagesPath(url: string): string | undefined {
  const match = /\/(packages\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{60})\/([^/?#]+)$/.exec(url.split(/[?#]/, 1)[0]!);
  const filename = match && decodeOnce(match[2]!);
  return filename ? `${match[1]}/${filename}` : undefined;
}

/** Decodes %-escapes once. Undefined for broken ones, and for what must not hide in a name. */
export function decodeOnce(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return /[\x00-\x1f\x7f/\\]/.test(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}
