import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ResolvedItem } from '../../shared/bundle/create-options.ts';
import { client } from '../support/clients.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { PackageIndex } from '../support/package-index.ts';
import { pythonWorkbench, type Workbench } from '../support/python-bundles.ts';
import { buildSdist, buildWheel } from '../support/wheels.ts';

/** The real uv, resolving over an index of real wheels, and judging bundles of them. */

const X86 = { version: '3.12', platform: 'manylinux_2_28_x86_64' };
const ARM = { version: '3.13', platform: 'manylinux_2_28_aarch64' };
const WINDOWS = { version: '3.11', platform: 'win_amd64' };
const targets = [X86, ARM, WINDOWS];

let origin: OriginServer;
let bench: Workbench;

beforeAll(async () => {
  origin = await startOriginServer();
  const index = new PackageIndex(origin);
  const torch = new PackageIndex(origin, '/whl/cu121');
  for (const tag of [
    'cp312-cp312-manylinux_2_17_x86_64',
    'cp313-cp313-manylinux_2_17_aarch64',
    'cp311-cp311-win_amd64',
  ])
    index.offer(buildWheel({ name: 'numpy', version: '2.1.0', tag, requiresPython: '>=3.10' }));
  index.offer(buildWheel({ name: 'numpy', version: '2.2.0', tag: 'cp312-cp312-manylinux_2_34_x86_64' }));
  index.offer(buildWheel({ name: 'numpy', version: '3.0.0rc1', tag: 'py3-none-any' }));
  const requiresDist = ['idna<4,>=2.5', 'PySocks>=1.5 ; extra == "socks"', 'colorama ; sys_platform == "win32"'];
  index.offer(buildWheel({ name: 'requests', version: '2.32.3', requiresDist, extras: ['socks'] }));
  for (const version of ['3.7', '4.0']) index.offer(buildWheel({ name: 'idna', version }));
  index.offer(buildWheel({ name: 'idna', version: '3.9' }), { yanked: 'no' });
  index.offer(buildWheel({ name: 'pysocks', version: '1.7.1' }));
  index.offer(buildWheel({ name: 'colorama', version: '0.4.6' }));
  index.offer(buildWheel({ name: 'torch', version: '2.5.1' }));
  torch.offer(
    buildWheel({ name: 'torch', version: '2.5.1+cu121', tag: 'cp312-cp312-linux_x86_64', requiresDist: ['idna'] }),
  );
  index.offer(
    await buildSdist({ name: 'source', version: '1.0', buildRequires: ['helper>=1'], requiresDist: ['idna'] }),
  );
  index.offer(await buildSdist({ name: 'helper', version: '2.0', buildRequires: ['flit-core'] }));
  index.offer(buildWheel({ name: 'helper', version: '1.5' }));
  bench = await pythonWorkbench({
    origins: [
      { name: 'main', url: index.url },
      { name: 'torch', url: torch.url },
    ],
    uv: join(await client('uv'), 'uv'),
  });
});

afterAll(async () => {
  await bench?.close();
  await origin?.close();
});

const details = (items: ResolvedItem[]) =>
  items.map(({ details }) => [details.filename, details.why, (details.for as string[]).map((id) => id.split('-')[0])]);

test('loose requirements are resolved for each target, markers, extras and Python versions weighed', async () => {
  await bench.write({ 'in.txt': 'numpy>=2\nrequests[socks]\n' });
  const { items } = await bench.gather({ requirements: 'in.txt', targets });
  expect(details(items)).toEqual([
    ['colorama-0.4.6-py3-none-any.whl', ['requests'], ['cp311']],
    ['idna-3.7-py3-none-any.whl', ['requests'], ['cp311', 'cp312', 'cp313']],
    ['numpy-2.1.0-cp311-cp311-win_amd64.whl', ['in.txt:1'], ['cp311']],
    ['numpy-2.1.0-cp312-cp312-manylinux_2_17_x86_64.whl', ['in.txt:1'], ['cp312']],
    ['numpy-2.1.0-cp313-cp313-manylinux_2_17_aarch64.whl', ['in.txt:1'], ['cp313']],
    ['pysocks-1.7.1-py3-none-any.whl', ['requests'], ['cp311', 'cp312', 'cp313']],
    ['requests-2.32.3-py3-none-any.whl', ['in.txt:2'], ['cp311', 'cp312', 'cp313']],
  ]);
});

test('constraints bound it, and an index of its own comes first', async () => {
  await bench.write({ 'bounded.txt': 'torch\nidna\n-c bounds.txt\n', 'bounds.txt': 'idna<4\n' });
  const { items } = await bench.gather({ requirements: 'bounded.txt', index: 'torch', targets: [X86] });
  expect(items.map(({ id }) => id)).toEqual([
    'pypi:idna==3.7#idna-3.7-py3-none-any.whl',
    'pypi:torch==2.5.1+cu121#torch-2.5.1+cu121-cp312-cp312-linux_x86_64.whl',
  ]);
});

test('what has no solution is told for every target, in the words of uv', async () => {
  await bench.write({ 'none.txt': 'requests\nidna>=4\n' });
  const refused = bench.gather({ requirements: 'none.txt', targets });
  await expect(refused).rejects.toThrow(/for cp312 x86_64 uv says:[\s\S]*requests depend on idna>=2\.5,<4/);
  await expect(refused).rejects.toThrow(/for cp313 aarch64 uv says:[\s\S]*for cp311 amd64 Windows uv says:/);
});

test('sdists bring what builds them, wheels of it preferred', async () => {
  await expect(bench.gather({ packages: 'source', targets: [X86] })).rejects.toThrow(
    'source==1.0 has no usable wheels',
  );
  const { items } = await bench.gather({ packages: 'source', sdists: 'allow', targets: [X86] });
  expect(details(items)).toEqual([
    ['helper-1.5-py3-none-any.whl', ['to build source-1.0.tar.gz'], ['cp312']],
    ['idna-4.0-py3-none-any.whl', ['source'], ['cp312']],
    ['source-1.0.tar.gz', ['manifest'], ['cp312']],
  ]);
});

test('a whole bundle satisfies both judges, for every target', async () => {
  await bench.write({ 'in.txt': 'numpy>=2\nrequests[socks]\n' });
  expect(await bench.prove({ requirements: 'in.txt', targets })).toEqual([]);
  expect(bench.notes.slice(-3)).toEqual(
    ['cp312 x86_64', 'cp313 aarch64', 'cp311 amd64 Windows'].map(
      (name) => `${name}: solved from the bundle alone, by uv too`,
    ),
  );
  expect(await bench.prove({ packages: 'source', sdists: 'allow', targets: [X86] })).toEqual([]);
});

test('a hole is named', async () => {
  const dig = (items: ResolvedItem[]) => items.filter(({ id }) => !/#(pysocks|numpy.*aarch64)/.test(id));
  await bench.write({ 'in.txt': 'numpy>=2\nrequests[socks]\n' });
  expect(await bench.prove({ requirements: 'in.txt', targets: [X86, ARM] }, { dig })).toEqual([
    {
      item: 'cp312-manylinux_2_28_x86_64',
      message: 'requests 2.32.3 needs pysocks>=1.5 for cp312 x86_64: no version of pysocks is in the bundle',
    },
    { item: 'cp313-manylinux_2_28_aarch64', message: 'numpy 2.1.0 for cp313 aarch64: no wheel' },
    {
      item: 'cp313-manylinux_2_28_aarch64',
      message: 'requests 2.32.3 needs pysocks>=1.5 for cp313 aarch64: no version of pysocks is in the bundle',
    },
  ]);
});
