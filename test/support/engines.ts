import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort } from './free-port.ts';
import { goProgram } from './go-programs.ts';

export const ACCESS_KEY = 'larder-test';
export const SECRET_KEY = 'larder-test-secret';

/** For what takes both at once. */
export const CREDENTIALS = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
/** For a Larder whose store is a bucket of an engine. */
export const STORE_KEYS = { LARDER_STORE_ACCESS_KEY: ACCESS_KEY, LARDER_STORE_SECRET_KEY: SECRET_KEY };

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

/** Makes a bucket. @returns where a store in it lies, as `LARDER_STORE` says it */
export async function makeBucket({ endpoint }: Engine, name: string): Promise<string> {
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: CREDENTIALS });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
  return `s3://${name}/larder?endpoint=${endpoint}`;
}

/** versitygw itself: an engine, and a suite of tests for others. */
export const versitygwProgram = () => goProgram('versitygw');

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
    await goProgram('minio'),
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
    child.kill('SIGKILL');
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
