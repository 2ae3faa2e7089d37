import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { presignUrl } from '../../shared/storage/sigv4.ts';
import { ACCESS_KEY, type Engine, SECRET_KEY, startVersitygw } from '../support/engines.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';
import { larder as command, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';
import { bytesPerSecond, median, requestsPerSecond } from './measure.ts';
import { startProxyNginx } from './nginx.ts';
import { writeLayer } from './oci-registries.ts';
import type { Row } from './table.ts';

const run = promisify(execFile);
const SIZE = 1_000_000_000;
const RUNS = 3;
const SECONDS = 4;

/** A blob on an engine: streamed by Larder beside nginx that proxies the same object, and redirected to. */
export async function benchEngineDelivery(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const start of [startVersitygw, startSeaweedfs]) {
    const engine = await start();
    const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
    try {
      rows.push(...(await measureEngine(engine, folder)));
    } finally {
      await engine.close();
      await rm(folder, { recursive: true, force: true });
    }
  }
  return rows;
}

async function measureEngine(engine: Engine, folder: string): Promise<Row[]> {
  const credentials = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
  const client = new S3Client({ endpoint: engine.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: 'site' }));
  client.destroy();
  const streaming = await startLarder(engine, folder, 'stream');
  const redirecting = await startLarder(engine, folder, 'redirect');
  const nginx = await startProxyNginx(join(folder, 'nginx'), engine.endpoint);
  try {
    const digest = await push(streaming, engine, folder);
    const path = `/v2/bench/blob/blobs/${digest}`;
    return [
      ...(await streams(engine, streaming.urls.oci! + path, nginx.url + signed(engine, digest))),
      await redirects(engine, redirecting.urls.oci! + path),
    ];
  } finally {
    await nginx.stop();
    await streaming.stop();
    await redirecting.stop();
  }
}

const storeOn = ({ endpoint }: Engine) => `s3://site/larder?endpoint=${endpoint}`;
const KEYS = { LARDER_STORE_ACCESS_KEY: ACCESS_KEY, LARDER_STORE_SECRET_KEY: SECRET_KEY };

function startLarder(engine: Engine, folder: string, delivery: string): Promise<SpawnedLarder> {
  const others = ['PYPI', 'HUGGINGFACE', 'NGC', 'NPM', 'S3'].map((name) => [`LARDER_${name}_ENABLED`, 'false']);
  const env = {
    ...KEYS,
    AIRGAPPED_MODE: 'true',
    LARDER_LOG_LEVEL: 'warn',
    LARDER_WORK_DIR: join(folder, `work-${delivery}`),
    LARDER_DELIVERY: delivery,
    ...Object.fromEntries(others),
  };
  return spawnLarder({ store: storeOn(engine), env });
}

/** @returns the blob's digest */
async function push(larder: SpawnedLarder, engine: Engine, folder: string): Promise<string> {
  const args = ['token', 'create', 'bench', '--write', '--store', storeOn(engine)];
  const made = await command(args, { env: { ...KEYS, LARDER_WORK_DIR: join(folder, 'work-token') } });
  const file = join(folder, 'blob');
  const digest = await writeLayer(file, SIZE);
  const user = `bench:${made.stdout.trim()}`;
  const begun = await fetch(`${larder.urls.oci}/v2/bench/blob/blobs/uploads/`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` },
  });
  const location = new URL(begun.headers.get('location')!, larder.urls.oci);
  location.searchParams.set('digest', digest);
  await run('curl', ['-sf', '-o', '/dev/null', '-u', user, '-T', file, location.href]);
  await rm(file);
  return digest;
}

function signed({ endpoint }: Engine, digest: string): string {
  const path = `/site/larder/blobs/sha256/${digest.slice('sha256:'.length)}`;
  const key = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY, region: 'us-east-1', service: 's3' };
  return presignUrl({ method: 'GET', endpoint, path, expires: 3600, now: Date.now() }, key).slice(endpoint.length);
}

async function streams({ name }: Engine, ours: string, peer: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of [1, 4]) {
    const speeds: [ours: number, peer: number][] = [];
    for (let turn = 0; turn < RUNS; turn += 1)
      speeds.push([await bytesPerSecond(ours, connections), await bytesPerSecond(peer, connections)]);
    const ratio = median(speeds.map(([one, other]) => one / other));
    const shown = (speed: number) => (speed / 1e6).toFixed(0);
    rows.push({
      what: `1 GB on ${name} through Larder, ${connections} at once, MB/s (median of ${RUNS})`,
      ours: shown(median(speeds.map(([one]) => one))),
      peer: `nginx proxy_pass ${shown(median(speeds.map(([, other]) => other)))}`,
      ratio,
      wanted: '≥ 0.6',
      met: ratio >= 0.6,
    });
  }
  return rows;
}

async function redirects({ name }: Engine, url: string): Promise<Row> {
  const speeds: number[] = [];
  // a server that stands for weeks is compiled
  await requestsPerSecond(url, { connections: 16, seconds: 2 * SECONDS });
  for (let turn = 0; turn < RUNS; turn += 1)
    speeds.push(await requestsPerSecond(url, { connections: 16, seconds: SECONDS }));
  const speed = median(speeds);
  return {
    what: `redirects to ${name}, each address signed once a minute, requests/s (median of ${RUNS})`,
    ours: speed.toFixed(0),
    peer: '',
    wanted: '≥ 20,000',
    met: speed >= 20_000,
  };
}
