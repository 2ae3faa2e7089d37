import { createHash, randomBytes } from 'node:crypto';
import { lstat, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Containers over one directory have process ids of their own, so a process id says nothing without its host. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** What another host, or a process id that was given again, has not touched for this long belongs to nobody. */
const FORGOTTEN = 24 * 3_600_000;

/** Who we are, to other processes over the same directory: `<pid>-<host>`. */
export const OWNER = `${process.pid}-${HOST}`;

/** Once for all names: a thread, or a process that has an earlier one's id, makes others. */
const RANDOM = randomBytes(8).toString('hex');
let names = 0;

/** A name for a file that belongs to this process: `<pid>-<host>-<random><number>`. */
export function temporaryName(suffix = ''): string {
  names += 1;
  return `${OWNER}-${RANDOM}${names.toString(16)}${suffix}`;
}

/** Removes files whose process is gone. Those of a process that lives stay, and so does what bears no owner's name. */
export async function sweepOwned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const touched = await lstat(path).then(
      (found) => found.mtimeMs,
      () => undefined,
    );
    if (touched !== undefined && isAbandoned(name, touched)) await rm(path, { recursive: true, force: true });
  }
}

/**
 * @param owned starts with an owner, as `OWNER` and `temporaryName()` do
 * @param touched milliseconds since the epoch
 */
export function isAbandoned(owned: string, touched: number): boolean {
  const found = /^(\d+)-([0-9a-f]{8})(-|$)/.exec(owned);
  if (!found) return false;
  if (Date.now() - touched > FORGOTTEN) return true;
  if (found[2] !== HOST) return false;
  const pid = Number(found[1]);
  // A container that starts again has the process id of the one before it.
  if (pid === process.pid) return touched < Date.now() - process.uptime() * 1000;
  return !isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
