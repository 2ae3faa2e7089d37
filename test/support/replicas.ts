import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { temporaryFolder } from './bundles.ts';
import { STORE_KEYS } from './engines.ts';
import { freePort } from './free-port.ts';
import { type SpawnedLarder, spawnLarder } from './spawn-larder.ts';

const KEY = { accessKeyId: 'replica-test', secretAccessKey: 'replica-test-secret' };

/** One `larder serve` of several over one bucket; its address stays when it dies and comes back. */
export interface Replica {
  pypi: string;
  /** Asks this one alone, and once. */
  s3: S3Client;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export interface Replicas {
  all: Replica[];
  close(): Promise<void>;
}

/** Starts replicas over a store on an engine, each with a work folder of its own that outlives it. */
export async function startReplicas(count: number, store: string, more: NodeJS.ProcessEnv = {}): Promise<Replicas> {
  const folder = await temporaryFolder();
  const ends: (() => Promise<unknown>)[] = [folder.remove];
  const startOne = async (name: string): Promise<Replica> => {
    const ports = { pypi: await freePort(), s3: await freePort() };
    const env = {
      ...{ ...STORE_KEYS, ...more },
      LARDER_WORK_DIR: join(folder.path, name),
      LARDER_S3_KEYS: JSON.stringify([KEY]),
      LARDER_PYPI_PORT: String(ports.pypi),
      LARDER_S3_PORT: String(ports.s3),
      LARDER_OCI_ENABLED: 'false',
      LARDER_HUGGINGFACE_ENABLED: 'false',
      LARDER_NGC_ENABLED: 'false',
      LARDER_NPM_ENABLED: 'false',
    };
    let running: SpawnedLarder | undefined;
    const start = async () => {
      running = await spawnLarder({ store, env });
    };
    ends.push(async () => running?.kill());
    await start();
    const { pypi, s3: endpoint } = running!.urls as { pypi: string; s3: string };
    const s3 = new S3Client({
      ...{ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: KEY, maxAttempts: 1 },
      requestHandler: { requestTimeout: 60_000 },
    });
    ends.push(async () => s3.destroy());
    return { pypi, s3, kill: () => running!.kill(), restart: start };
  };
  const close = async () => {
    for (const end of ends.reverse()) await end();
  };
  try {
    const names = Array.from({ length: count }, (_, index) => `replica-${index}`);
    return { all: await Promise.all(names.map(startOne)), close };
  } catch (error) {
    await close();
    throw error;
  }
}
