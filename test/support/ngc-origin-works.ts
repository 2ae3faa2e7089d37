import { createHash } from 'node:crypto';
import { WORDS } from '../../services/ngc/keys.ts';

export type NgcKind = 'models' | 'resources';

/** What the list of files says of one of them that is not so. */
export interface NgcLie {
  size?: number;
  /** Hex. */
  sha256?: string;
  /** The list says no sha256 at all, as of old versions. */
  noSha256?: boolean;
  /** Another name than the one that was asked to be kept: `../../etc/x`. */
  path?: string;
}

/** A version that NGC shall have. What is said of its artifact holds for all its versions. */
export interface NgcWish {
  kind?: NgcKind;
  /** `nvidia/tao/ocrnet`, `nvidia/genmol`. */
  id: string;
  version: string;
  files: Record<string, Buffer | string>;
  /** Joins `model` (or `recipe`). */
  fields?: Record<string, unknown>;
  /** Joins `modelVersion`: `customMetrics`, `status` … */
  versionFields?: Record<string, unknown>;
  /** `private`: members of its org alone; `keyed`: whoever has a key; else guests, too. */
  access?: 'private' | 'keyed';
  /** Its files are refused with this (its documents, too, with `refusesAll`): 412 licence, 451 legal, 403 no role. */
  refuses?: 401 | 403 | 412 | 451;
  refusesAll?: boolean;
  /** The list of addresses (forms 7 to 9) is refused with this, as for the org `nim`. */
  refusesUrls?: 400 | 401;
  lies?: Record<string, NgcLie>;
  /** Bytes of a part of what was uploaded in parts: ETags are those of S3. 8 MiB unless told. */
  partSize?: number;
}

export interface NgcFile {
  path: string;
  bytes: Buffer;
  etag: string;
  /** As the list has it. */
  listed: Record<string, unknown>;
}

export interface NgcVersion {
  version: string;
  date: string;
  fields: Record<string, unknown>;
  files: Map<string, NgcFile>;
}

/** A model or a resource of the test's NGC, with all its versions, the newest last. */
export interface NgcWork {
  kind: NgcKind;
  id: string;
  org: string;
  team?: string;
  name: string;
  versions: Map<string, NgcVersion>;
  fields: Record<string, unknown>;
  access?: 'private' | 'keyed';
  refuses?: 401 | 403 | 412 | 451;
  refusesAll: boolean;
  refusesUrls?: 400 | 401;
}

/** What a work is called in the test's NGC. */
export const workKey = (kind: NgcKind, id: string) => `${kind}/${id}`;

/** Adds a version to a work, or makes it. */
export function workOf(wish: NgcWish, known: NgcWork | undefined, index: number): NgcWork {
  const kind = wish.kind ?? 'models';
  const parts = wish.id.split('/');
  const work: NgcWork = known ?? {
    kind,
    id: wish.id,
    org: parts[0]!,
    team: parts.length === 3 ? parts[1] : undefined,
    name: parts.at(-1)!,
    versions: new Map(),
    fields: {},
    refusesAll: false,
  };
  Object.assign(work.fields, wish.fields);
  for (const name of ['access', 'refuses', 'refusesAll', 'refusesUrls'] as const)
    if (name in wish) Object.assign(work, { [name]: wish[name] });
  const date = new Date(Date.parse('2026-01-01T00:00:00Z') + index * 60_000).toISOString();
  const files = Object.entries(wish.files).map(([path, content]) => fileOf(wish, path, Buffer.from(content), date));
  const version: NgcVersion = {
    version: wish.version,
    date,
    fields: wish.versionFields ?? {},
    files: new Map(files.map((file) => [file.path, file])),
  };
  work.versions.delete(wish.version);
  work.versions.set(wish.version, version);
  return work;
}

function fileOf(wish: NgcWish, path: string, bytes: Buffer, date: string): NgcFile {
  const lie = wish.lies?.[path] ?? {};
  const sha256 = lie.sha256 ? Buffer.from(lie.sha256, 'hex') : createHash('sha256').update(bytes).digest();
  const listed = {
    path: lie.path ?? path,
    sizeInBytes: lie.size ?? bytes.length,
    ...(lie.noSha256 ? {} : { sha256_base64: sha256.toString('base64') }),
    createdDate: date,
    description: '',
  };
  return { path, bytes, etag: etagOf(bytes, wish.partSize ?? 8 << 20), listed };
}

/** As S3 makes them: the MD5, or that of the MD5s of the parts, and how many there were. */
function etagOf(bytes: Buffer, partSize: number): string {
  const md5 = (part: Buffer) => createHash('md5').update(part).digest();
  if (bytes.length <= partSize) return `"${md5(bytes).toString('hex')}"`;
  const parts: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; offset += partSize)
    parts.push(md5(bytes.subarray(offset, offset + partSize)));
  return `"${md5(Buffer.concat(parts)).toString('hex')}-${parts.length}"`;
}

const sizeOf = (version: NgcVersion) => [...version.files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);

export function newestOf(work: NgcWork): NgcVersion {
  return [...work.versions.values()].at(-1)!;
}

/** `model` or `recipe` of NGC's JSON (reference §2.4). */
export function workDocument(work: NgcWork): Record<string, unknown> {
  const newest = newestOf(work);
  return {
    application: 'Other',
    builtBy: 'NVIDIA',
    canGuestDownload: work.access === undefined,
    createdDate: [...work.versions.values()][0]!.date,
    description: `# ${work.name}`,
    displayName: work.name,
    framework: 'Other',
    hasSignedVersion: false,
    isPublic: work.access !== 'private',
    isReadOnly: true,
    labels: [],
    latestVersionIdStr: newest.version,
    latestVersionSizeInBytes: sizeOf(newest),
    licenseTerms: [],
    modelFormat: 'SavedModel',
    name: work.name,
    orgName: work.org,
    precision: 'OTHER',
    productNames: [],
    publisher: 'NVIDIA',
    shortDescription: `What ${work.name} is`,
    ...(work.team === undefined ? {} : { teamName: work.team }),
    updatedDate: newest.date,
    ...work.fields,
  };
}

/** `modelVersion` or `recipeVersion`. */
export function versionDocument(version: NgcVersion): Record<string, unknown> {
  return {
    createdDate: version.date,
    description: '',
    isSigned: false,
    malwareScanStatus: 'CLEAN',
    otherContents: [],
    releaseType: 'GA',
    status: 'UPLOAD_COMPLETE',
    storageVersion: 'V2',
    totalFileCount: version.files.size,
    totalSizeInBytes: sizeOf(version),
    updatedDate: version.date,
    versionId: version.version,
    ...version.fields,
  };
}

/** An entry of a search's answer. */
export function searchDocument(work: NgcWork): Record<string, unknown> {
  const about = workDocument(work);
  const attributes = ['latestVersionIdStr', 'latestVersionSizeInBytes', 'framework', 'precision', 'application'];
  const listed = attributes.map((key) => ({ key, value: String(about[key]) }));
  return {
    resourceId: work.id,
    orgName: work.org,
    teamName: work.team ?? 'no-team',
    name: work.name,
    displayName: about.displayName,
    description: about.shortDescription,
    resourceType: WORDS[work.kind].type,
    isPublic: about.isPublic,
    guestAccess: work.access === undefined,
    dateCreated: about.createdDate,
    dateModified: about.updatedDate,
    labels: [{ key: 'publisher', values: [about.publisher] }],
    attributes: [...listed, { key: 'format', value: about.modelFormat }],
    sharedWithOrgs: [],
    sharedWithTeams: [],
  };
}
