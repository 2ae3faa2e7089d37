import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type PresignOptions, presignUrl } from '../../shared/storage/sigv4.ts';
import { ACCESS_KEY, SECRET_KEY, startVersitygw } from '../support/engines.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';
import { larder as command, spawnLarder } from '../support/spawn-larder.ts';

export const BUCKET = 'bench';

/** Somebody who speaks S3, and is measured. */
export interface Measured {
  name: string;
  pid: number;
  client: S3Client;
  /** An address that anybody may use for an hour. */
  presigned(method: string, key: string, query?: PresignOptions['query']): string;
  stop(): Promise<void>;
}

interface Running {
  name: string;
  pid: number;
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  stop(): Promise<unknown>;
}

/**
 * Larder, versitygw and SeaweedFS. Larder syncs what it acknowledges, bytes and names; versitygw syncs nothing, SeaweedFS
 * only when a rule says so, which none does by default.
 */
export async function startMeasured(folder: string): Promise<Measured[]> {
  const running = [await startLarder(folder), await startVersity(), await startWeed()];
  return Promise.all(running.map(ready));
}

/** SeaweedFS with its rule: it syncs bytes, and leaves names to the system. The nearest there is to what Larder does. */
export async function startSyncingWeed(): Promise<Measured> {
  return ready(await startWeed({ sync: true }));
}

/** Larder alone, over a store that `fill` has put something into. */
export async function startLarderOver(folder: string, fill: (store: string) => Promise<void>): Promise<Measured> {
  await fill(`${folder}/larder`);
  return ready(await startLarder(folder));
}

async function startLarder(folder: string): Promise<Running> {
  const store = `${folder}/larder`;
  const { stdout } = await command(['token', 'create', 'bench', '--write', '--s3', '--store', store]);
  const [accessKeyId = '', secretAccessKey = ''] = stdout.trim().split('\n');
  const others = ['PYPI', 'HUGGINGFACE', 'NGC', 'NPM', 'OCI'].map((name) => [`LARDER_${name}_ENABLED`, 'false']);
  const env = { LARDER_LOG_LEVEL: 'warn', AIRGAPPED_MODE: 'true', ...Object.fromEntries(others) };
  const server = await spawnLarder({ store, env });
  return {
    name: 'larder',
    pid: server.pid,
    endpoint: server.urls.s3!,
    accessKeyId,
    secretAccessKey,
    stop: server.stop,
  };
}

async function startVersity(): Promise<Running> {
  const engine = await startVersitygw();
  const keys = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
  return { name: 'versitygw', pid: engine.pid, endpoint: engine.endpoint, ...keys, stop: () => engine.close() };
}

async function startWeed(options: { sync?: boolean } = {}): Promise<Running> {
  const engine = await startSeaweedfs(options);
  const keys = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
  const name = options.sync ? 'SeaweedFS, syncing' : 'SeaweedFS';
  return { name, pid: engine.pid, endpoint: engine.endpoint, ...keys, stop: () => engine.close() };
}

async function ready({ name, pid, endpoint, accessKeyId, secretAccessKey, stop }: Running): Promise<Measured> {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'small', Body: Buffer.alloc(4096, 's') }));
  const key = { ...credentials, region: 'us-east-1', service: 's3' };
  return {
    ...{ name, pid, client },
    presigned: (method, object, query) =>
      presignUrl({ method, endpoint, path: `/${BUCKET}/${object}`, query, expires: 3600, now: Date.now() }, key),
    async stop() {
      client.destroy();
      await stop();
    },
  };
}
