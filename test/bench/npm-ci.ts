import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { registryClient } from '../support/npm-registry-clients.ts';
import { runCommand } from '../support/python-clients.ts';
import { median } from './measure.ts';
import { type MadePackage, madePackage, writeProject } from './npm-content.ts';
import { startNpmPair } from './npm-pair.ts';
import type { Row } from './table.ts';

const PACKAGES = 1000;
const RUNS = 5;

/**
 * `npm ci` of 1,000 packages, by npm 11: from Larder, from Verdaccio and from a server that answers out of its memory,
 * with nothing in npm's cache; and from that cache alone. The server in memory shows what npm needs for itself: it
 * checks, keeps and unpacks what it downloads, and unpacks alone what it has.
 */
export async function benchNpmCi(): Promise<Row[]> {
  const packages: MadePackage[] = [];
  for (let index = 0; index < PACKAGES; index += 1)
    packages.push(await madePackage(`package-${index}`, ['1.0.0'], 4_000 + ((index * 7919) % 40_000)));
  const { folder, origin, larder, verdaccio, close } = await startNpmPair(packages);
  try {
    const urls = { larder: larder.urls.npm!, verdaccio: verdaccio.url, memory: origin.url };
    for (const [name, url] of Object.entries(urls)) await writeProject(join(folder, name, 'site'), packages, url);
    const install = (name: string, args: string[]) => installed(join(folder, name), args);
    // what is not measured: the mirror fills, the disk's cache is warm for all
    for (const name of Object.keys(urls)) await install(name, []);
    const times = { larder: [] as number[], verdaccio: [] as number[], memory: [] as number[], cache: [] as number[] };
    const names = ['larder', 'verdaccio', 'memory'] as const;
    for (let run = 0; run < RUNS; run += 1) {
      // another one is first each time
      for (let place = 0; place < names.length; place += 1) {
        const name = names[(run + place) % names.length]!;
        times[name].push(await install(name, []));
      }
      times.cache.push(await install('larder', ['--prefer-offline']));
    }
    return rowsOf(median(times.larder), {
      Verdaccio: { time: median(times.verdaccio), wanted: 1 },
      'a server that has all of it in memory': { time: median(times.memory), wanted: 1.2 },
      'npm’s own cache': { time: median(times.cache), wanted: 1.2 },
    });
  } finally {
    await close();
  }
}

/** Milliseconds of one `npm ci`. Its cache is empty at the start, but where it shall be preferred. */
async function installed(home: string, more: readonly string[]): Promise<number> {
  const cwd = join(home, 'site');
  await rm(join(cwd, 'node_modules'), { recursive: true, force: true });
  if (more.length === 0) await rm(join(home, '.npm'), { recursive: true, force: true });
  const [command, ...args] = await registryClient('npm-11');
  const env = { PATH: process.env.PATH, HOME: home };
  const started = performance.now();
  const ran = await runCommand(command, [...args, 'ci', ...more], { cwd, env });
  if (ran.code !== 0) throw new Error(`npm ci failed:\n${ran.stdout}\n${ran.stderr}`);
  return performance.now() - started;
}

function rowsOf(ours: number, peers: Record<string, { time: number; wanted: number }>): Row[] {
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  return Object.entries(peers).map(([name, { time, wanted }]) => ({
    what: `npm ci of ${PACKAGES} packages (median of ${RUNS})`,
    ours: seconds(ours),
    peer: `${name} ${seconds(time)}`,
    ratio: ours / time,
    wanted: `≤ ${wanted}`,
    met: ours <= wanted * time,
  }));
}
