import { createReadStream } from 'node:fs';
import { type Digest, hexOf } from '../../shared/model/digest.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import { type ArtifactVersion, isFilePath, labelOf } from './artifact.ts';
import { fileKey, filesKey, WORDS } from './keys.ts';
import { writeDocuments } from './local-documents.ts';
import { type Json, type LocalStore, readHeld, stamped } from './local-store.ts';
import { checksumsAmong } from './nim/checksums.ts';
import { hashesOf } from './nim/file-hashes.ts';
import { hexOf as hexOfBase64 } from './version-documents.ts';

export { LOCAL, type LocalStore } from './local-store.ts';

/** A file of a version that is to be added: it lies on this machine, or its bytes are in the store already. */
export type LocalFile = {
  path: string;
  size: number;
  /** Promised, hex. */
  sha256?: string;
} & ({ place: string; kept?: undefined } | { kept: KeptBytes; place?: undefined });

/** Bytes that are in the store and have no name yet. */
export interface KeptBytes {
  digest: Digest;
  /** Hex: the ETag, as NGC's own storage has it. */
  md5: string;
}

export interface LocalVersion extends ArtifactVersion {
  files: LocalFile[];
  /** Fields of "model" beside what is worked out. */
  model?: Json;
  /** Fields of "modelVersion": customMetrics, description, createdDate … */
  facts?: Json;
}

export interface AddOptions {
  signal?: AbortSignal;
  /** Told of every file whose bytes are in the store. */
  added?(path: string, size: number): void;
  /** Once all bytes are in the store and nothing has a name yet; what it throws stops all. */
  beforeNames?(): Promise<void>;
}

/** A file whose bytes are in the store. */
export type AddedFile = KeptBytes & { path: string; size: number };

/** A version whose bytes are in the store, and of which nothing has a name yet. */
export interface PreparedVersion {
  version: LocalVersion;
  files: AddedFile[];
  /** NGC's own documents of it are held, and stay. */
  isNgcs: boolean;
}

/**
 * Adds a version to what is held, in the words that NGC has for one, so that every route serves it like a mirrored one.
 * Blobs and the files' names come first and the documents last: whoever dies between leaves nothing that anybody sees.
 * Where NGC's own documents of the version are held they stay, and the files are held to what they say.
 */
export async function addVersion(
  store: LocalStore,
  version: LocalVersion,
  options: AddOptions = {},
): Promise<{ files: number; bytes: number }> {
  const prepared = await prepareVersion(store, version, options);
  await options.beforeNames?.();
  await nameVersion(store, prepared);
  return { files: prepared.files.length, bytes: prepared.files.reduce((sum, { size }) => sum + size, 0) };
}

/** The first half of it: all that can be wrong is found here. */
export async function prepareVersion(
  store: LocalStore,
  version: LocalVersion,
  options: AddOptions = {},
): Promise<PreparedVersion> {
  checkPaths(version);
  const listed = await listedByNgc(store, version);
  const sums = await checksumsAmong(store, version, listed !== undefined);
  const files: AddedFile[] = [];
  for (const file of version.files) {
    options.signal?.throwIfAborted();
    const promised = listed?.get(file.path);
    if (listed && !promised) throw notNgcs(version, file.path, 'NGC lists no such file');
    files.push(await keepBytes(store, version, file, { ...promised, blake3: sums?.get(file.path) }, options.signal));
    options.added?.(file.path, file.size);
  }
  return { version, files, isNgcs: listed !== undefined };
}

/** The second half: it gives names. */
export async function nameVersion(store: LocalStore, { version, files, isNgcs }: PreparedVersion): Promise<void> {
  await nameFiles(store, fileKey(version, ''), files);
  if (!isNgcs) await writeDocuments(store, version, files);
}

/** Throws `bad-request` for no files, for paths that are none, and for a file where there is a folder. */
function checkPaths({ artifact, version, files }: LocalVersion): void {
  const label = labelOf(artifact, version);
  if (files.length === 0) throw new MirrorError('bad-request', 'version', `${label} has no files`);
  const paths = new Set<string>();
  for (const { path } of files) {
    if (!isFilePath(path))
      throw new MirrorError('bad-request', 'file', `${label}: "${path}" cannot be the path of a file`);
    if (paths.has(path)) throw new MirrorError('bad-request', 'file', `${label}: "${path}" is there twice`);
    paths.add(path);
  }
  for (const path of paths)
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1))
      if (paths.has(path.slice(0, end)))
        throw new MirrorError('bad-request', 'file', `${label}: "${path.slice(0, end)}" is a file and a folder`);
}

/** What is said of a file by others than who adds it: by NGC's list, by the version's own checksums. */
interface ListedFile {
  size?: number;
  sha256?: string;
  blake3?: string;
}

/** The version's files by NGC's own word, where that is held. */
async function listedByNgc(store: LocalStore, version: ArtifactVersion): Promise<Map<string, ListedFile> | undefined> {
  const held = await readHeld(store, filesKey(version));
  if (!held || held.local) return undefined;
  const files = (held.json[WORDS[version.artifact.kind].files] ?? []) as Json[];
  return new Map(
    files.map(({ path, sizeInBytes, sha256_base64 }) => {
      return [String(path), { size: Number(sizeInBytes), sha256: hexOfBase64(sha256_base64) }];
    }),
  );
}

async function keepBytes(
  { blobs }: LocalStore,
  version: ArtifactVersion,
  file: LocalFile,
  listed: ListedFile,
  signal?: AbortSignal,
): Promise<AddedFile> {
  const { path, size } = file;
  if (listed.size !== undefined && listed.size !== size)
    throw notNgcs(version, path, `NGC has ${listed.size} bytes of it, here are ${size}`);
  const wanted = [file.sha256, listed.sha256].filter((hex) => hex !== undefined);
  if (file.kept) {
    const found = hexOf(file.kept.digest);
    const other = wanted.find((hex) => hex !== found);
    if (other) throw notNgcs(version, path, `sha256 ${other} was promised and ${found} arrived`);
    const blake3 =
      listed.blake3 && (await hashesOf(await blobs.open(file.kept.digest), ['blake3'], { signal })).get('blake3');
    if (blake3 !== listed.blake3)
      throw notNgcs(version, path, `blake3 ${listed.blake3} was promised and ${blake3} arrived`);
    return { path, size, ...file.kept };
  }
  const body = createReadStream(file.place, { highWaterMark: 1 << 20 });
  const others: Record<string, string> = listed.blake3 === undefined ? {} : { blake3: listed.blake3 };
  const promised = [{ size, others }, ...wanted.map((sha256) => ({ sha256 }))];
  try {
    const options = { subject: 'file', promised, more: [{ name: 'md5', algorithm: 'md5' }], signal };
    const { digest, hashes } = await blobs.ingest(body, options);
    return { path, size, digest, md5: hashes.get('md5')! };
  } catch (error) {
    throw isKind(error, 'corrupt') ? notNgcs(version, path, error.message) : error;
  }
}

function notNgcs({ artifact, version }: ArtifactVersion, path: string, why: string): MirrorError {
  const label = labelOf(artifact, version);
  return new MirrorError('corrupt', 'file', `${label}: "${path}" is damaged or another one: ${why}. Nothing was added`);
}

/** Gives bytes that are in the store their names. @param prefix what stands before their paths */
export async function nameFiles(store: LocalStore, prefix: string, files: readonly AddedFile[]): Promise<void> {
  const lastModified = new Date(store.now()).toUTCString();
  const facts = { mediaType: 'application/octet-stream', headers: {}, lastModified };
  await store.catalog.putMany(
    files.map(({ path, digest, size, md5 }) =>
      stamped(store, { key: prefix + path, digest, size, etag: `"${md5}"`, ...facts }),
    ),
  );
}
