import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { type Ran, runCommand } from './python-clients.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const COMMAND = resolve(ROOT, 'services/cli/larder.mjs');

/** The real command, running. */
export interface SpawnedLarder {
  /** By service: `urls.pypi`. */
  urls: Record<string, string>;
  /** The same for services with a tlsPort. */
  tlsUrls: Record<string, string>;
  pid: number;
  /** Milliseconds from the spawn to its start block. */
  startedIn: number;
  /** Log lines so far. */
  log(): string;
  /** Its exit status, whoever ended it; null when a signal did. */
  exited: Promise<number | null>;
  /** SIGTERM, and its exit status. */
  stop(): Promise<number | null>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
}

export interface SpawnOptions {
  store: string;
  env?: NodeJS.ProcessEnv;
  /** Puts the command somewhere else: a network namespace, a tracer. */
  wrap?(command: string, args: readonly string[]): [string, string[]];
}

/** Starts `larder serve` on free ports and waits until it says where it is. */
export async function spawnLarder(options: SpawnOptions): Promise<SpawnedLarder> {
  const started = performance.now();
  // as `npm start` has it
  const plain: [string, string[]] = [process.execPath, ['--max-semi-space-size=4', COMMAND, 'serve']];
  const [command, args] = options.wrap?.(...plain) ?? plain;
  const env = {
    ...environmentOf(options.env),
    LARDER_STORE: options.store,
    LARDER_PYPI_PORT: '0',
    LARDER_HUGGINGFACE_PORT: '0',
    LARDER_NGC_PORT: '0',
    LARDER_NPM_PORT: '0',
    LARDER_OCI_PORT: '0',
    LARDER_S3_PORT: '0',
    LARDER_ADMIN_PORT: '0',
    ...options.env,
  };
  const child = spawn(command, args, { env, cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const block = await startBlock(child, () => log);
  return {
    urls: urlsIn(block, 'http'),
    tlsUrls: urlsIn(block, 'https'),
    pid: child.pid!,
    startedIn: performance.now() - started,
    log: () => log,
    exited,
    async stop() {
      if (child.exitCode !== null) return child.exitCode;
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      return code as number | null;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Nothing of this machine's own settings, and of its pip only what the test wants. */
function environmentOf(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('LARDER_') && name !== 'AIRGAPPED_MODE');
  return { ...Object.fromEntries(kept), ...more };
}

async function startBlock(child: ChildProcess, log: () => string): Promise<string> {
  let text = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout!.on('data', (chunk) => {
      text += chunk;
      if (/^\s+admin\s+http\S+ /m.test(text)) resolve();
    });
  });
  await Promise.race([ready, once(child, 'exit')]);
  if (child.exitCode !== null) throw new Error(`larder did not start:\n${text}${log()}`);
  return text;
}

function urlsIn(block: string, scheme: string): Record<string, string> {
  const rows = block.matchAll(new RegExp(`^\\s+(\\w+)\\s+(${scheme}://\\S+)`, 'gm'));
  return Object.fromEntries([...rows].map((match) => [match[1]!, match[2]!]));
}

/** Runs one verb to its end. */
export function larder(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; timeout?: number } = {},
): Promise<Ran> {
  return runCommand(process.execPath, [COMMAND, ...args], { ...options, env: environmentOf(options.env) });
}
