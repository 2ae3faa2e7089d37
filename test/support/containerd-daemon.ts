import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerTool, newestDaemon } from './container-tools.ts';
import { endDaemon, firstAnswer, inOwnFolder, type Wrap, writeHosts } from './daemons.ts';
import { type Ran, runCommand } from './python-clients.ts';

/** A containerd with a world of its own, as a node of Kubernetes has one, but without its CRI. */
export interface ContainerdDaemon {
  /** Runs its client, in the daemon's place: `ctr('images', 'ls')`. */
  ctr(...args: string[]): Promise<Ran>;
  /** A folder for `--hosts-dir` in which these hosts' images come from a mirror: `hosts.toml` for each. */
  hostsDir(mirror: string, hosts: readonly string[]): Promise<string>;
  version: string;
  log(): string;
  /** Ends it by its own pid; all that it had goes. */
  close(): Promise<void>;
}

export interface ContainerdOptions {
  /** Debian's (1.6), or what the Go toolchain builds (2). */
  newest?: boolean;
  /** Layers are fetched in parts of so many bytes, three at once; the newest only. */
  partBytes?: number;
  /** Puts it, and its client, somewhere else: a network namespace. */
  wrap?: Wrap;
}

export async function startContainerd(options: ContainerdOptions = {}): Promise<ContainerdDaemon> {
  return inOwnFolder((folder, remove) => startIn(folder, options, remove));
}

async function startIn(folder: string, options: ContainerdOptions, remove: () => Promise<void>) {
  const wrap: Wrap = options.wrap ?? ((command, args) => [command, [...args]]);
  const { program, client, PATH } = await programs(options.newest ?? false);
  const socket = join(folder, 'containerd.sock');
  const env = { PATH, HOME: folder };
  const daemon = spawn(...wrap(program, ['--config', await settings(folder, socket, options)]), {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  daemon.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ctr = (...words: string[]) =>
    runCommand(...wrap(client, ['--address', socket, ...words]), { env, timeout: 120_000 });
  const close = async () => {
    await endDaemon(daemon);
    await remove();
  };
  let folders = 0;
  const hostsDir = (mirror: string, hosts: readonly string[]) => {
    folders += 1;
    return writeHosts(join(folder, `hosts-${folders}`), mirror, hosts);
  };
  try {
    return { ctr, hostsDir, version: await ready(daemon, ctr, () => log), log: () => log, close };
  } catch (error) {
    await endDaemon(daemon);
    throw error;
  }
}

async function programs(newest: boolean) {
  const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
  if (!newest) return { program: await containerTool('containerd'), client: await containerTool('ctr'), PATH };
  const folder = await newestDaemon('containerd');
  return { program: join(folder, 'containerd'), client: join(folder, 'ctr'), PATH: `${folder}:${PATH}` };
}

/** What it would reach for outside of its folder. */
const WITHOUT = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt', 'io.containerd.nri.v1.nri'];

async function settings(folder: string, socket: string, { partBytes }: ContainerdOptions): Promise<string> {
  const file = join(folder, 'config.toml');
  const parts = ['[plugins."io.containerd.transfer.v1.local"]', `concurrent_layer_fetch_buffer = ${partBytes}`];
  const lines = [
    'version = 2',
    `root = "${join(folder, 'root')}"`,
    `state = "${join(folder, 'state')}"`,
    `disabled_plugins = ${JSON.stringify(WITHOUT)}`,
    // what it asks for, with all fields, is in its log only then
    '[debug]',
    'level = "debug"',
    '[grpc]',
    `address = "${socket}"`,
    ...(partBytes === undefined ? [] : parts),
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function ready(daemon: ChildProcess, ctr: ContainerdDaemon['ctr'], log: () => string): Promise<string> {
  const answer = await firstAnswer(daemon, () => ctr('version'), log);
  return /Server:\s+Version:\s+(\S+)/.exec(answer)?.[1] ?? '';
}
