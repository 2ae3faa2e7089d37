import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bytesPerSecond, median, requestsPerSecond } from './measure.ts';
import { writeLayer } from './oci-registries.ts';
import { type Measured, startMeasured, startSyncingWeed } from './s3-engines.ts';
import type { Row } from './table.ts';

const run = promisify(execFile);
const SIZE = 1_000_000_000;
const RUNS = 3;
const SECONDS = 4;
/** Turns of all before those that count: a server that stands for weeks is compiled. */
const WARMING = 2;
/** Objects that puts go to in turn. */
const KEYS = 256;

/** Gets and puts beside engines: the same requests by the same clients, one after the other, on one disk. */
export async function benchS3(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const all = await startMeasured(folder);
  try {
    return [
      ...(await smallGets(all)),
      ...(await smallPutsOf(all, folder)),
      ...(await largePuts(all, folder)),
      ...(await largeGets(all)),
    ];
  } finally {
    for (const one of all) await one.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param turns before those that count */
async function inTurns(
  all: readonly Measured[],
  measure: (one: Measured, turn: number) => Promise<number>,
  turns = 0,
): Promise<number[]> {
  const figures = all.map(() => [] as number[]);
  for (let turn = 0; turn < turns; turn += 1) for (const one of all) await measure(one, turn);
  for (let turn = 0; turn < RUNS; turn += 1)
    for (const [index, one] of all.entries()) figures[index]!.push(await measure(one, turn));
  return figures.map(median);
}

async function smallGets(all: readonly Measured[]): Promise<Row[]> {
  const speeds = await inTurns(
    all,
    (one) => requestsPerSecond(one.presigned('GET', 'small'), { connections: 16, seconds: SECONDS }),
    WARMING,
  );
  const what = `GET of 4 KiB, presigned, requests/s (median of ${RUNS})`;
  const enough: Row = {
    ...{ what, ours: speeds[0]!.toFixed(0), peer: '' },
    ...{ wanted: '≥ 10,000', met: speeds[0]! >= 10_000 },
  };
  return [
    enough,
    ...compared(
      what,
      all,
      speeds,
      (speed) => speed.toFixed(0),
      () => 1,
    ),
  ];
}

/** Beside one more that syncs, which is gone before large files are measured. */
async function smallPutsOf(all: readonly Measured[], folder: string): Promise<Row[]> {
  const syncing = await startSyncingWeed();
  try {
    return await smallPuts([...all, syncing], folder);
  } finally {
    await syncing.stop();
  }
}

async function smallPuts(all: readonly Measured[], folder: string): Promise<Row[]> {
  let runs = 0;
  const put = async (one: Measured) => {
    runs += 1;
    const urls = Array.from({ length: KEYS }, (_, index) => one.presigned('PUT', `put-${index}`));
    const script = join(folder, 'put.lua');
    const paths = urls.map((url) => JSON.stringify(url.slice(new URL(url).origin.length)));
    await writeFile(
      script,
      `local paths = {${paths.join(',\n')}}
local rest = string.rep("p", 4080)
local at = 0
request = function()
  at = at + 1
  local body = string.format("%04d%012d", ${runs}, at) .. rest
  return wrk.format("PUT", paths[at % #paths + 1], {["Content-Length"] = "4096"}, body)
end
`,
    );
    return requestsPerSecond(new URL(urls[0]!).origin, { connections: 16, seconds: SECONDS, script });
  };
  const speeds = await inTurns(all, put, WARMING);
  const what = `PUT of 4 KiB, presigned, 16 at once, each of its own bytes, requests/s (median of ${RUNS}); Larder syncs bytes and names`;
  return compared(
    what,
    all,
    speeds,
    (speed) => speed.toFixed(0),
    (name) => (name === 'SeaweedFS, syncing' ? 1 : undefined),
  );
}

async function largePuts(all: readonly Measured[], folder: string): Promise<Row[]> {
  const path = join(folder, 'large');
  const seconds = await inTurns(all, async (one, turn) => {
    // bytes of its own for each: one who has them already writes nothing
    if (one === all[0]) await writeLayer(path, SIZE);
    const url = one.presigned('PUT', `large-${turn}`);
    const { stdout } = await run('curl', ['-sf', '-o', '/dev/null', '-w', '%{time_total}', '-T', path, url]);
    return Number(stdout);
  });
  const speeds = seconds.map((took) => SIZE / took);
  const what = `PUT of 1 GB, MB/s (median of ${RUNS}); Larder syncs it, the others do not`;
  return compared(
    what,
    all,
    speeds,
    (speed) => (speed / 1e6).toFixed(0),
    () => 0.8,
  );
}

async function largeGets(all: readonly Measured[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of [1, 4]) {
    const speeds = await inTurns(all, (one) => bytesPerSecond(one.presigned('GET', 'large-0'), connections));
    const what = `GET of 1 GB, ${connections} at once, MB/s (median of ${RUNS})`;
    rows.push(
      ...compared(
        what,
        all,
        speeds,
        (speed) => (speed / 1e6).toFixed(0),
        () => 1,
      ),
    );
  }
  return rows;
}

function compared(
  what: string,
  all: readonly Measured[],
  [ours, ...others]: readonly number[],
  format: (figure: number) => string,
  wanted: (name: string) => number | undefined,
): Row[] {
  return others.map((other, index) => {
    const { name } = all[index + 1]!;
    const [ratio, least] = [ours! / other, wanted(name)];
    return {
      ...{ what, ours: format(ours!), peer: `${name} ${format(other)}`, ratio },
      wanted: least === undefined ? '' : `≥ ${least.toFixed(1)}`,
      met: least === undefined || ratio >= least,
    };
  });
}
