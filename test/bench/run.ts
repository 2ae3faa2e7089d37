import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { benchBundles } from './bundles.ts';
import { benchEngineDelivery } from './engine-delivery.ts';
import { benchFanOut } from './fan-out.ts';
import { benchFiles } from './files.ts';
import { benchHubCold, benchHubFiles } from './hub-files.ts';
import { benchHubRequests } from './hub-requests.ts';
import { benchHubScale } from './hub-scale.ts';
import { benchNgc } from './ngc.ts';
import { benchNgcSearch } from './ngc-search.ts';
import { benchNpm } from './npm.ts';
import { benchNpmCi } from './npm-ci.ts';
import { benchImages } from './oci.ts';
import { benchColdLayer } from './oci-cold.ts';
import { benchImport } from './oci-import.ts';
import { benchPages } from './pages.ts';
import { benchS3 } from './s3.ts';
import { benchS3Scale } from './s3-scale.ts';
import { benchStart } from './start.ts';
import { type Row, tableOf } from './table.ts';

/** `npm run bench [name…]`: figures beside a peer's in the same run. Needs wrk, curl and nginx. */
const BENCHES: Record<string, () => Promise<Row[]>> = {
  start: benchStart,
  pages: benchPages,
  files: benchFiles,
  'fan-out': benchFanOut,
  bundles: benchBundles,
  hub: benchHubRequests,
  'hub-files': benchHubFiles,
  'hub-cold': benchHubCold,
  'hub-scale': benchHubScale,
  ngc: benchNgc,
  'ngc-search': benchNgcSearch,
  npm: benchNpm,
  'npm-ci': benchNpmCi,
  oci: benchImages,
  'oci-cold': benchColdLayer,
  'oci-import': benchImport,
  s3: benchS3,
  's3-scale': benchS3Scale,
  'engine-delivery': benchEngineDelivery,
};

const asked = process.argv.slice(2);
const rows: Row[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  const found = await bench();
  process.stderr.write(tableOf(found));
  rows.push(...found);
}
const date = new Date().toISOString().slice(0, 10);
const machine = `${cpus().length} cores (${cpus()[0]!.model}), Node ${process.version}, ${date}. Ratios hold within this run; single figures swing with the machine.`;
process.stdout.write(`${tableOf(rows)}\n${machine}\n`);
if (asked.length === 0) {
  const folder = resolve(import.meta.dirname, '../../test/bench/results');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${date}.md`), `# Bench of ${date}\n\n${tableOf(rows)}\n${machine}\n`);
}
