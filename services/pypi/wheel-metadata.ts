import type { Readable } from 'node:stream';
import { fromRandomAccessReaderPromise, type Entry as ZipEntry, type ZipFile } from 'yauzl';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { RangedZip } from './remote-zip.ts';

/** Real METADATA files are a few KB, with long descriptions some hundred. */
const MOST_METADATA_BYTES = 16 * 1024 * 1024;
const MOST_MEMBERS = 200_000;

/**
 * The METADATA of a wheel, verbatim: what `{file}.metadata` serves (PEP 658) and what installers compare with the wheel.
 * It stands at `{name}-{version}.dist-info/METADATA` with the raw first two parts of the file name; wheels in the wild
 * spell the folder otherwise, so the one `*.dist-info` whose normalised name matches is taken too.
 *
 * @param read gives bytes of the wheel, which is `size` long
 * Throws `corrupt` when the file is no zip, or has no METADATA, or more than one.
 */
export async function readWheelMetadata(
  filename: string,
  size: number,
  read: (range: ByteRange) => Promise<Readable>,
): Promise<Buffer> {
  const zip = await openZip(filename, size, read);
  try {
    const entry = await findMetadata(zip, filename);
    return await readMember(zip, entry, filename);
  } catch (error) {
    throw error instanceof MirrorError ? error : damaged(filename, error);
  } finally {
    zip.close();
  }
}

async function openZip(
  filename: string,
  size: number,
  read: (range: ByteRange) => Promise<Readable>,
): Promise<ZipFile> {
  try {
    return await fromRandomAccessReaderPromise(new RangedZip(size, read), size, { autoClose: false });
  } catch (error) {
    throw error instanceof MirrorError ? error : damaged(filename, error);
  }
}

async function findMetadata(zip: ZipFile, filename: string): Promise<ZipEntry> {
  const [name, version] = filename.split('-');
  const exact = `${name}-${version}.dist-info/METADATA`;
  const lenient: ZipEntry[] = [];
  let members = 0;
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName === exact) return entry;
    const folder = /^([^/]+)\.dist-info\/METADATA$/.exec(entry.fileName)?.[1];
    if (folder && sameProject(folder, name!)) lenient.push(entry);
    members += 1;
    if (members > MOST_MEMBERS) break;
  }
  if (lenient.length === 1) return lenient[0]!;
  throw new MirrorError('corrupt', 'file', `${filename} has ${lenient.length === 0 ? 'no' : 'more than one'} METADATA`);
}

function sameProject(distInfo: string, name: string): boolean {
  const normal = (text: string) => text.replace(/[-_.]+/g, '-').toLowerCase();
  return normal(distInfo.split('-')[0]!) === normal(name) || normal(distInfo).startsWith(`${normal(name)}-`);
}

async function readMember(zip: ZipFile, entry: ZipEntry, filename: string): Promise<Buffer> {
  if (entry.uncompressedSize > MOST_METADATA_BYTES) {
    throw new MirrorError('corrupt', 'file', `METADATA of ${filename} claims ${entry.uncompressedSize} bytes`);
  }
  const stream = await zip.openReadStreamPromise(entry);
  return Buffer.concat(await stream.toArray());
}

function damaged(filename: string, cause: unknown): MirrorError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MirrorError('corrupt', 'file', `${filename} cannot be read as a wheel: ${why}`, { cause });
}

/** A header of METADATA (core metadata is in e-mail header form); the first when it stands there more than once. */
export function metadataField(metadata: string, field: string): string | undefined {
  return metadataFields(metadata, field)[0];
}

/** All values of a header, in their order; a folded value is joined. */
export function metadataFields(metadata: string, field: string): string[] {
  const head = metadata.replace(/\r\n/g, '\n').split('\n\n', 1)[0]!;
  const values: string[] = [];
  const wanted = field.toLowerCase();
  let open = false;
  for (const line of head.split('\n')) {
    if (/^[ \t]/.test(line)) {
      if (open) values[values.length - 1] += `\n${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(':');
    open = line.slice(0, colon).trim().toLowerCase() === wanted;
    if (open) values.push(line.slice(colon + 1).trim());
  }
  return values;
}
