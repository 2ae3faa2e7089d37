import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A name for a file that belongs to this process: `<pid>-<random>`. */
export function temporaryName(suffix = ''): string {
  return `${process.pid}-${randomBytes(8).toString('hex')}${suffix}`;
}

/** Removes files whose process is gone; those of a process that lives stay, whoever it is. */
export async function sweepOwned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
