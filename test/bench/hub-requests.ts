import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Hub, startHub } from '../support/hub.ts';
import { bytesOf } from '../support/hub-sites.ts';
import { spawnLarder } from '../support/spawn-larder.ts';
import { startOlah } from './hub-olah.ts';
import { median, requestsPerSecond } from './measure.ts';
import type { Row } from './table.ts';

const run = promisify(execFile);
const RUNS = 3;
const SECONDS = 4;
const ID = 'acme/bench';

interface Question {
  what: string;
  path: string;
  connections: number;
  head?: boolean;
  headers?: Record<string, string>;
}

/** Requests per second of what clients ask most, warm, beside olah over the same hub. */
export async function benchHubRequests(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const hub = await startHub();
  const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url, LARDER_LOG_LEVEL: 'warn', LARDER_PYPI_ENABLED: 'false' };
  const larder = await spawnLarder({ store: join(folder, 'larder'), env });
  const urls: Record<string, string> = { larder: larder.urls.huggingface! };
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const questions = offer(hub);
    const olah = await startOlah(join(folder, 'olah'), hub);
    await warm(olah.url, questions);
    await olah.stop();
    // over a cache that it filled itself, with nobody to ask: the fastest that it can be
    const offline = await startOlah(join(folder, 'olah'), hub, { offline: true });
    stops.push(offline.stop);
    urls.olah = offline.url;
    for (const url of Object.values(urls)) await warm(url, questions);
    const rows: Row[] = [];
    for (const question of questions) rows.push(await compare(question, urls.larder!, urls.olah));
    return rows;
  } finally {
    for (const stop of stops) await stop();
    await larder.stop();
    await hub.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function offer(hub: Hub): Question[] {
  const { sha } = hub.add({
    id: ID,
    files: { 'big.bin': bytesOf(16 << 20, 'bench'), 'four.bin': bytesOf(4 << 20, 'four'), 'config.json': '{}' },
  });
  return [
    { what: 'info', path: `/api/models/${ID}/revision/${sha}`, connections: 16 },
    { what: 'HEAD of a file', path: `/${ID}/resolve/${sha}/big.bin`, connections: 16, head: true },
    {
      what: '64 KiB range',
      path: `/${ID}/resolve/${sha}/big.bin`,
      connections: 16,
      headers: { range: 'bytes=1000000-1065535' },
    },
    { what: '4 MiB GET', path: `/${ID}/resolve/${sha}/four.bin`, connections: 8 },
  ];
}

async function warm(url: string, questions: readonly Question[]): Promise<void> {
  for (const { path } of questions) {
    const answer = await fetch(url + path);
    if (answer.status !== 200) throw new Error(`${url}${path}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

async function compare(question: Question, ours: string, peer: string): Promise<Row> {
  const speeds = { ours: [] as number[], peer: [] as number[] };
  for (let count = 0; count < RUNS; count += 1) {
    speeds.ours.push(await speedOf(ours, question));
    speeds.peer.push(await speedOf(peer, question));
  }
  const [one, other] = [median(speeds.ours), median(speeds.peer)];
  return {
    what: `${question.what}, requests/s (median of ${RUNS})`,
    ours: one.toFixed(0),
    peer: `olah ${other.toFixed(0)}`,
    ratio: one / other,
    wanted: '> 1',
    met: one > other,
  };
}

async function speedOf(url: string, { path, connections, head, headers }: Question): Promise<number> {
  if (!head) return requestsPerSecond(url + path, { connections, seconds: SECONDS, headers });
  const heads = join(import.meta.dirname, 'heads.ts');
  return Number((await run(process.execPath, [heads, url + path, String(connections), String(SECONDS)])).stdout);
}
