import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse as parseToml } from 'smol-toml';
import { extract } from 'tar-stream';
import { fromRandomAccessReaderPromise } from 'yauzl';
import { z } from 'zod';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { parseVersion } from './python/pep440.ts';
import { RangedZip } from './remote-zip.ts';
import { metadataField, metadataFields } from './wheel-metadata.ts';

/** PEP 517: "If the pyproject.toml file is absent, or the build-backend key is missing, … tools should … use setuptools" */
const LEGACY = ['setuptools>=40.8.0', 'wheel'];
const MOST_MEMBER_BYTES = 4 << 20;
/** Of what an archive may unpack to while it is looked through. */
const MOST_BYTES = 16 * 2 ** 30;
const WANTED = /^[^/]+\/(pyproject\.toml|PKG-INFO)$/;

/** What a source distribution says of itself. */
export interface SdistFacts {
  /** What must be there to build it (PEP 518's `build-system.requires`). */
  buildRequires: string[];
  /** What it needs when installed; unset where only a build can tell. */
  requiresDist: string[] | undefined;
}

/** An archive that can be read at any place. */
export interface SdistSource {
  filename: string;
  /** Bytes. */
  size: number;
  open(range?: ByteRange): Promise<Readable>;
}

const pyproject = z.looseObject({ 'build-system': z.looseObject({ requires: z.array(z.string()) }).optional() });

/**
 * Reads pyproject.toml and PKG-INFO out of an sdist, without unpacking it anywhere.
 * Throws `unsupported` for archives other than `.tar.gz` and `.zip`, `corrupt` for broken ones.
 */
export async function readSdist(source: SdistSource): Promise<SdistFacts> {
  const { filename } = source;
  const members = await readMembers(source);
  const text = members.get('pyproject.toml');
  return {
    buildRequires: text === undefined ? LEGACY : requirementsIn(text, filename),
    requiresDist: settledRequirements(members.get('PKG-INFO')),
  };
}

function requirementsIn(text: string, filename: string): string[] {
  try {
    return pyproject.parse(parseToml(text))['build-system']?.requires ?? LEGACY;
  } catch (cause) {
    throw new MirrorError('corrupt', 'file', `${filename}: its pyproject.toml cannot be read`, { cause });
  }
}

/** From 2.2 on "the value of a field not marked as Dynamic … MUST match" what a build gives. */
function settledRequirements(metadata: string | undefined): string[] | undefined {
  if (metadata === undefined) return undefined;
  const [major, minor] = parseVersion(metadataField(metadata, 'Metadata-Version') ?? '1.0')?.release.map(Number) ?? [1];
  if (major! < 2 || (major === 2 && (minor ?? 0) < 2)) return undefined;
  const dynamic = metadataFields(metadata, 'Dynamic').map((field) => field.toLowerCase());
  return dynamic.includes('requires-dist') ? undefined : metadataFields(metadata, 'Requires-Dist');
}

async function readMembers(source: SdistSource): Promise<Map<string, string>> {
  const { filename } = source;
  const read = /\.(tar\.gz|tgz)$/.test(filename) ? readTar : filename.endsWith('.zip') ? readZip : undefined;
  if (!read)
    throw new MirrorError(
      'unsupported',
      'file',
      `${filename}: only .tar.gz and .zip can be looked into for what it needs`,
    );
  try {
    return await read(source);
  } catch (cause) {
    if (cause instanceof MirrorError) throw cause;
    throw new MirrorError('corrupt', 'file', `${filename} cannot be read as a source distribution`, { cause });
  }
}

async function readTar({ filename, open }: SdistSource): Promise<Map<string, string>> {
  const members = new Map<string, string>();
  const body = await open();
  const entries = extract();
  pipeline(body, createGunzip(), entries, () => undefined);
  let unpacked = 0;
  try {
    for await (const entry of entries) {
      const { name, type, size = 0 } = entry.header;
      unpacked += size;
      if (unpacked > MOST_BYTES) throw new MirrorError('corrupt', 'file', `${filename} unpacks to absurdly much`);
      const wanted =
        type === 'file' && size <= MOST_MEMBER_BYTES ? WANTED.exec(name.replace(/^\.\//, ''))?.[1] : undefined;
      if (wanted) members.set(wanted, Buffer.concat(await Array.fromAsync(entry as AsyncIterable<Buffer>)).toString());
      else entry.resume();
      if (members.size === 2) break;
    }
    return members;
  } finally {
    body.destroy();
    entries.destroy();
  }
}

async function readZip({ size, open }: SdistSource): Promise<Map<string, string>> {
  const members = new Map<string, string>();
  const zip = await fromRandomAccessReaderPromise(new RangedZip(size, open), size, { autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      const wanted = WANTED.exec(entry.fileName)?.[1];
      if (!wanted || entry.uncompressedSize > MOST_MEMBER_BYTES) continue;
      const stream = await zip.openReadStreamPromise(entry);
      members.set(wanted, Buffer.concat(await stream.toArray()).toString());
    }
    return members;
  } finally {
    zip.close();
  }
}
