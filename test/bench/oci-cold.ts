import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { spawnLarder } from '../support/spawn-larder.ts';
import { median } from './measure.ts';
import type { Row } from './table.ts';

const run = promisify(execFile);
const SIZE = 1_000_000_000;
const RUNS = 3;
const CLIENTS = 16;
/** A site's line: 1 Gbit/s. */
const LINE = 125_000_000;
const READERS = join(import.meta.dirname, 'readers.ts');

/** 16 clients on one cold layer of 1 GB, beside one client alone. */
export async function benchColdLayer(): Promise<Row[]> {
  const alone: Measured[] = [];
  const many: Measured[] = [];
  for (let count = 0; count < RUNS; count += 1) {
    alone.push(await measure(1));
    many.push(await measure(CLIENTS));
  }
  const [one, all] = [median(alone.map(({ seconds }) => seconds)), median(many.map(({ seconds }) => seconds))];
  const fetches = Math.max(...many.map(({ fetches: found }) => found));
  return [
    {
      what: `${CLIENTS} cold clients of one 1 GB layer: GETs at the origin (most of ${RUNS} runs)`,
      ours: String(fetches),
      peer: '',
      wanted: '1',
      met: fetches === 1,
    },
    {
      what: `the same, until the last has it (median of ${RUNS}; line of 1 Gbit/s)`,
      ours: `${all.toFixed(2)} s`,
      peer: `one client alone ${one.toFixed(2)} s`,
      ratio: all / one,
      wanted: '≤ 1.1',
      met: all / one <= 1.1,
    },
  ];
}

interface Measured {
  seconds: number;
  fetches: number;
}

async function measure(clients: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const origin = await startLayerOrigin();
  const larder = await spawnLarder({
    store: join(folder, 'larder'),
    env: {
      LARDER_OCI_REGISTRIES: JSON.stringify([{ name: 'docker.io', url: origin.url }]),
      LARDER_LOG_LEVEL: 'warn',
      LARDER_PYPI_ENABLED: 'false',
    },
  });
  try {
    const url = `${larder.urls.oci}/v2/docker.io/bench/image/blobs/${origin.digest}`;
    const { stdout } = await run(process.execPath, [READERS, url, String(clients)]);
    const { startedAt, endedAt, readers } = JSON.parse(stdout) as {
      startedAt: number;
      endedAt: number;
      readers: { bytes: number }[];
    };
    if (readers.some(({ bytes }) => bytes !== SIZE)) throw new Error('a client did not get the whole layer');
    return { seconds: (endedAt - startedAt) / 1000, fetches: origin.fetches() };
  } finally {
    await larder.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A registry with one layer, sent as fast as the line is. */
async function startLayerOrigin() {
  const seed = randomBytes(250_000);
  const hash = createHash('sha256');
  for (let left = SIZE; left > 0; left -= seed.length) hash.update(seed);
  const digest = `sha256:${hash.digest('hex')}`;
  let fetches = 0;
  const server = createServer((req, res) => {
    if (!req.url!.endsWith(digest)) return void res.writeHead(404).end();
    res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': SIZE });
    if (req.method === 'HEAD') return void res.end();
    fetches += 1;
    pipeline(paced(seed), res).catch(() => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    digest,
    fetches: () => fetches,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function* paced(seed: Buffer) {
  const started = performance.now();
  for (let sent = 0; sent < SIZE; sent += seed.length) {
    yield seed;
    const wait = started + ((sent + seed.length) / LINE) * 1000 - performance.now();
    if (wait > 2) await setTimeout(wait);
  }
}
