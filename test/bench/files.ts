import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnLarder } from '../support/spawn-larder.ts';
import { startIndexOrigin } from './index-origin.ts';
import { bytesPerSecond, median, type Peer } from './measure.ts';
import { startNginx } from './nginx.ts';
import type { Row } from './table.ts';

const SIZE = 100_000_000;
const RUNS = 9;
const FILE = '/files/pypi/payload/payload-1.0-py3-none-any.whl';

/** A file of 100 MB from the embedded store, beside nginx with sendfile on the very same file. */
export async function benchFiles(): Promise<Row[]> {
  const origin = await startIndexOrigin({ fileBytes: SIZE });
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const store = join(folder, 'larder');
  const larder = await spawnLarder({
    store,
    env: {
      LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: `${origin.url}/simple/` }]),
      LARDER_LOG_LEVEL: 'warn',
    },
  });
  let nginx: Peer | undefined;
  try {
    await fetch(larder.urls.pypi + FILE).then((answer) => answer.arrayBuffer());
    nginx = await startNginx(join(folder, 'nginx'), join(store, 'blobs/sha256'));
    const url = `${nginx.url}/${await largest(join(store, 'blobs/sha256'))}`;
    const rows: Row[] = [];
    for (const [connections, wanted] of [
      [1, 0.95],
      [4, 1],
    ] as const) {
      const speeds = { ours: [] as number[], nginx: [] as number[] };
      for (let run = 0; run < RUNS; run += 1) {
        speeds.ours.push(await bytesPerSecond(larder.urls.pypi + FILE, connections));
        speeds.nginx.push(await bytesPerSecond(url, connections));
      }
      const [ours, peer] = [median(speeds.ours), median(speeds.nginx)];
      const what = `100 MB file, ${connections} connection${connections > 1 ? 's' : ''}, MB/s (median of ${RUNS})`;
      rows.push({
        what,
        ours: (ours / 1e6).toFixed(0),
        peer: `nginx sendfile ${(peer / 1e6).toFixed(0)}`,
        ratio: ours / peer,
        wanted: `≥ ${wanted}`,
        met: ours / peer >= wanted,
      });
    }
    return rows;
  } finally {
    await nginx?.stop();
    await larder.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function largest(folder: string): Promise<string> {
  const found = await Promise.all(
    (await readdir(folder)).map(async (name) => ({ name, size: (await stat(join(folder, name))).size })),
  );
  return found.sort((one, other) => other.size - one.size)[0]!.name;
}
