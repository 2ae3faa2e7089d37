import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerTool, newestDaemon } from './container-tools.ts';
import { endDaemon, firstAnswer, inOwnFolder, type Wrap, writeHosts } from './daemons.ts';
import { type Ran, runCommand } from './python-clients.ts';

/** A dockerd with a world of its own: images, containers, its containerd, settings, logins. */
export interface DockerDaemon {
  /** Runs the client that belongs to it: `docker('pull', 'busybox')`. */
  docker(...args: string[]): Promise<Ran>;
  /** What it says of itself: `29.0.1`. */
  version: string;
  log(): string;
  /** Ends it by its own pid; all that it had goes. */
  close(): Promise<void>;
}

export interface DockerOptions {
  /** Debian's (20.10), or what the Go toolchain builds (29). */
  newest?: boolean;
  /** Where it asks for names without a host before docker.io: `http://127.0.0.1:5000`. */
  mirrors?: readonly string[];
  insecure?: readonly string[];
  /** Images are kept by containerd rather than by dockerd's own store; the newest only. */
  containerdStore?: boolean;
  /** What `/etc/docker/certs.d/<host>/hosts.toml` says, for it alone: these hosts' images come from a mirror. */
  hosts?: { mirror: string; names: readonly string[] };
  /** Puts it somewhere else: a network namespace. */
  wrap?: Wrap;
  /** Milliseconds that a command may take. */
  patience?: number;
}

export async function startDocker(options: DockerOptions = {}): Promise<DockerDaemon> {
  return inOwnFolder((folder, remove) => startIn(folder, options, remove));
}

async function startIn(folder: string, options: DockerOptions, remove: () => Promise<void>): Promise<DockerDaemon> {
  const { program, client, PATH } = await programs(options.newest ?? false);
  const socket = `unix://${join(folder, 'docker.sock')}`;
  const args = [...(await settings(folder, options)), '--host', socket];
  const wrap = options.wrap ?? ((plain, its): [string, string[]] => [plain, [...its]]);
  const [command, all] = wrap(...(await withHosts(folder, options.hosts, program, args)));
  const home = join(folder, 'home');
  await mkdir(home);
  const daemon = spawn(command, all, { env: { PATH, HOME: home }, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  daemon.stderr.on('data', (chunk) => {
    log += chunk;
  });
  // the client says on its own what daemon it means, and reads no settings of this machine
  const env = { PATH, HOME: home, DOCKER_CONFIG: join(home, '.docker'), DOCKER_HOST: socket };
  const docker = (...words: string[]) => runCommand(client, words, { env, timeout: options.patience ?? 120_000 });
  const close = async () => {
    await endDaemon(daemon);
    // containers on the host's network leave it mounted
    await runCommand('umount', [join(folder, 'exec/netns/default')]);
    await remove();
  };
  try {
    return { docker, version: await ready(daemon, docker, () => log), log: () => log, close };
  } catch (error) {
    await endDaemon(daemon);
    throw error;
  }
}

async function programs(newest: boolean) {
  const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
  if (!newest) return { program: await containerTool('dockerd'), client: await containerTool('docker'), PATH };
  const folder = await newestDaemon('docker');
  return { program: join(folder, 'dockerd'), client: join(folder, 'docker'), PATH: `${folder}:${PATH}` };
}

async function settings(folder: string, options: DockerOptions): Promise<string[]> {
  const { newest = false, containerdStore = false } = options;
  const file = join(folder, 'daemon.json');
  const json = {
    'registry-mirrors': options.mirrors ?? [],
    'insecure-registries': options.insecure ?? [],
    // Debian's has the builder that knows secrets; the newest needs a program of its own for it.
    // Its runc is built without the library for seccomp.
    ...(newest
      ? { features: { 'containerd-snapshotter': containerdStore }, 'seccomp-profile': 'unconfined' }
      : { features: { buildkit: true } }),
    'shutdown-timeout': 2,
  };
  await writeFile(file, JSON.stringify(json));
  const places = { 'data-root': 'data', 'exec-root': 'exec', pidfile: 'pid' };
  return [
    ...['--config-file', file],
    ...Object.entries(places).flatMap(([name, path]) => [`--${name}`, join(folder, path)]),
    ...['--iptables=false', '--ip6tables=false', '--bridge=none'],
    ...(containerdStore ? [] : ['--storage-driver=overlay2']),
  ];
}

/** Its own view of `/etc`: what this machine has, and over it what it is to find there. */
const WITH_ETC = 'mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0,workdir=$1" /etc && shift && exec "$@"';

async function withHosts(
  folder: string,
  hosts: DockerOptions['hosts'],
  program: string,
  args: string[],
): Promise<[string, string[]]> {
  if (!hosts) return [program, args];
  const [etc, work] = [join(folder, 'etc'), join(folder, 'etc-work')];
  await mkdir(work);
  await writeHosts(join(etc, 'docker/certs.d'), hosts.mirror, hosts.names);
  return ['unshare', ['--mount', 'sh', '-c', WITH_ETC, etc, work, program, ...args]];
}

async function ready(daemon: ChildProcess, docker: DockerDaemon['docker'], log: () => string): Promise<string> {
  return (await firstAnswer(daemon, () => docker('version', '--format', '{{.Server.Version}}'), log)).trim();
}
