import { MirrorError } from '../../../shared/model/errors.ts';
import type { ShelfPlace } from '../../../shared/service/shelf.ts';
import { type ArtifactVersion, isFilePath, labelOf } from '../artifact.ts';
import { fileKey } from '../keys.ts';

/** The file of a version that says the BLAKE3 of the others (reference ngc.md §3). */
export const CHECKSUMS = 'checksums.blake3';
/** Bytes of one that is read. */
const MOST = 64 << 20;

/** Hex, by the path of the file. */
export type Checksums = ReadonlyMap<string, string>;

/**
 * Reads lines of `<hash>  <path>`, as `b3sum` writes them.
 * Throws `corrupt` for anything else, naming the line: half a list would let half of the files pass.
 * @param label what it belongs to, for the message
 */
export function parseChecksums(text: string, label: string): Checksums {
  const sums = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const [, hash = '', path = ''] = /^\s*([0-9a-f]{64})\s[ *](?:\.\/)?(.+?)\s*$/i.exec(line) ?? [];
    if (!isFilePath(path)) throw broken(label, `line ${index + 1} is not a hash and a path: ${line.slice(0, 100)}`);
    if (sums.has(path)) throw broken(label, `it names "${path}" twice`);
    sums.set(path, hash.toLowerCase());
  }
  if (sums.size === 0) throw broken(label, 'it is empty');
  return sums;
}

function broken(label: string, why: string): MirrorError {
  return new MirrorError('corrupt', 'file', `${CHECKSUMS} of ${label}: ${why}`);
}

/** Those of a version, where its list of them is held. Throws `corrupt` for a broken one. */
export async function heldChecksums(
  { catalog, blobs }: Pick<ShelfPlace, 'catalog' | 'blobs'>,
  of: ArtifactVersion,
): Promise<Checksums | undefined> {
  const entry = await catalog.get(fileKey(of, CHECKSUMS));
  if (!entry) return undefined;
  return parseChecksums((await blobs.read(entry.digest, MOST)).toString('utf8'), labelOf(of.artifact, of.version));
}
