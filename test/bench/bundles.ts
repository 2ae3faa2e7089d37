import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runCommand } from '../support/python-clients.ts';
import { startIndexOrigin } from './index-origin.ts';
import { memoryOf } from './measure.ts';
import type { Row } from './table.ts';

const COMMAND = resolve(import.meta.dirname, '../../services/cli/larder.mjs');
const SIZE = 5_000_000_000;

/** A bundle with a blob of 5 GB: speed beside sha256sum on the same bytes, and memory. */
export async function benchBundles(): Promise<Row[]> {
  const origin = await startIndexOrigin({ fileBytes: SIZE });
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const env = { ...process.env, LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: `${origin.url}/simple/` }]) };
  const manifest = join(folder, 'bundle.yaml');
  await writeFile(
    manifest,
    'format: larder-manifest/1\nname: bench\nitems: [{ python: { packages: ["payload==1.0"], lock: true } }]\n',
  );
  const store = join(folder, 'store');
  const bundle = join(folder, 'bundle');
  try {
    await measured(['warm', manifest, '--store', store], env);
    const blobs = join(store, 'blobs/sha256');
    const names = await readdir(blobs);
    const large = (
      await Promise.all(names.map(async (name) => ({ name, size: (await stat(join(blobs, name))).size })))
    ).find(({ size }) => size === SIZE)!.name;
    const yardstick = await secondsOf(() => runCommand('sha256sum', [join(blobs, large)]));
    const rows: Row[] = [];
    const verbs: [string, string[]][] = [
      ['create', ['bundle', 'create', manifest, bundle, '--store', store]],
      ['verify', ['bundle', 'verify', bundle]],
      ['import', ['bundle', 'import', bundle, '--store', join(folder, 'site')]],
    ];
    for (const [name, args] of verbs) {
      const { seconds, peak } = await measured(args, env);
      const ratio = yardstick / seconds;
      rows.push({
        what: `bundle ${name}, a blob of 5 GB, MB/s`,
        ours: (SIZE / seconds / 1e6).toFixed(0),
        peer: `sha256sum ${(SIZE / yardstick / 1e6).toFixed(0)}`,
        ratio,
        wanted: '≥ 0.7',
        met: ratio >= 0.7,
      });
      rows.push({
        what: `the same, most memory`,
        ours: `${(peak / 1e6).toFixed(0)} MB`,
        peer: '',
        wanted: '< 300 MB',
        met: peak < 300e6,
      });
    }
    return rows;
  } finally {
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Runs a verb; its peak memory is read while it runs. */
async function measured(args: string[], env: NodeJS.ProcessEnv): Promise<{ seconds: number; peak: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, [COMMAND, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk) => {
    words = (words + chunk).slice(-2000);
  });
  let peak = 0;
  const timer = setInterval(() => {
    memoryOf(child.pid!).then(
      (memory) => {
        peak = Math.max(peak, memory.peak);
      },
      () => undefined,
    );
  }, 100);
  const [code] = await once(child, 'exit');
  clearInterval(timer);
  if (code !== 0) throw new Error(`larder ${args.join(' ')}: ${words}`);
  return { seconds: (performance.now() - started) / 1000, peak };
}
