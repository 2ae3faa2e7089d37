import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './python-clients.ts';

export interface SmallDisk {
  path: string;
  /** Leaves so many bytes of an empty disk. */
  fill(leave: number): Promise<void>;
  /** Leaves nothing, whatever is there already. */
  fillUp(): Promise<void>;
  empty(): Promise<void>;
  close(): Promise<void>;
}

/** A file system of so many bytes: when it is full, it is full. Needs root, as CI has it. */
export async function smallDisk(bytes: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'larder-disk-'));
  const mounted = await runCommand('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]);
  if (mounted.code !== 0) throw new Error(`a small file system could not be mounted: ${mounted.stderr}`);
  const ballast = join(path, 'ballast');
  return {
    path,
    fill: (leave) => writeFile(ballast, Buffer.alloc(bytes - leave)),
    fillUp: () => writeFile(ballast, Buffer.alloc(bytes)).catch(() => undefined),
    empty: () => rm(ballast, { force: true }),
    async close() {
      await runCommand('umount', ['-l', path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}
