import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from './bundles.ts';

/** What to spawn in place of a command, to put it somewhere else: a network namespace, another view of files. */
export type Wrap = (command: string, args: readonly string[]) => [string, string[]];

/** Starts one in a folder of its own, which goes with it, and when it does not start. */
export async function inOwnFolder<T>(start: (folder: string, remove: () => Promise<void>) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder();
  try {
    return await start(folder.path, folder.remove);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** What a daemon answers when it can, asked again and again. Throws with the end of its log when it cannot. */
export async function firstAnswer(
  daemon: ChildProcess,
  ask: () => Promise<{ code: number; stdout: string }>,
  log: () => string,
): Promise<string> {
  for (let tries = 0; tries < 300 && daemon.exitCode === null; tries += 1) {
    const { code, stdout } = await ask();
    if (code === 0) return stdout;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${daemon.spawnfile} did not start:\n${log().slice(-4000)}`);
}

/** By its own pid; what it has started goes with it. */
export async function endDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  const late = setTimeout(() => daemon.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(late);
}

/**
 * A folder with a `hosts.toml` for each of these hosts. `server` is the mirror, too: a host whose mirror does not have
 * an image is not asked behind its back.
 */
export async function writeHosts(folder: string, mirror: string, hosts: readonly string[]): Promise<string> {
  for (const host of hosts) {
    await mkdir(join(folder, host), { recursive: true });
    const lines = [`server = "${mirror}"`, `[host."${mirror}"]`, 'capabilities = ["pull", "resolve"]'];
    await writeFile(join(folder, host, 'hosts.toml'), `${lines.join('\n')}\n`);
  }
  return folder;
}
