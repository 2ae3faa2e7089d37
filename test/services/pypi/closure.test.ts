import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { passingForUv, pythonWorkbench, type Workbench } from '../../support/python-bundles.ts';
import { type BuiltFile, buildSdist, buildWheel } from '../../support/wheels.ts';

const X86 = { version: '3.12', platform: 'manylinux_2_28_x86_64' };
const ARM = { version: '3.13', platform: 'manylinux_2_28_aarch64' };
const targets = [X86, ARM];

let origin: OriginServer;
let index: PackageIndex;
let torch: PackageIndex;
let bench: Workbench;
const files: Record<string, BuiltFile> = {};

beforeAll(async () => {
  origin = await startOriginServer();
  index = new PackageIndex(origin);
  torch = new PackageIndex(origin, '/whl/cu121');
  const machine = (python: string, cpu: string) => `${python}-${python}-manylinux_2_17_${cpu}.manylinux2014_${cpu}`;
  index.offer(buildWheel({ name: 'numpy', version: '2.1.0', tag: machine('cp312', 'x86_64') }), { provenance: true });
  index.offer(
    buildWheel({ name: 'numpy', version: '2.1.0', tag: machine('cp313', 'aarch64'), requiresPython: '>=3.10' }),
  );
  index.offer(buildWheel({ name: 'numpy', version: '2.1.0', tag: 'cp312-cp312-win_amd64' }));
  index.offer(await buildSdist({ name: 'numpy', version: '2.1.0' }));
  index.offer(buildWheel({ name: 'idna', version: '3.7' }), { withoutMetadata: true });
  index.offer(buildWheel({ name: 'only-x86', version: '1.0', tag: machine('cp312', 'x86_64') }));
  index.offer(buildWheel({ name: 'pulled', version: '1.0' }), { yanked: 'broken' });
  index.offer(await buildSdist({ name: 'source', version: '1.0', buildRequires: ['setuptools==70.0', 'helper==1.0'] }));
  index.offer(await buildSdist({ name: 'helper', version: '1.0', buildRequires: ['flit-core==3.9'] }));
  index.offer(buildWheel({ name: 'flit-core', version: '3.9' }));
  for (const version of ['70.0', '75.0']) index.offer(buildWheel({ name: 'setuptools', version }));
  index.offer(buildWheel({ name: 'pip', version: '24.0' }));
  index.offer(buildWheel({ name: 'pip', version: '25.0rc1' }));
  index.offer(buildWheel({ name: 'wheel', version: '0.44' }));
  index.offer(buildWheel({ name: 'wheel', version: '0.45' }), { yanked: true });
  index.offer(buildWheel({ name: 'torch', version: '2.5.1', tag: machine('cp312', 'x86_64') }));
  files.torch = torch.offer(buildWheel({ name: 'torch', version: '2.5.1+cu121', tag: 'cp312-cp312-linux_x86_64' }));
  bench = await pythonWorkbench({
    origins: [
      { name: 'main', url: index.url },
      { name: 'torch', url: torch.url, kind: 'pytorch' },
    ],
  });
});

afterAll(async () => {
  await bench?.close();
  await origin?.close();
});

const ids = async (python: unknown) => (await bench.gather(python)).items.map(({ id }) => id);

describe('files of pins', () => {
  test('are one item each, the best for each target, with what clients need beside them', async () => {
    await bench.write({ 'pins.txt': 'numpy==2.1\nidna==3.7 ; python_version < "3.13"\n' });
    const { items, failed } = await bench.gather({ requirements: 'pins.txt', lock: true, targets });
    expect(failed).toEqual([]);
    const x86 = 'numpy-2.1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';
    const arm = 'numpy-2.1.0-cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64.whl';
    const idna = 'idna-3.7-py3-none-any.whl';
    expect(items.map(({ id }) => id)).toEqual([
      `pypi:idna==3.7#${idna}`,
      `pypi:numpy==2.1#${x86}`,
      `pypi:numpy==2.1#${arm}`,
    ]);
    expect(items.map(({ details }) => details)).toMatchObject([
      { filename: idna, why: ['pins.txt:2'], for: ['cp312-manylinux_2_28_x86_64'], metadataSha256: expect.any(String) },
      { filename: x86, why: ['pins.txt:1'], for: ['cp312-manylinux_2_28_x86_64'], uploadTime: '2026-01-01T00:00:00Z' },
      { filename: arm, for: ['cp313-manylinux_2_28_aarch64'], requiresPython: '>=3.10', sha256: expect.any(String) },
    ]);
    expect(items[1]!.entries.map(({ key }) => key)).toEqual([`file/main/numpy/${x86}`, `metadata/main/numpy/${x86}`]);
    expect(items[1]!.refs.map(({ key }) => key)).toEqual(['index/main/numpy', `provenance/main/numpy/${x86}`]);
  });

  test('that serve several targets name them all', async () => {
    const { items } = await bench.gather({ packages: ['idna==3.7'], lock: true, targets });
    expect(items.map(({ details }) => details.for)).toEqual([
      ['cp312-manylinux_2_28_x86_64', 'cp313-manylinux_2_28_aarch64'],
    ]);
  });

  test('that were yanked come along when they are pinned, and say so', async () => {
    const { items } = await bench.gather({ packages: ['pulled==1.0'], lock: true });
    expect(items[0]!.details.yanked).toBe('broken');
  });

  test('that cannot be had are refused in one list, by target', async () => {
    const packages = ['only-x86==1.0', 'source==1.0', 'numpy==9', 'nobody==1'];
    await expect(bench.gather({ packages, lock: true, targets })).rejects.toMatchObject({
      kind: 'conflict',
      message: `some distributions cannot be had:
  source 1.0 for cp312 x86_64: no wheel, only source-1.0.tar.gz ("sdists: allow" brings it, with what it needs to be built)
  numpy 9 for cp312 x86_64: no index has this version
  nobody 1 for cp312 x86_64: no index knows the project
  only-x86 1.0 for cp313 aarch64: no wheel
  source 1.0 for cp313 aarch64: no wheel, only source-1.0.tar.gz ("sdists: allow" brings it, with what it needs to be built)
  numpy 9 for cp313 aarch64: no index has this version
  nobody 1 for cp313 aarch64: no index knows the project`,
    });
  });

  test('must have a hash that the lock allows', async () => {
    await bench.write({ 'hashed.txt': `idna==3.7 --hash=sha256:${'0'.repeat(64)}\n` });
    await expect(bench.gather({ requirements: 'hashed.txt' })).rejects.toThrow(
      'idna 3.7 for cp312 x86_64: no file has a hash that the lock allows',
    );
  });
});

describe('several indexes', () => {
  const pin = 'torch==2.5.1+cu121';

  test('the first that knows a project has it, unless the hashes of a lock say which bytes are meant', async () => {
    await expect(ids({ packages: [pin], lock: true })).rejects.toThrow(
      'torch 2.5.1+cu121 for cp312 x86_64: no index has this version',
    );
    await bench.write({ 'torch.txt': `${pin} --hash=sha256:${files.torch!.sha256}\n` });
    const { items } = await bench.gather({ requirements: 'torch.txt' });
    expect(items[0]!.entries[0]!.key).toBe('file/torch/torch/torch-2.5.1+cu121-cp312-cp312-linux_x86_64.whl');
  });

  test('a named one is asked first, for what it has', async () => {
    const found = await ids({ packages: ['torch==2.5.1', 'idna==3.7'], lock: true, index: 'torch' });
    expect(found).toEqual([
      'pypi:idna==3.7#idna-3.7-py3-none-any.whl',
      'pypi:torch==2.5.1#torch-2.5.1+cu121-cp312-cp312-linux_x86_64.whl',
    ]);
    await expect(ids({ packages: ['idna==3.7'], lock: true, index: 'gone' })).rejects.toThrow(
      'index: there is no origin "gone"; there is main, torch',
    );
  });
});

test('a project that the site does not allow is refused with the others', async () => {
  const strict = await pythonWorkbench({ origins: [{ name: 'main', url: index.url }], deny: ['idna'] });
  await expect(strict.gather({ packages: ['idna==3.7', 'numpy==9'], lock: true })).rejects.toThrow(
    /idna 3\.7 for cp312 x86_64: the project "idna" is not allowed here.*\n {2}numpy 9 for cp312 x86_64/,
  );
  await strict.close();
});

describe('sdists', () => {
  test('bring what builds them, and what builds that', async () => {
    const { items } = await bench.gather({ packages: ['source==1.0'], lock: true, sdists: 'allow' });
    expect(items.map(({ details }) => [details.filename, details.why])).toEqual([
      ['flit_core-3.9-py3-none-any.whl', ['to build helper-1.0.tar.gz']],
      ['helper-1.0.tar.gz', ['to build source-1.0.tar.gz']],
      ['setuptools-70.0-py3-none-any.whl', ['to build source-1.0.tar.gz']],
      ['source-1.0.tar.gz', ['manifest']],
    ]);
  });

  test('are left alone where a wheel fits, and without what builds them when the manifest says so', async () => {
    expect(await ids({ packages: ['numpy==2.1'], lock: true, sdists: 'allow' })).toEqual([
      'pypi:numpy==2.1#numpy-2.1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
    ]);
    expect(await ids({ packages: ['source==1.0'], lock: true, sdists: 'allow', buildRequires: false })).toEqual([
      'pypi:source==1.0#source-1.0.tar.gz',
    ]);
  });
});

describe('an item', () => {
  test('brings the newest tools when asked: no pre-release, nothing yanked', async () => {
    expect(await ids({ tools: true })).toEqual([
      'pypi:pip==24.0#pip-24.0-py3-none-any.whl',
      'pypi:setuptools==75.0#setuptools-75.0-py3-none-any.whl',
      'pypi:wheel==0.44#wheel-0.44-py3-none-any.whl',
    ]);
  });

  test.each([
    ['without anything to bring', {}, 'say what: "requirements", "packages", "lockfile" or "tools"'],
    ['with a key nobody knows', { packages: 'a', target: [] }, 'Unrecognized key'],
    [
      'with a target that is none',
      { packages: 'a', targets: [{ version: '3.12', platform: 'linux' }] },
      'a platform tag',
    ],
    ['with a Python that YAML shortened', { packages: 'a', targets: [{ ...X86, version: 3.1 }] }, 'in quotes'],
  ])('%s is refused with the manifest', async (_what, python, words) => {
    await expect(bench.gather(python)).rejects.toThrow(words);
  });
});

test('a site that lets nobody read without a token has its requirements resolved all the same', async () => {
  const scripts = await temporaryFolder();
  onTestFinished(() => scripts.remove());
  const script =
    'curl -sSf -o /dev/null "$UV_DEFAULT_INDEX"idna/ || exit 2; echo "idna==3.7  # via -r requirements.in"';
  const uv = await passingForUv(scripts.path, 'uv', script);
  const pypi = { uv, origins: [{ name: 'main', url: index.url }] };
  const closed = await pythonWorkbench(pypi, { access: { anonymousRead: false } });
  onTestFinished(() => closed.close());
  const { items, failed } = await closed.gather({ packages: ['idna>=3'] });
  expect(failed).toEqual([]);
  expect(items.map(({ id }) => id)).toEqual(['pypi:idna==3.7#idna-3.7-py3-none-any.whl']);
});
