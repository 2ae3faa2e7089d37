import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type ByteRange, lengthOf } from '../model/byte-range.ts';
import { fromSystemError } from '../model/errors.ts';
import type { ObjectStat } from './object-store.ts';
import { finerNow, statOf, writeSmallSynced, wrongSize } from './small-file.ts';

/** Fewer, larger reads and writes are what makes files fast (reference s3.md §3.3, §4). */
export const CHUNK = 1 << 20;
/** With many writers at once speed is not theirs alone, but memory is. */
const SMALL_CHUNK = 128 << 10;
const FEW_WRITERS = 8;
let writers = 0;

/**
 * Bytes after which the disk is set to work. Left alone it rests until gigabytes wait, and the last sync takes as long
 * as all writing before it.
 */
export const FLUSH = 64 << 20;

/** Reads a range at once and closes the file. */
export async function readSmall(file: FileHandle, range: ByteRange): Promise<Readable> {
  const bytes = Buffer.allocUnsafe(Math.max(0, lengthOf(range)));
  let read = 0;
  while (read < bytes.length) {
    const { bytesRead } = await file.read(bytes, read, bytes.length - read, range.start + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  await file.close();
  return Readable.from(read > 0 ? [bytes.subarray(0, read)] : [], { objectMode: false });
}

/**
 * Writes a new file and brings it to the disk. Throws, and leaves the torn file to the caller, when `body` fails or
 * has another length than `size`.
 */
export async function writeSynced(
  path: string,
  body: AsyncIterable<Buffer> | Buffer,
  size?: number,
  mode = 0o640,
): Promise<ObjectStat> {
  if (Buffer.isBuffer(body)) {
    if (size !== undefined && size !== body.length) throw wrongSize(size, body.length);
    return writeSmallSynced(path, body, mode);
  }
  const file = await open(path, 'wx', mode);
  try {
    const written = await writeStream(file, body, size);
    if (size !== undefined && size !== written) throw wrongSize(size, written);
    return await synced(file);
  } finally {
    await file.close();
  }
}

/** Brings a file to the disk, dated now. */
export async function synced(file: FileHandle): Promise<ObjectStat> {
  const now = finerNow();
  await file.utimes(now, now);
  await file.sync();
  return statOf(await file.stat({ bigint: true }));
}

/** The same for one that lies there; a link is not followed. */
export async function syncedFile(path: string): Promise<ObjectStat> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await synced(file);
  } finally {
    await file.close();
  }
}

/**
 * Gathers chunks into writes of 1 MiB at the file's end; while one is on its way to the disk, the next is gathered. A
 * chunk of 1 MiB or more is no longer needed when the one behind the next is asked for.
 */
export async function writeStream(file: FileHandle, body: AsyncIterable<Buffer>, size = Infinity): Promise<number> {
  let writing: Promise<unknown> = Promise.resolve();
  let flushing: Promise<unknown> = Promise.resolve();
  let flushed = 0;
  let gathered: Buffer[] = [];
  let waiting = 0;
  let total = 0;
  writers += 1;
  try {
    for await (const chunk of body) {
      gathered.push(chunk);
      waiting += chunk.length;
      total += chunk.length;
      if (total > size) throw wrongSize(size, total);
      if (waiting < (writers > FEW_WRITERS ? SMALL_CHUNK : CHUNK)) continue;
      await writing;
      writing = writeAll(file, gathered);
      // Its error is met at the next `await writing`, which may be some chunks away.
      writing.catch(() => {});
      gathered = [];
      waiting = 0;
      if (total - flushed < FLUSH) continue;
      // an error of the disk is told once: every one of these must be heard
      await flushing;
      flushing = writing.then(() => file.datasync());
      flushing.catch(() => {});
      flushed = total;
    }
  } finally {
    writers -= 1;
    await Promise.all([writing, flushing]);
  }
  await writeAll(file, gathered);
  return total;
}

async function writeAll(file: FileHandle, chunks: Buffer[]): Promise<number> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (length === 0) return 0;
  let { bytesWritten } = await file.writev(chunks);
  if (bytesWritten === length) return length;
  // A short write is how a disk that is nearly full begins to say so.
  const rest = Buffer.concat(chunks);
  while (bytesWritten < length) bytesWritten += (await file.write(rest, bytesWritten)).bytesWritten;
  return length;
}

/** What `look` finds; undefined when it finds nothing, or nothing that is ours to follow (a link). */
export async function absentOr<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw fromSystemError(error, 'store');
  }
}

/** True when the error says that the name is taken; any other error is thrown on. */
export function isTaken(error: NodeJS.ErrnoException): true {
  if (error.code === 'EEXIST') return true;
  throw error;
}
