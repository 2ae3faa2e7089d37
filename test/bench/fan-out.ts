import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { spawnLarder } from '../support/spawn-larder.ts';
import { startIndexOrigin } from './index-origin.ts';
import type { Row } from './table.ts';

const run = promisify(execFile);
const SIZE = 200_000_000;
/** A site's line: 200 Mbit/s. */
const LINE = 25_000_000;
const FILE = '/files/pypi/payload/payload-1.0-py3-none-any.whl';

/** 32 clients on one cold file of 200 MB. */
export async function benchFanOut(): Promise<Row[]> {
  const alone = await measure(1);
  const many = await measure(32);
  const ratio = many.seconds / alone.seconds;
  return [
    {
      what: '32 clients on one cold 200 MB file, origin downloads',
      ours: String(many.downloads),
      peer: '',
      wanted: '1',
      met: many.downloads === 1,
    },
    {
      what: "the same, first byte after the origin's (latest of 32)",
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

async function measure(clients: number): Promise<{ downloads: number; firstByte: number; seconds: number }> {
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
    const started = performance.now();
    const format = '%{time_starttransfer} %{time_total} %{size_download}';
    const all = await Promise.all(
      Array.from({ length: clients }, async () => {
        const spawned = performance.now();
        const { stdout } = await run('curl', ['-sf', '-o', '/dev/null', '-w', format, larder.urls.pypi + FILE]);
        const [first, , size] = stdout.split(' ').map(Number);
        if (size !== SIZE) throw new Error(`a client got ${size} bytes`);
        return spawned + first! * 1000;
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    return { downloads: origin.downloads(), firstByte: Math.max(...all) - origin.firstByteAt(), seconds };
  } finally {
    await larder.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  }
}
