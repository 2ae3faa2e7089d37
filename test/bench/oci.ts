import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesPerSecond, median, requestsPerSecond } from './measure.ts';
import { pushFile, pushManifest, type Registry, startRegistries, writeLayer } from './oci-registries.ts';
import type { Row } from './table.ts';

const SIZE = 1_000_000_000;
const RUNS = 3;
const SECONDS = 4;
const REPOSITORY = 'bench/image';

/** Pushes and pulls beside other registries: what each does with the same requests, one after the other. */
export async function benchImages(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const registries = await startRegistries(folder);
  try {
    const { rows, digest } = await pushes(registries, folder);
    let manifest = '';
    for (const registry of registries)
      manifest = await pushManifest(registry, REPOSITORY, [{ digest, size: SIZE }], folder);
    rows.push(...(await manifests(registries, ['1', manifest])));
    for (const connections of [1, 4]) rows.push(...(await blobs(registries, digest, connections)));
    return rows;
  } finally {
    for (const registry of registries) await registry.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** All registries, turn by turn; the median of each. */
async function inTurns(registries: readonly Registry[], measure: (one: Registry, turn: number) => Promise<number>) {
  const figures = registries.map(() => [] as number[]);
  for (let turn = 0; turn < RUNS; turn += 1)
    for (const [index, registry] of registries.entries()) figures[index]!.push(await measure(registry, turn));
  return figures.map(median);
}

async function pushes(registries: readonly Registry[], folder: string): Promise<{ rows: Row[]; digest: string }> {
  const layers: { path: string; digest: string }[] = [];
  for (let turn = 0; turn < RUNS; turn += 1) {
    const path = join(folder, `layer${turn}`);
    layers.push({ path, digest: await writeLayer(path, SIZE) });
  }
  const seconds = await inTurns(registries, (registry, turn) => {
    const { path, digest } = layers[turn]!;
    return pushFile(registry, REPOSITORY, path, digest);
  });
  for (const { path } of layers) await rm(path);
  const [ours, ...others] = seconds;
  const rows = others.map((other, index): Row => {
    const { name } = registries[index + 1]!;
    const ratio = other / ours!;
    return {
      what: `push of 1 GB, one PATCH (median of ${RUNS}); Larder syncs it to the disk, ${name} does not`,
      ours: `${ours!.toFixed(2)} s`,
      peer: `${name} ${other.toFixed(2)} s`,
      ratio,
      wanted: name === 'zot' ? '≥ 1.0' : '',
      met: name !== 'zot' || ratio >= 1,
    };
  });
  return { rows, digest: layers[0]!.digest };
}

async function manifests(registries: readonly Registry[], references: readonly string[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const reference of references) {
    const speeds = await inTurns(registries, ({ url }) =>
      requestsPerSecond(`${url}/v2/${REPOSITORY}/manifests/${reference}`, {
        connections: 16,
        seconds: SECONDS,
        headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
      }),
    );
    const by = reference.includes(':') ? 'digest' : 'tag';
    const format = (speed: number) => speed.toFixed(0);
    rows.push(
      ...compared(`manifest by ${by}, requests/s (median of ${RUNS})`, registries, speeds, format, (name) =>
        name === 'distribution' ? 5 : undefined,
      ),
    );
  }
  return rows;
}

async function blobs(registries: readonly Registry[], digest: string, connections: number): Promise<Row[]> {
  const speeds = await inTurns(registries, ({ url }) =>
    bytesPerSecond(`${url}/v2/${REPOSITORY}/blobs/${digest}`, connections),
  );
  const what = `1 GB blob, ${connections} connection${connections > 1 ? 's' : ''}, MB/s (median of ${RUNS})`;
  return compared(
    what,
    registries,
    speeds,
    (speed) => (speed / 1e6).toFixed(0),
    () => 1,
  );
}

function compared(
  what: string,
  registries: readonly Registry[],
  [ours, ...others]: readonly number[],
  format: (figure: number) => string,
  wanted: (name: string) => number | undefined,
): Row[] {
  return others.map((other, index) => {
    const { name } = registries[index + 1]!;
    const [ratio, least] = [ours! / other, wanted(name)];
    return {
      what,
      ours: format(ours!),
      peer: `${name} ${format(other)}`,
      ratio,
      wanted: least === undefined ? '' : `≥ ${least.toFixed(1)}`,
      met: least === undefined || ratio >= least,
    };
  });
}
