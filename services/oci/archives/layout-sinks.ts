import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { MirrorError } from '../../../shared/model/errors.ts';
import { absentOr, writeStream } from '../../../shared/storage/disk-files.ts';
import { temporaryName } from '../../../shared/storage/owned-files.ts';
import { syncFolder } from '../../../shared/storage/small-file.ts';
import type { Descriptor } from '../manifest.ts';

/** Where the files of a layout go. */
export interface LayoutSink {
  /** Entries of an `index.json` that is there already. */
  listed: Descriptor[];
  /** Bytes that were written before need not be read. */
  has(name: string, size: number): Promise<boolean>;
  write(name: string, size: number, body: () => Promise<Readable>): Promise<void>;
  /** After all else; a layout without its `index.json` is none. */
  finish(index: Buffer): Promise<void>;
  /** After a failure. */
  abandon(): Promise<void>;
}

const VERSION = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
const bytesOf = (bytes: Buffer) => Promise.resolve(Readable.from([bytes], { objectMode: false }));

/** A file that ends in `.tar` becomes a tar, any other name a folder; one that is a layout already gets more. */
export async function layoutSink(path: string): Promise<LayoutSink> {
  return path.endsWith('.tar') ? tarSink(path) : folderSink(path);
}

async function folderSink(path: string): Promise<LayoutSink> {
  await mkdir(path, { recursive: true });
  const write: LayoutSink['write'] = (name, size, body) => writeWhole(join(path, name), size, body);
  return {
    listed: await listedIn(path),
    has: async (name, size) => (await absentOr(() => stat(join(path, name))))?.size === size,
    write,
    async finish(index) {
      await write('oci-layout', VERSION.length, () => bytesOf(VERSION));
      await write('index.json', index.length, () => bytesOf(index));
    },
    // what is whole is used by the next try
    abandon: () => Promise.resolve(),
  };
}

async function listedIn(path: string): Promise<Descriptor[]> {
  const text = await absentOr(() => readFile(join(path, 'index.json'), 'utf8'));
  if (text === undefined) return [];
  try {
    return (JSON.parse(text) as { manifests?: Descriptor[] }).manifests ?? [];
  } catch (cause) {
    throw new MirrorError('bad-request', 'archive', `${path} has an index.json that is no JSON; take another folder`, {
      cause,
    });
  }
}

/** Under its name only when all of it is on the disk. */
async function writeWhole(path: string, size: number, body: () => Promise<Readable>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const part = join(dirname(path), temporaryName('.part'));
  try {
    const file = await open(part, 'wx');
    try {
      await writeStream(file, await body(), size);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function tarSink(path: string): Promise<LayoutSink> {
  const part = `${path}.part`;
  const archive = pack();
  const file = createWriteStream(part);
  // told where it is waited for; until then nobody may be missing to hear it
  const written = pipeline(archive, file);
  written.catch(() => {});
  const names = new Set<string>();
  const write: LayoutSink['write'] = async (name, size, body) => {
    names.add(name);
    const entry = archive.entry({ name, size, mtime: new Date(0) });
    await Promise.race([pipeline(await body(), entry), written]);
  };
  return {
    listed: [],
    has: (name) => Promise.resolve(names.has(name)),
    write,
    async finish(index) {
      await write('oci-layout', VERSION.length, () => bytesOf(VERSION));
      await write('index.json', index.length, () => bytesOf(index));
      archive.finalize();
      await written;
      const whole = await open(part);
      await whole.sync().finally(() => whole.close());
      await rename(part, path);
    },
    async abandon() {
      archive.destroy();
      file.destroy();
      await finished(file).catch(() => {});
      await rm(part, { force: true });
    },
  };
}
