import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse as parseToml } from 'smol-toml';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';

/** PEP 518: "If the pyproject.toml file is absent … tools should … use setuptools" */
const LEGACY = ['setuptools>=40.8.0', 'wheel'];
const MOST_BYTES = 4 << 20;

const buildSystem = z.looseObject({ 'build-system': z.looseObject({ requires: z.array(z.string()) }).optional() });

/**
 * What an sdist needs to be built (PEP 518's `build-system.requires`), read out of it as it streams by.
 * Throws `unsupported` for archives other than `.tar.gz`, `corrupt` for broken ones.
 */
export async function buildRequirements(filename: string, body: Readable): Promise<string[]> {
  if (!/\.(tar\.gz|tgz)$/.test(filename)) {
    body.destroy();
    throw new MirrorError(
      'unsupported',
      'file',
      `${filename}: what it needs to be built can only be read out of a .tar.gz`,
    );
  }
  const text = await readMember(filename, body);
  if (text === undefined) return LEGACY;
  try {
    return buildSystem.parse(parseToml(text))['build-system']?.requires ?? LEGACY;
  } catch (cause) {
    throw new MirrorError('corrupt', 'file', `${filename}: its pyproject.toml cannot be read`, { cause });
  }
}

/** The `<name>-<version>/pyproject.toml` of a source distribution. */
async function readMember(filename: string, body: Readable): Promise<string | undefined> {
  const entries = extract();
  pipeline(body, createGunzip(), entries, () => undefined);
  try {
    for await (const entry of entries) {
      const found = /^[^/]+\/pyproject\.toml$/.test(entry.header.name) && entry.header.type === 'file';
      if (found && (entry.header.size ?? 0) <= MOST_BYTES) {
        const chunks: Buffer[] = [];
        for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
        return Buffer.concat(chunks).toString('utf8');
      }
      entry.resume();
    }
    return undefined;
  } catch (cause) {
    throw new MirrorError('corrupt', 'file', `${filename} cannot be read as a source distribution`, { cause });
  } finally {
    body.destroy();
    entries.destroy();
  }
}
