import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Requests per second of a URL, by wrk: one thread, so that the server has the other core. */
export async function requestsPerSecond(
  url: string,
  options: { connections: number; seconds: number; headers?: Record<string, string>; script?: string },
): Promise<number> {
  const headers = Object.entries(options.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const { stdout } = await run('wrk', [
    '-t1',
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    '--timeout',
    '10s',
    ...(options.script ? ['-s', options.script] : []),
    ...headers,
    url,
  ]);
  const found = /Requests\/sec:\s+([\d.]+)/.exec(stdout);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout);
  if (!found || bad) throw new Error(`wrk ${url}: ${stdout}`);
  return Number(found[1]);
}

/** Bytes per second over `connections` downloads side by side, by curl. */
export async function bytesPerSecond(url: string, connections: number): Promise<number> {
  const started = performance.now();
  const sizes = await Promise.all(
    Array.from({ length: connections }, async () => {
      const { stdout } = await run('curl', ['-sf', '-o', '/dev/null', '-w', '%{size_download}', url]);
      return Number(stdout);
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0) / ((performance.now() - started) / 1000);
}

/** Milliseconds of each request of a steady stream of them; a late answer does not hold back the next question. */
export async function latencies(
  url: string,
  options: { perSecond: number; seconds: number; headers?: Record<string, string> },
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const times: Promise<number>[] = [];
  const started = performance.now();
  for (let count = 0; count < options.perSecond * options.seconds; count += 1) {
    const due = started + (count * 1000) / options.perSecond;
    const early = due - performance.now();
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
    times.push(ask(url, agent, options.headers ?? {}, due));
  }
  const all = await Promise.all(times);
  agent.destroy();
  return all.sort((one, other) => one - other);
}

function ask(url: string, agent: Agent, headers: Record<string, string>, due: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent, headers }, (res) => {
      if (res.statusCode !== 200) reject(new Error(`${url}: ${res.statusCode}`));
      res.on('end', () => resolve(performance.now() - due));
      res.resume();
    });
    req.on('error', reject);
    req.end();
  });
}

/** The value that `share` of sorted values do not exceed. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((one, other) => one - other),
    0.5,
  );
}

export interface Peer {
  url: string;
  process: ChildProcess;
  stop(): Promise<void>;
}

/** Starts a server and waits until it answers. */
export async function startPeer(
  command: string,
  args: string[],
  options: { url: string; env?: NodeJS.ProcessEnv; cwd?: string; ready?: string; seconds?: number },
): Promise<Peer> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-4000);
    });
  const until = performance.now() + (options.seconds ?? 60) * 1000;
  while (!(await answers(options.ready ?? options.url))) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`${command} did not start:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url: options.url,
    process: child,
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await Promise.race([once(child, 'exit'), new Promise((resolve) => setTimeout(resolve, 5000))]);
      if (child.exitCode === null) child.kill('SIGKILL');
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    async (res) => {
      await res.arrayBuffer();
      return res.status < 500;
    },
    () => false,
  );
}

/** Resident bytes of a process, and the most it has had. */
export async function memoryOf(pid: number): Promise<{ now: number; peak: number }> {
  const { stdout } = await run('cat', [`/proc/${pid}/status`]);
  const kilobytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(stdout)?.[1] ?? 0) * 1024;
  return { now: kilobytes('VmRSS'), peak: kilobytes('VmHWM') };
}
