import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { startHub } from '../support/hub.ts';
import { bytesOf } from '../support/hub-sites.ts';
import { larder as command, spawnLarder } from '../support/spawn-larder.ts';
import { coldFile, startHubProcess } from './hub-process.ts';
import { bytesPerSecond, median, type Peer } from './measure.ts';
import { startNginx } from './nginx.ts';
import type { Row } from './table.ts';

const SIZE = 2_000_000_000;
const RUNS = 5;

/** A file of 2 GB from the embedded store, beside nginx with sendfile on the very same blob. */
export async function benchHubFiles(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const store = join(folder, 'larder');
  const sha256 = await writeModel(join(folder, 'model'));
  await command(['hf', 'add', join(folder, 'model'), '--repo', 'lab/large', '--store', store]);
  const site = await spawnLarder({
    store,
    env: { AIRGAPPED_MODE: 'true', LARDER_LOG_LEVEL: 'warn', LARDER_PYPI_ENABLED: 'false' },
  });
  let nginx: Peer | undefined;
  try {
    nginx = await startNginx(join(folder, 'nginx'), join(store, 'blobs/sha256'));
    const ours = `${site.urls.huggingface}/lab/large/resolve/main/model.safetensors`;
    const rows: Row[] = [];
    for (const connections of [1, 4]) rows.push(await compare(ours, `${nginx.url}/${sha256}`, connections));
    return rows;
  } finally {
    await nginx?.stop();
    await site.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(ours: string, peer: string, connections: number): Promise<Row> {
  const speeds = { ours: [] as number[], peer: [] as number[] };
  for (let count = 0; count < RUNS; count += 1) {
    speeds.ours.push(await bytesPerSecond(ours, connections));
    speeds.peer.push(await bytesPerSecond(peer, connections));
  }
  const [one, other] = [median(speeds.ours), median(speeds.peer)];
  return {
    what: `2 GB model file, ${connections} connection${connections > 1 ? 's' : ''}, MB/s (median of ${RUNS})`,
    ours: (one / 1e6).toFixed(0),
    peer: `nginx sendfile ${(other / 1e6).toFixed(0)}`,
    ratio: one / other,
    wanted: '≥ 0.95',
    met: one / other >= 0.95,
  };
}

/** @returns the sha256 of the large file */
async function writeModel(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(20_000_000);
  const file = await open(join(dir, 'model.safetensors'), 'w');
  for (let written = 0; written < SIZE; written += zeros.length) {
    const bytes = cipher.update(zeros);
    hash.update(bytes);
    await file.write(bytes);
  }
  await file.close();
  return hash.digest('hex');
}

const COLD = 21;

/** Cold files: how long after the origin's own the first byte comes, and how often 32 clients make the hub send. */
export async function benchHubCold(): Promise<Row[]> {
  return [await firstBytes(), await manyClients()];
}

async function firstBytes(): Promise<Row> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const hub = await startHubProcess(COLD + 2);
  const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url, LARDER_LOG_LEVEL: 'warn', LARDER_PYPI_ENABLED: 'false' };
  const larder = await spawnLarder({ store: join(folder, 'larder'), env });
  try {
    const times = { direct: [] as number[], added: [] as number[] };
    for (let index = 0; index < COLD + 2; index += 1) {
      const direct = await firstByte(hub.url + coldFile(index));
      const ours = await firstByte(larder.urls.huggingface + coldFile(index));
      // the first ones bring the tree, and code that has not been compiled yet
      if (index < 2) continue;
      times.direct.push(direct);
      times.added.push(ours - direct);
      // the file before is being put away
      await setTimeout(200);
    }
    const added = median(times.added);
    return {
      what: `cold 8 MB file: first byte after the origin's own (median of ${COLD})`,
      ours: `${added.toFixed(1)} ms`,
      peer: `origin alone ${median(times.direct).toFixed(1)} ms`,
      wanted: '≤ 10 ms',
      met: added <= 10,
    };
  } finally {
    await larder.stop();
    await hub.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function manyClients(): Promise<Row> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const hub = await startHub();
  hub.add({ id: 'acme/many', files: { 'big.bin': bytesOf(100 << 20, 'many') } });
  const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url, LARDER_LOG_LEVEL: 'warn', LARDER_PYPI_ENABLED: 'false' };
  const larder = await spawnLarder({ store: join(folder, 'larder'), env });
  try {
    const url = `${larder.urls.huggingface}/acme/many/resolve/main/big.bin`;
    await Promise.all(Array.from({ length: 32 }, async () => (await fetch(url)).body!.pipeTo(new WritableStream())));
    const fetches = hub.count('/lfs/');
    return {
      what: '32 cold clients of one file: fetches from the hub',
      ours: String(fetches),
      peer: '',
      wanted: '1',
      met: fetches === 1,
    };
  } finally {
    await larder.stop();
    await hub.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds to the first byte of the body; all of it is read. */
async function firstByte(url: string): Promise<number> {
  const started = performance.now();
  const reader = (await fetch(url)).body!.getReader();
  await reader.read();
  const elapsed = performance.now() - started;
  while (!(await reader.read()).done);
  return elapsed;
}
