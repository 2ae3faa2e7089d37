import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResolvedItem } from '../../../shared/bundle/create-options.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { passingForUv, pythonWorkbench, type Workbench } from '../../support/python-bundles.ts';
import { buildSdist, buildWheel } from '../../support/wheels.ts';

const X86 = { version: '3.12', platform: 'manylinux_2_28_x86_64' };
const ARM = { version: '3.13', platform: 'manylinux_2_28_aarch64' };
const WINDOWS = { version: '3.12', platform: 'win_amd64' };

let origin: OriginServer;
let index: PackageIndex;
let bench: Workbench;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  origin = await startOriginServer();
  index = new PackageIndex(origin);
  const wheel = (name: string, version: string, requiresDist: string[] = [], extras: string[] = []) =>
    index.offer(buildWheel({ name, version, requiresDist, extras }));
  for (const tag of ['cp312-cp312-manylinux_2_17_x86_64', 'cp313-cp313-manylinux_2_17_aarch64'])
    index.offer(buildWheel({ name: 'numpy', version: '2.1', tag }));
  wheel(
    'requests',
    '2.32',
    ['idna<4,>=2.5', 'PySocks>=1.5 ; extra == "socks"', 'colorama ; sys_platform == "win32"'],
    ['socks'],
  );
  for (const version of ['2.0', '3.7', '4.0']) wheel('idna', version);
  wheel('pysocks', '1.7');
  wheel('colorama', '0.4');
  wheel('app', '1.0', ['requests[socks]', 'app[more]'], ['more']);
  // the newest of `lib` cannot be had together with `old`
  wheel('lib', '1.0');
  wheel('lib', '2.0');
  wheel('old', '1.0', ['lib<2']);
  wheel('both', '1.0', ['lib', 'old']);
  index.offer(
    await buildSdist({ name: 'source', version: '1.0', buildRequires: ['helper==1.0'], requiresDist: ['idna'] }),
  );
  wheel('helper', '1.0', ['colorama']);
  folder = await temporaryFolder();
  // takes requirements at their word, so that our own walk is heard alone
  bench = await benchWith('yes', 'cat "$3"');
});

afterAll(async () => {
  await bench?.close();
  await folder?.remove();
  await origin?.close();
});

async function benchWith(name: string, script: string): Promise<Workbench> {
  const uv = await passingForUv(folder.path, name, script);
  return pythonWorkbench({ origins: [{ name: 'main', url: index.url }], uv });
}

const without = (...projects: string[]) => ({
  dig: (items: ResolvedItem[]) => items.filter(({ id }) => !projects.some((name) => id.startsWith(`pypi:${name}==`))),
});

const locked = (packages: string[], more: object = {}) => ({ packages, lock: true, targets: [X86], ...more });

describe('a bundle is proven closed', () => {
  test('when each target finds all it needs in it', async () => {
    const packages = [
      'app==1.0',
      'requests==2.32',
      'idna==3.7',
      'pysocks==1.7',
      'colorama==0.4 ; sys_platform == "win32"',
    ];
    expect(await bench.prove(locked(packages, { targets: [X86, ARM, WINDOWS] }))).toEqual([]);
  });

  test('not when a wheel for one target is missing', async () => {
    const item = locked(['numpy==2.1'], { targets: [X86, ARM] });
    const dig = (items: ResolvedItem[]) => items.filter(({ id }) => !id.includes('aarch64'));
    expect(await bench.prove(item, { dig })).toEqual([
      { item: 'cp313-manylinux_2_28_aarch64', message: 'numpy 2.1 for cp313 aarch64: no wheel' },
    ]);
  });

  test('not when nothing of what is needed is in it', async () => {
    expect(await bench.prove(locked(['requests==2.32', 'idna==3.7']), without('idna'))).toEqual([
      { item: 'cp312-manylinux_2_28_x86_64', message: 'idna 3.7 for cp312 x86_64: it is not in the bundle' },
      {
        item: 'cp312-manylinux_2_28_x86_64',
        message: 'requests 2.32 needs idna<4,>=2.5 for cp312 x86_64: no version of idna is in the bundle',
      },
    ]);
  });

  test('not when only other versions are in it', async () => {
    expect(await bench.prove(locked(['requests==2.32', 'idna==4.0']))).toMatchObject([
      { message: 'requests 2.32 needs idna<4,>=2.5 for cp312 x86_64: idna 4.0 is what the others take' },
    ]);
    const packages = { requirements: ['top.txt', 'other.txt'], lock: true, targets: [X86] };
    await bench.write({ 'top.txt': 'requests==2.32\n', 'other.txt': 'idna==2.0 ; python_version < "3"\n' });
    expect(await bench.prove(packages)).toMatchObject([
      { message: 'requests 2.32 needs idna<4,>=2.5 for cp312 x86_64: no version of idna is in the bundle' },
    ]);
  });

  test('not when an extra of a requirement is missing, nor what a marker asks for on one target', async () => {
    const packages = ['app==1.0', 'requests==2.32', 'idna==3.7'];
    expect(await bench.prove(locked(packages, { targets: [X86, WINDOWS] }))).toEqual([
      {
        item: 'cp312-manylinux_2_28_x86_64',
        message: 'requests 2.32 needs pysocks>=1.5 for cp312 x86_64: no version of pysocks is in the bundle',
      },
      {
        item: 'cp312-win_amd64',
        message: 'requests 2.32 needs colorama for cp312 amd64 Windows: no version of colorama is in the bundle',
      },
      {
        item: 'cp312-win_amd64',
        message: 'requests 2.32 needs pysocks>=1.5 for cp312 amd64 Windows: no version of pysocks is in the bundle',
      },
    ]);
  });

  test('when an older version leads around what the newest runs into', async () => {
    const packages = [
      'both==1.0',
      'old==1.0',
      'lib==1.0 ; python_version < "3.13"',
      'lib==2.0 ; python_version >= "3.13"',
    ];
    const gathered = locked(packages, { targets: [X86, ARM] });
    expect(await bench.prove(gathered, { instead: { packages: ['both==1.0'], targets: [X86] } })).toEqual([]);
    const { dig } = { dig: (items: ResolvedItem[]) => items.filter(({ id }) => !id.includes('#lib-1.0')) };
    expect(await bench.prove(gathered, { dig, instead: { packages: ['both==1.0'], targets: [X86] } })).toMatchObject([
      { message: 'old 1.0 needs lib<2 for cp312 x86_64: lib 2.0 is what the others take' },
    ]);
  });

  test('with a lock of uv, which decides whatever METADATA says', async () => {
    const registry = 'source = { registry = "https://index.example/simple" }';
    await bench.write({
      'uv.lock': `version = 1
[[package]]
name = "app"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "requests" }, { name = "idna" }]
[[package]]
name = "requests"
version = "2.32"
${registry}
[[package]]
name = "idna"
version = "4.0"
${registry}
`,
    });
    expect(await bench.prove({ lockfile: 'uv.lock', targets: [X86] })).toEqual([]);
    expect(await bench.prove({ lockfile: 'uv.lock', targets: [X86] }, without('idna'))).toMatchObject([
      { message: 'idna 4.0 for cp312 x86_64: it is not in the bundle' },
      { message: 'requests 2.32 needs idna<4,>=2.5 for cp312 x86_64: no version of idna is in the bundle' },
    ]);
  });

  test('not when what builds an sdist is missing, however deep', async () => {
    const item = locked(['source==1.0', 'idna==3.7'], { sdists: 'allow', buildRequires: true });
    expect(
      await bench.prove({ ...item, packages: [...item.packages, 'colorama==0.4'] }, without('helper')),
    ).toMatchObject([
      {
        message:
          'source-1.0.tar.gz, to be built, needs helper==1.0 for cp312 x86_64: no version of helper is in the bundle',
      },
    ]);
    expect(await bench.prove(item, without('colorama'))).toMatchObject([
      { message: 'helper 1.0 needs colorama for cp312 x86_64: no version of colorama is in the bundle' },
    ]);
    expect(await bench.prove({ ...item, packages: ['source==1.0', 'colorama==0.4'] }, without('idna'))).toMatchObject([
      { message: 'source 1.0 needs idna for cp312 x86_64: no version of idna is in the bundle' },
    ]);
  });
});

describe('uv, as the second judge,', () => {
  const item = locked(['requests==2.32', 'idna==3.7']);

  test('is heard where our own walk finds no gap', async () => {
    const strict = await benchWith('no', 'echo "error: No solution found: idna is cursed" >&2; exit 1');
    expect(await strict.prove(item)).toEqual([
      {
        item: 'cp312-manylinux_2_28_x86_64',
        message: 'for cp312 x86_64 uv says:\n    No solution found: idna is cursed',
      },
    ]);
    await strict.close();
  });

  test('is passed over when it fails at something else', async () => {
    const broken = await benchWith('broken', 'echo "error: No interpreter found" >&2; exit 2');
    expect(await broken.prove(item)).toEqual([]);
    expect(broken.notes.at(-1)).toContain('uv could not judge: for cp312 x86_64 uv says:\n    No interpreter found');
    await broken.close();
  });
});
