import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnLarder } from '../support/spawn-larder.ts';
import { median, memoryOf } from './measure.ts';
import type { Row } from './table.ts';

/** From the command to the first answer, and what it takes when nobody asks. */
export async function benchStart(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const times: number[] = [];
  const memory: number[] = [];
  try {
    for (let run = 0; run < 5; run += 1) {
      const larder = await spawnLarder({ store: join(folder, `store${run}`) });
      times.push(larder.startedIn);
      await new Promise((done) => setTimeout(done, 3000));
      memory.push((await memoryOf(larder.pid)).now);
      await larder.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return [
    {
      what: 'start to serving (median of 5)',
      ours: `${(median(times) / 1000).toFixed(2)} s`,
      peer: '',
      wanted: '< 1.5 s',
      met: median(times) < 1500,
    },
    {
      what: 'idle memory (median of 5)',
      ours: `${(median(memory) / 1e6).toFixed(0)} MB`,
      peer: '',
      wanted: '< 150 MB',
      met: median(memory) < 150e6,
    },
  ];
}
