import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { client } from '../support/clients.ts';
import { mustRun, runCommand } from '../support/python-clients.ts';
import { larder, spawnLarder } from '../support/spawn-larder.ts';
import { bytesPerSecond, median, memoryOf } from './measure.ts';
import { startNginx } from './nginx.ts';
import { writeLayer } from './oci-registries.ts';
import type { Row } from './table.ts';

const CALLS = join(import.meta.dirname, '../fixtures/python/ngc/sdk_calls.py');
const FILES = 2000;
const SIZE = 2_500_000;
const TOTAL = FILES * SIZE;
const RUNS = 2;
const TARGET = 'nvidia/tao/bench:1';

/**
 * A version of 2,000 files by NVIDIA's SDK, from Larder and, by the same SDK with the same documents, from nginx: a front
 * puts nginx's addresses into the list of addresses. And the memory that a zip of it takes.
 */
export async function benchNgc(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const source = join(folder, 'source');
  const store = join(folder, 'larder');
  await makeFiles(source);
  const added = await larder(['ngc', 'add', source, '--model', TARGET, '--store', store]);
  if (added.code !== 0) throw new Error(added.stderr);
  const site = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true', LARDER_LOG_LEVEL: 'warn' } });
  const nginx = await startNginx(join(folder, 'nginx'), source);
  const front = await startFront(site.urls.ngc!, nginx.url);
  try {
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let run = 0; run < RUNS; run += 1) {
      ours.push(await download(site.urls.ngc!, join(folder, 'downloaded')));
      theirs.push(await download(front.url, join(folder, 'downloaded')));
    }
    return [speedRow(median(ours), median(theirs)), await zipRow(site.urls.ngc!, site.pid)];
  } finally {
    front.server.close();
    front.server.closeAllConnections();
    await nginx.stop();
    await site.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeFiles(source: string): Promise<void> {
  for (let number = 0; number < FILES; number += 1) {
    const below = join(source, `shards-${number % 20}`);
    if (number < 20) await mkdir(below, { recursive: true });
    await writeLayer(join(below, `weights-${number}.bin`), SIZE);
  }
}

/** Answers as Larder does, and leaves the bytes to nginx. */
async function startFront(target: string, nginx: string): Promise<{ url: string; server: Server }> {
  const server = createServer(async (req, res) => {
    const answer = await fetch(target + req.url, { method: req.method, headers: { accept: 'application/json' } });
    const type = answer.headers.get('content-type') ?? '';
    if (!/\/1\/files/.test(req.url!) || !type.includes('json')) {
      res.writeHead(answer.status, { 'content-type': type });
      await pipeline(answer.body ? Readable.fromWeb(answer.body as never) : Readable.from([]), res);
      return;
    }
    const said = (await answer.json()) as { urls?: string[]; filepath?: string[] };
    if (said.urls) said.urls = said.filepath!.map((path) => `${nginx}/${path}`);
    res.writeHead(answer.status, { 'content-type': type });
    res.end(JSON.stringify(said));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/** Bytes per second. The last SDK that leaves http as it is: TLS would be measured on one side only. */
async function download(url: string, destination: string): Promise<number> {
  await mkdir(destination, { recursive: true });
  const calls = { all: ['download', 'model', TARGET, { destination }] };
  const started = performance.now();
  const ran = await runCommand(join(await client('ngcsdk-3'), 'python'), [CALLS, JSON.stringify({ calls })], {
    env: { NGC_CLI_API_URL: url, NGC_CLI_AUTH_URL: url, NGC_CLI_TRACE_DISABLE: '1', NGC_CLI_HOME: destination },
  });
  const seconds = (performance.now() - started) / 1000;
  if (ran.code !== 0 || !ran.stdout.includes(String(TOTAL)))
    throw new Error(ran.stdout.slice(-500) + ran.stderr.slice(-2000));
  await rm(destination, { recursive: true });
  await mustRun('sync', []);
  return TOTAL / seconds;
}

function speedRow(ours: number, theirs: number): Row {
  const ratio = ours / theirs;
  return {
    what: `NGC: ${FILES} files and ${TOTAL / 1e9} GB by ngcsdk 3.169, MB/s (median of ${RUNS})`,
    ours: (ours / 1e6).toFixed(0),
    peer: `the same SDK, bytes from nginx ${(theirs / 1e6).toFixed(0)}`,
    ratio,
    wanted: '≥ 0.9',
    met: ratio >= 0.9,
  };
}

async function zipRow(url: string, pid: number): Promise<Row> {
  const before = (await memoryOf(pid)).now;
  const [id, version] = TARGET.split(':');
  const speed = await bytesPerSecond(`${url}/v2/models/${id}/versions/${version}/zip`, 1);
  const { peak } = await memoryOf(pid);
  return {
    what: `NGC: zip of the same, MB/s; memory of the process before and at most, MB`,
    ours: `${(speed / 1e6).toFixed(0)}; ${(before / 1e6).toFixed(0)}, ${(peak / 1e6).toFixed(0)}`,
    peer: '',
    wanted: 'bounded',
    met: peak < 400e6,
  };
}
