import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TEST_CACHE } from './python-clients.ts';

const run = promisify(execFile);

export const ACCESS_KEY = 'larder-test';
export const SECRET_KEY = 'larder-test-secret';

/** A real S3 engine on loopback. */
export interface Engine {
  name: string;
  /** `http://127.0.0.1:port` */
  endpoint: string;
  pid: number;
  /** Ends it by its own pid, at once; its data stay. */
  kill(): Promise<void>;
  /** Starts it again over the same data, on the same port. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const MODULES = {
  versitygw: 'github.com/versity/versitygw/cmd/versitygw@v1.7.0',
  // no longer maintained, and so only a second opinion; the last source that there is
  minio: 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c',
};

/** A program built once with the Go toolchain, kept in the cache. */
async function built(name: keyof typeof MODULES): Promise<string> {
  const folder = join(TEST_CACHE, 'engines');
  const program = join(folder, name);
  if (
    await access(program).then(
      () => true,
      () => false,
    )
  )
    return program;
  await mkdir(folder, { recursive: true });
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false' };
  await run('go', ['install', MODULES[name]], { env, timeout: 1_500_000, maxBuffer: 64 << 20 });
  return program;
}

/** versitygw itself: an engine, and a suite of tests for others. */
export const versitygwProgram = () => built('versitygw');

/** versitygw over a folder of plain files. */
export async function startVersitygw(): Promise<Engine> {
  const place = await placeOf();
  const env = { ...process.env, ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY };
  const args = ['--port', place.address, '--quiet', 'posix', place.data];
  return startEngine('versitygw', await versitygwProgram(), args, env, place);
}

/** MinIO over a folder. */
export async function startMinio(): Promise<Engine> {
  const place = await placeOf();
  const env = {
    ...process.env,
    MINIO_ROOT_USER: ACCESS_KEY,
    MINIO_ROOT_PASSWORD: SECRET_KEY,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
  };
  return startEngine(
    'minio',
    await built('minio'),
    ['server', '--quiet', '--address', place.address, place.data],
    env,
    place,
  );
}

export interface Place {
  data: string;
  address: string;
  endpoint: string;
}

export async function placeOf(): Promise<Place> {
  const data = await mkdtemp(join(tmpdir(), 'larder-engine-'));
  const address = `127.0.0.1:${await freePort()}`;
  return { data, address, endpoint: `http://${address}` };
}

export async function startEngine(
  name: string,
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  { endpoint, data }: Place,
  isReady = () => answers(endpoint),
): Promise<Engine> {
  const start = async () => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.on('data', (chunk) => {
      words = (words + chunk).slice(-2000);
    });
    for (let tries = 0; tries < 1000; tries += 1) {
      if (await isReady()) return child;
      if (child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${name} did not start: ${words}`);
  };
  let child = await start();
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return {
    name,
    endpoint,
    get pid() {
      return child.pid!;
    },
    kill,
    async restart() {
      child = await start();
    },
    async close() {
      await kill();
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** True when anything is said at an address. */
function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
