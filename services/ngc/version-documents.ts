import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { isFilePath } from './artifact.ts';
import type { VersionFile } from './refs.ts';

/** A version's document, read. Its other fields are as NGC has them. */
export interface VersionInfo {
  versionId: string;
  /** `UPLOAD_COMPLETE`, or one that says that it is not: clients take no other version. */
  status: string;
  customMetrics?: unknown[];
  /** `modelVersion` or `recipeVersion`, whole. */
  version: Readonly<Record<string, unknown>>;
  /** `model` or `recipe`, whole. */
  model: Readonly<Record<string, unknown>>;
}

type Fields = Record<string, unknown>;

/** @param words of the kind, and the version that was asked for */
export function parseVersion(bytes: Buffer, words: { one: string; word: string; version: string }): VersionInfo {
  const document = JSON.parse(bytes.toString('utf8')) as Record<string, Fields | undefined>;
  const [version, model] = [document[words.word] ?? {}, document[words.one] ?? {}];
  const { versionId, status, customMetrics } = version;
  return {
    versionId: typeof versionId === 'string' ? versionId : words.version,
    // of a list that says nothing of it nothing else can be thought
    status: typeof status === 'string' ? status : 'UPLOAD_COMPLETE',
    ...(Array.isArray(customMetrics) ? { customMetrics } : {}),
    version,
    model,
  };
}

/**
 * The files of a version by their paths. A path that leads out of its version, or a size that is none, spoils the list:
 * clients would write where they must not, or call every download of it broken.
 * Throws `upstream-failed` and names the entry.
 * @param word `modelFiles` or `recipeFiles`
 * @param ref of the list, for the message
 */
export function parseFileList(
  bytes: Buffer,
  word: string,
  ref: Pick<Ref, 'subject' | 'label'>,
): ReadonlyMap<string, VersionFile> {
  const document = JSON.parse(bytes.toString('utf8')) as Record<string, Fields[] | undefined>;
  const files = new Map<string, VersionFile>();
  for (const [index, file] of (document[word] ?? []).entries()) {
    const { path, sizeInBytes: size, sha256_base64: sha256 } = (file ?? {}) as Fields;
    const where = `${word}[${index}] in ${ref.label}`;
    if (typeof path !== 'string' || !isFilePath(path))
      throw spoiled(ref, `${where}: ${shown(path)} is no path of a file`);
    if (files.has(path)) throw spoiled(ref, `${where}: ${shown(path)} is there twice`);
    if (size !== undefined && size !== null && !isSize(size))
      throw spoiled(ref, `${where}: ${shown(path)} has the size ${shown(size)}`);
    files.set(path, { path, size: isSize(size) ? size : undefined, sha256: hexOf(sha256) });
  }
  return files;
}

/** Hex of a hash in base64; undefined for what is no sha256. */
export function hexOf(base64: unknown): string | undefined {
  if (typeof base64 !== 'string' || !/^[A-Za-z0-9+/_-]{43}=?$/.test(base64)) return undefined;
  return Buffer.from(base64, 'base64').toString('hex');
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const shown = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 200);

function spoiled(ref: Pick<Ref, 'subject' | 'label'>, message: string): MirrorError {
  return new MirrorError('upstream-failed', ref.subject, message);
}
