import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { MirrorError } from '../../../shared/model/errors.ts';
import { writeSynced } from '../../../shared/storage/disk-files.ts';
import { temporaryName } from '../../../shared/storage/owned-files.ts';
import type { OciConfig } from '../config.ts';
import type { ImageRooms } from '../images.ts';
import { type ArchiveFiles, folderFiles, magicOf, tarFiles } from './archive-files.ts';
import { importDockerArchive } from './docker-archive.ts';
import { type Imported, Importing, type ImportOptions } from './importing.ts';
import { importLayout } from './layout.ts';

/**
 * Brings saved images into the store: a file of `docker save`, podman or skopeo, an OCI layout packed or not, each as it
 * is or compressed by gzip or zstd, or a folder full of such files. What it is, it says itself.
 * Throws `bad-request` with the file that is wrong.
 */
export async function importArchive(
  rooms: ImageRooms,
  config: OciConfig,
  path: string,
  options: ImportOptions = {},
): Promise<Imported> {
  const label = basename(path);
  const importing = new Importing(rooms, config, `import:${label}`, options);
  if ((await stat(path)).isDirectory()) await importFolder(rooms, importing, path, label);
  else await importFile(rooms, importing, path, label);
  return importing.result;
}

async function importFolder(rooms: ImageRooms, importing: Importing, path: string, label: string): Promise<void> {
  const names = await readdir(path);
  if (names.includes('oci-layout') && names.includes('index.json')) {
    const files = await folderFiles(path, label);
    return importLayout(importing, files);
  }
  const saved = names.filter((name) => /\.(tar|tgz|tar\.gz|tar\.zst)$/.test(name)).sort();
  if (saved.length === 0)
    throw new MirrorError(
      'bad-request',
      'archive',
      `${label} is no OCI layout, and there are no saved images (*.tar, *.tar.gz) in it`,
    );
  if (importing.as !== undefined && saved.length > 1)
    throw new MirrorError('bad-request', 'archive', `${label} holds ${saved.length} files, and --as names one image`);
  const listed = names.includes('manifest.json') ? await listedNames(join(path, 'manifest.json')) : new Map();
  const absent = [...listed.keys()].filter((name) => !names.includes(name));
  if (absent.length > 0)
    throw new MirrorError(
      'bad-request',
      'archive',
      `${label} lacks what its manifest.json lists: ${absent.join(', ')}`,
    );
  for (const name of saved) {
    importing.otherwise = listed.has(name) ? [listed.get(name)!] : [];
    await importFile(rooms, importing, join(path, name), name);
  }
}

/** What TAO's scripts write beside the images that they save: `[{"file": "….tar", "ref": "nvcr.io/…"}]`. */
async function listedNames(path: string): Promise<Map<string, string>> {
  let listed: unknown;
  try {
    listed = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new MirrorError('bad-request', 'archive', 'manifest.json beside the saved images is not JSON', { cause });
  }
  const all = Array.isArray(listed) ? (listed as { file?: unknown; ref?: unknown }[]) : [];
  return new Map(all.filter(({ file, ref }) => file && ref).map(({ file, ref }) => [basename(`${file}`), `${ref}`]));
}

async function importFile({ blobs }: ImageRooms, importing: Importing, path: string, label: string): Promise<void> {
  const kind = await magicOf(path);
  if (kind !== 'gzip' && kind !== 'zstd') return importTar(importing, await tarFiles(path, label));
  // what is compressed cannot be read at any place: it is unpacked once, and goes again
  await mkdir(blobs.spoolDir, { recursive: true });
  const unpacked = join(blobs.spoolDir, temporaryName('.tar'));
  try {
    const plain = kind === 'gzip' ? createGunzip() : createZstdDecompress();
    // it may fail before anybody reads from it: whoever does is told of it there
    pipeline(createReadStream(path), plain, () => undefined);
    await writeSynced(unpacked, plain as AsyncIterable<Buffer>).catch((cause) => {
      const isDisk = /^(ENOSPC|EDQUOT|EIO)$/.test((cause as NodeJS.ErrnoException).code ?? '');
      throw isDisk
        ? cause
        : new MirrorError('bad-request', 'archive', `${label}: it cannot be unpacked; it is cut off or damaged`, {
            cause,
          });
    });
    await importTar(importing, await tarFiles(unpacked, label));
  } finally {
    await rm(unpacked, { force: true });
  }
}

async function importTar(importing: Importing, files: ArchiveFiles): Promise<void> {
  if (files.size('index.json') !== undefined) return importLayout(importing, files);
  if (files.size('manifest.json') !== undefined) return importDockerArchive(importing, files);
  throw new MirrorError(
    'bad-request',
    'archive',
    `${files.label} holds no image: there is neither an index.json nor a manifest.json in it`,
  );
}
