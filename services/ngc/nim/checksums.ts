import { readFile } from 'node:fs/promises';
import { Parsed } from '../../../shared/mirror/parsed.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { Ref } from '../../../shared/model/ref.ts';
import type { Context } from '../../../shared/service/service.ts';
import type { ShelfPlace } from '../../../shared/service/shelf.ts';
import { type ArtifactVersion, isFilePath, labelOf } from '../artifact.ts';
import type { NgcConfig } from '../config.ts';
import { fileKey } from '../keys.ts';
import type { LocalStore, LocalVersion } from '../local-versions.ts';
import { placeOf } from '../refs.ts';

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

/**
 * Those of a version that is about to be added, where it brings such a list, or has one of NGC's already.
 * Throws `corrupt` for a broken one, and unless the rest may be held already (`isPart`), for one that names what is not there.
 */
export async function checksumsAmong(
  store: Pick<LocalStore, 'blobs' | 'catalog'>,
  { artifact, version, files }: LocalVersion,
  isPart: boolean,
): Promise<Checksums | undefined> {
  const file = files.find(({ path }) => path === CHECKSUMS);
  if (!file) return isPart ? heldChecksums(store, { artifact, version }) : undefined;
  const label = labelOf(artifact, version);
  if (file.size > MOST) throw broken(label, `it has ${file.size} bytes`);
  const bytes = file.kept ? await store.blobs.read(file.kept.digest, MOST) : await readFile(file.place);
  const sums = parseChecksums(bytes.toString('utf8'), label);
  const paths = new Set(files.map(({ path }) => path));
  const lacking = isPart ? undefined : [...sums.keys()].find((path) => !paths.has(path));
  if (lacking !== undefined) throw broken(label, `it names "${lacking}", which is not there. Nothing was added`);
  return sums;
}

type Asking = Pick<Context<NgcConfig>, 'catalog' | 'listing' | 'log' | 'mirror'>;

/** What `checksums.blake3` promises of files that are about to be fetched. */
export class ChecksumPromises {
  readonly #context: Asking;
  readonly #known = new Parsed<Checksums>(16 << 20);

  constructor(context: Asking) {
    this.#context = context;
  }

  /**
   * The hash of a file of which NGC's list says none, else undefined: what the list has, sha256, is checked anyhow, and a
   * second hash would halve the speed of fast lines. Of files that are held, and where nobody can be asked, nothing is
   * asked for either: a promise is only good for what arrives.
   * @param file to be fetched
   * @param sums the file of checksums; undefined when the version has none
   */
  async of(file: Ref, sums: Ref | undefined): Promise<string | undefined> {
    const { catalog, listing } = this.#context;
    if (!sums || file.promised?.sha256 !== undefined || file.key === sums.key || listing === 'held') return undefined;
    if (await catalog.get(file.key)) return undefined;
    return (await this.read(sums))?.get(placeOf(file.key)?.path ?? '');
  }

  /** What a version's checksums say, held or asked for; undefined where they cannot be had, and the log says why. */
  async read(sums: Ref): Promise<Checksums | undefined> {
    try {
      const { entry, bytes } = await this.#context.mirror.read(sums, { maxBytes: MOST });
      return await this.#known.get(entry.digest, entry.size, async () =>
        parseChecksums(bytes.toString('utf8'), sums.label),
      );
    } catch (error) {
      this.#context.log.warn({ event: 'ngc-no-checksums', err: error }, `${sums.label} cannot be gone by`);
      return undefined;
    }
  }
}
