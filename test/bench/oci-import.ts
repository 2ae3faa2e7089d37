import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { memoryOf } from './measure.ts';
import { writeLayer } from './oci-registries.ts';
import type { Row } from './table.ts';

const run = promisify(execFile);
const COMMAND = resolve(import.meta.dirname, '../../services/cli/larder.mjs');
const LAYER = 2_500_000_000;

/** What `docker save` wrote, 5 GB of it, brought into an empty store: time, memory, and bytes on the disk beside it. */
export async function benchImport(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const [tar, store] = [join(folder, 'saved.tar'), join(folder, 'store')];
  try {
    await writeSaved(tar, folder);
    const { size } = await stat(tar);
    let disk = 0;
    let memory = 0;
    const started = performance.now();
    const child = spawn(process.execPath, [COMMAND, 'oci', 'import', tar, '--store', store], { stdio: 'ignore' });
    const watch = setInterval(async () => {
      if (child.exitCode !== null) return;
      memory = Math.max(memory, (await memoryOf(child.pid!).catch(() => ({ peak: 0 }))).peak);
      disk = Math.max(disk, await bytesIn(store));
    }, 250);
    const [code] = (await once(child, 'exit')) as [number | null];
    const seconds = (performance.now() - started) / 1000;
    clearInterval(watch);
    if (code !== 0) throw new Error(`the import ended with ${code}`);
    disk = Math.max(disk, await bytesIn(store));
    return [
      {
        what: 'import of a 5 GB docker save tar: most that the store took, of the tar',
        ours: `${(disk / 1e9).toFixed(2)} GB`,
        peer: `tar ${(size / 1e9).toFixed(2)} GB`,
        ratio: disk / size,
        wanted: '≤ 1.01',
        met: disk / size <= 1.01,
      },
      {
        what: `the same: most memory (${seconds.toFixed(1)} s)`,
        ours: `${(memory / 1e6).toFixed(0)} MB`,
        peer: '',
        wanted: '< 300 MB',
        met: memory > 0 && memory < 300e6,
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Two layers, as docker wrote them before version 25. */
async function writeSaved(path: string, folder: string): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createWriteStream(path));
  const layers: { path: string; digest: string }[] = [];
  for (const name of ['one', 'two']) {
    const file = join(folder, name);
    const digest = await writeLayer(file, LAYER);
    const entry = archive.entry({ name: `${name}/layer.tar`, size: LAYER });
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), entry);
    await rm(file);
    layers.push({ path: `${name}/layer.tar`, digest });
  }
  const diffIds = layers.map(({ digest }) => digest);
  const config = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } });
  const name = `${createHash('sha256').update(config).digest('hex')}.json`;
  archive.entry({ name }, config);
  const manifest = [{ Config: name, RepoTags: ['bench/saved:1'], Layers: layers.map((layer) => layer.path) }];
  archive.entry({ name: 'manifest.json' }, JSON.stringify(manifest));
  archive.finalize();
  await written;
}

/** What is really taken on the disk. */
async function bytesIn(folder: string): Promise<number> {
  const { stdout } = await run('du', ['-s', '-B1', folder]).catch((error) => error as { stdout: string });
  return Number.parseInt(stdout, 10) || 0;
}
