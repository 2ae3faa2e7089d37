import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { spawnLarder } from '../support/spawn-larder.ts';
import { startIndexOrigin } from './index-origin.ts';
import { median } from './measure.ts';
import type { Row } from './table.ts';

const run = promisify(execFile);
const SIZE = 200_000_000;
const RUNS = 3;
/** A site's line: 200 Mbit/s. */
const LINE = 25_000_000;
const FILE = '/files/pypi/payload/payload-1.0-py3-none-any.whl';

const READERS = join(import.meta.dirname, 'readers.ts');

interface Readings {
  startedAt: number;
  endedAt: number;
  readers: { firstAt: number; bytes: number }[];
}

/** 32 clients on one cold file of 200 MB. */
export async function benchFanOut(): Promise<Row[]> {
  const alone = await medianOf(1);
  const many = await medianOf(32);
  const ratio = many.seconds / alone.seconds;
  return [
    {
      what: `32 clients on one cold 200 MB file, origin downloads (most of ${RUNS} runs)`,
      ours: String(many.downloads),
      peer: '',
      wanted: '1',
      met: many.downloads === 1,
    },
    {
      what: "the same, first byte after the origin's (latest of 32, median)",
      ours: `${many.firstByte.toFixed(0)} ms`,
      peer: `alone ${alone.firstByte.toFixed(0)} ms`,
      wanted: '≤ 50 ms',
      met: many.firstByte <= 50,
    },
    {
      what: 'the same, until the last has it (line of 200 Mbit/s)',
      ours: `${many.seconds.toFixed(2)} s`,
      peer: `one client alone ${alone.seconds.toFixed(2)} s`,
      ratio,
      wanted: '≤ 1.1',
      met: ratio <= 1.1,
    },
  ];
}

interface Measured {
  downloads: number;
  /** Milliseconds from the origin's first byte to that of the last client. */
  firstByte: number;
  seconds: number;
}

/** Of several runs, each with a server and a store of its own. */
async function medianOf(clients: number): Promise<Measured> {
  const runs: Measured[] = [];
  while (runs.length < RUNS) runs.push(await measure(clients));
  return {
    downloads: Math.max(...runs.map(({ downloads }) => downloads)),
    firstByte: median(runs.map(({ firstByte }) => firstByte)),
    seconds: median(runs.map(({ seconds }) => seconds)),
  };
}

async function measure(clients: number): Promise<Measured> {
  const origin = await startIndexOrigin({ fileBytes: SIZE, bytesPerSecond: LINE });
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const larder = await spawnLarder({
    store: join(folder, 'larder'),
    env: {
      LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: `${origin.url}/simple/` }]),
      LARDER_LOG_LEVEL: 'warn',
    },
  });
  try {
    await fetch(`${larder.urls.pypi}/simple/payload/`).then((answer) => answer.arrayBuffer());
    const args = [READERS, larder.urls.pypi + FILE, String(clients)];
    const { startedAt, endedAt, readers } = JSON.parse((await run(process.execPath, args)).stdout) as Readings;
    if (readers.some(({ bytes }) => bytes !== SIZE)) throw new Error('a client did not get the whole file');
    const latest = Math.max(...readers.map(({ firstAt }) => firstAt));
    const firstByte = latest - performance.timeOrigin - origin.firstByteAt();
    return { downloads: origin.downloads(), firstByte, seconds: (endedAt - startedAt) / 1000 };
  } finally {
    await larder.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  }
}
