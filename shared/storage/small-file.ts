import fs from 'node:fs';
import { promisify } from 'node:util';
import { MirrorError } from '../model/errors.ts';
import type { ObjectStat } from './object-store.ts';

// A handle of fs/promises costs the process more than the disk takes for a small file: numbers do for these. What the
// disk is not asked for, the facts of a file that was just synced and its closing, is not sent through other threads.
const open = promisify(fs.open);
const write = promisify(fs.write) as unknown as (
  file: number,
  bytes: Buffer,
  at: number,
) => Promise<{ bytesWritten: number }>;
const futimes = promisify(fs.futimes);
const fsync = promisify(fs.fsync);

/** What the disk says of a file. The etag changes with every write: a name is always given to a new file. */
export function statOf(found: fs.BigIntStats): ObjectStat {
  const etag = `${found.ino.toString(36)}-${found.mtimeNs.toString(36)}-${found.size.toString(36)}`;
  return { size: Number(found.size), etag, modified: new Date(Number(found.mtimeMs)) };
}

/**
 * Seconds. The system's own dates of files stand still for some milliseconds, and a file that was just made may have the
 * inode of one that was just replaced: without a finer date the two would have the same etag.
 */
export function finerNow(): number {
  return (Date.now() + Number(process.hrtime.bigint() % 1_000_000n) / 1_000_000) / 1000;
}

export function wrongSize(announced: number, came: number): MirrorError {
  return new MirrorError('internal', 'store', `${announced} bytes were announced and ${came} or more came`);
}

/** Writes a new file whose bytes are in memory, and brings it to the disk. Leaves a torn one to the caller when it fails. */
export async function writeSmallSynced(path: string, bytes: Buffer, mode: number): Promise<ObjectStat> {
  const file = await open(path, 'wx', mode);
  try {
    // a short write is how a disk that is nearly full begins to say so
    for (let written = 0; written < bytes.length; )
      written += (await write(file, bytes.subarray(written), 0)).bytesWritten;
    const now = finerNow();
    await futimes(file, now, now);
    await fsync(file);
    return statOf(fs.fstatSync(file, { bigint: true }));
  } finally {
    fs.closeSync(file);
  }
}

/** Brings the names in a folder to the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await fsync(folder);
  } finally {
    fs.closeSync(folder);
  }
}
