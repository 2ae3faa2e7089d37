import type { Digest } from '../../../shared/model/digest.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { BlobStore } from '../../../shared/storage/blob-store.ts';
import type { Catalog } from '../../../shared/storage/catalog.ts';
import { type ArtifactVersion, idOf, labelOf } from '../artifact.ts';
import { fileKey, filesKey, WORDS } from '../keys.ts';
import { parseFileList } from '../version-documents.ts';
import { CHECKSUMS, type Checksums, heldChecksums } from './checksums.ts';

/** Where names and bytes are. */
export interface NimStore {
  catalog: Pick<Catalog, 'get' | 'keys' | 'list' | 'segments'>;
  blobs: BlobStore;
}

/** A version that is here with all its files. */
export interface HeldVersion extends ArtifactVersion {
  files: HeldFile[];
}

export interface HeldFile {
  path: string;
  size: number;
  digest: Digest;
  /** As NGC gave it, quotes included. */
  etag?: string;
  /** Hex, where the version says it. */
  blake3?: string;
}

/** Bytes of a list of files. */
const MOST_LIST = 64 << 20;
/** Names of files that a message has. */
const MOST_NAMED = 5;

/**
 * A version, looked at before anything is made of it: its list of files, or where NGC gives none, its checksums, say what
 * belongs to it. Throws `not-held` with what is missing, `corrupt` when the two contradict each other.
 */
export async function heldVersion(store: NimStore, of: ArtifactVersion): Promise<HeldVersion> {
  const label = labelOf(of.artifact, of.version);
  const sums = await heldChecksums(store, of);
  const paths = (await listedPaths(store, of)) ?? (sums && new Set(sums.keys()));
  if (!paths) throw new MirrorError('not-held', 'version', `${label} is not held; ${bring(of)}`);
  const stranger = sums && [...sums.keys()].find((path) => !paths.has(path));
  if (stranger !== undefined)
    throw new MirrorError('corrupt', 'version', `${CHECKSUMS} of ${label} names "${stranger}", which is no file of it`);
  // not every list of files names it
  if (sums) paths.add(CHECKSUMS);
  const files: HeldFile[] = [];
  const missing: string[] = [];
  for (const path of paths) {
    const file = await heldFile(store, of, path, sums);
    if (file) files.push(file);
    else missing.push(path);
  }
  if (missing.length === 0) return { ...of, files };
  const rest = missing.length > MOST_NAMED ? ` and ${missing.length - MOST_NAMED} more` : '';
  const named = missing.slice(0, MOST_NAMED).join(', ');
  throw new MirrorError('not-held', 'file', `${label} is not whole here, it lacks ${named}${rest}; ${bring(of)}`);
}

async function listedPaths({ catalog, blobs }: NimStore, of: ArtifactVersion): Promise<Set<string> | undefined> {
  const entry = await catalog.get(filesKey(of));
  if (!entry) return undefined;
  const ref = { subject: 'version', label: `the files of ${labelOf(of.artifact, of.version)}` };
  const list = parseFileList(await blobs.read(entry.digest, MOST_LIST), WORDS[of.artifact.kind].files, ref);
  return new Set(list.keys());
}

async function heldFile(
  { catalog, blobs }: NimStore,
  of: ArtifactVersion,
  path: string,
  sums: Checksums | undefined,
): Promise<HeldFile | undefined> {
  const entry = await catalog.get(fileKey(of, path));
  if (!entry || !(await blobs.isHeld(entry.digest))) return undefined;
  const { size, digest, etag } = entry;
  return { path, size, digest, etag, blake3: sums?.get(path) };
}

const bring = ({ artifact, version }: ArtifactVersion) =>
  `bring it by a manifest with "${artifact.kind === 'models' ? 'ngc' : 'ngc-resource'}: ${idOf(artifact)}:${version}"`;
