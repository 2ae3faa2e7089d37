import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTarget } from '../../../services/pypi/python/target.ts';
import { platformOf, type ResolveOptions, resolveRequirements } from '../../../services/pypi/resolve.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { passingForUv, pythonWorkbench } from '../../support/python-bundles.ts';
import { buildWheel } from '../../support/wheels.ts';

const X86 = makeTarget({ version: '3.12', platform: 'manylinux_2_28_x86_64' });

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let origin: OriginServer;

beforeAll(async () => {
  folder = await temporaryFolder();
  origin = await startOriginServer();
});

afterAll(async () => {
  await origin?.close();
  await folder?.remove();
});

async function resolve(script: string, more: Partial<ResolveOptions> = {}) {
  const uv = await passingForUv(folder.path, 'uv-script', script);
  return resolveRequirements([{ text: 'requests[socks]>=2', why: 'in.txt:1' }], {
    uv,
    index: 'http://127.0.0.1:1/simple/',
    target: X86,
    sdists: false,
    workDir: folder.path,
    signal: AbortSignal.timeout(60_000),
    ...more,
  });
}

test('pins say which line asked for them, or which project', async () => {
  const output = `requests[socks]==2.32.3    # via -r requirements.in
idna==3.7                  # via requests
torch==2.5.1+cu121 ; sys_platform == 'linux'
`;
  expect(await resolve(`cat <<'END'\n${output}END`)).toEqual([
    { project: 'requests', version: '2.32.3', why: 'in.txt:1' },
    { project: 'idna', version: '3.7', why: 'requests' },
    { project: 'torch', version: '2.5.1+cu121', why: 'resolver' },
  ]);
});

test('uv is asked for the target, at our index, with wheels alone unless sdists are welcome', async () => {
  const told = join(folder.path, 'told');
  const script = `echo "$* $UV_DEFAULT_INDEX $UV_INDEX" > ${told}; cat constraints.txt >> ${told}; cat requirements.in >> ${told}`;
  await resolve(script, { constraints: ['idna<4'], firstIndex: 'http://127.0.0.1:1/torch/simple/' });
  const first = await readFile(told, 'utf8');
  expect(first).toContain('--python-version 3.12 --python-platform x86_64-manylinux_2_28');
  expect(first).toContain(' http://127.0.0.1:1/simple/ http://127.0.0.1:1/torch/simple/\n');
  expect(first).toContain('--only-binary :all:');
  expect(first).toContain('idna<4\nrequests[socks]>=2\n');
  await resolve(script, { sdists: true, prereleases: true, withoutDependencies: true });
  const second = await readFile(told, 'utf8');
  expect(second).not.toContain('--only-binary');
  expect(second).toContain('--prerelease allow');
  expect(second).toContain('--no-deps');
});

test('nothing of the settings of this machine reaches uv', async () => {
  const told = join(folder.path, 'environment');
  process.env.UV_INDEX = 'http://elsewhere.example/simple';
  process.env.HTTP_PROXY = 'http://proxy.example:3128';
  try {
    await resolve(`env > ${told}`, { target: makeTarget({ version: '3.12', platform: 'macosx_14_0_arm64' }) });
  } finally {
    delete process.env.UV_INDEX;
    delete process.env.HTTP_PROXY;
  }
  const seen = await readFile(told, 'utf8');
  expect(seen).not.toMatch(/elsewhere|proxy\.example/);
  expect(seen).toContain('MACOSX_DEPLOYMENT_TARGET=14.0');
  expect(seen).toContain(`PATH=${process.env.PATH}`);
});

test.each([
  ['3.12', 'manylinux_2_28_x86_64', 'x86_64-manylinux_2_28'],
  ['3.12', 'manylinux_2_30_aarch64', 'aarch64-manylinux_2_28'],
  ['3.12', 'manylinux_2_41_x86_64', 'x86_64-manylinux_2_40'],
  ['3.12', 'musllinux_1_2_aarch64', 'aarch64-unknown-linux-musl'],
  ['3.12', 'macosx_14_0_arm64', 'aarch64-apple-darwin'],
  ['3.12', 'macosx_11_0_x86_64', 'x86_64-apple-darwin'],
  ['3.12', 'win_amd64', 'x86_64-pc-windows-msvc'],
  ['3.12', 'win32', 'i686-pc-windows-msvc'],
])('Python %s on %s is %s to uv', (version, platform, name) => {
  expect(platformOf(makeTarget({ version, platform }))).toBe(name);
});

test.each([
  ['finds no solution', 'echo "error: No solution found when resolving" >&2; exit 1', 'conflict', 'No solution found'],
  ['fails', 'echo "error: No interpreter found" >&2; exit 2', 'unavailable', 'uv says:\n    No interpreter found'],
  ['says what is no pin', 'echo "requests>=2"', 'unavailable', 'the resolver said "requests>=2"'],
])('when uv %s the words are its own', async (_what, script, kind, words) => {
  await expect(resolve(script)).rejects.toMatchObject({ kind, message: expect.stringContaining(words) });
});

test('a token in the address of our index is not among the words of uv, nor among its arguments', async () => {
  const index = 'http://__token__:lrd_secret@127.0.0.1:1/simple/';
  const script = 'echo "error: $UV_DEFAULT_INDEX refused $*" >&2; exit 2';
  const refused = await resolve(script, { index }).catch((error: Error) => error.message);
  expect(refused).toContain('http://__token__:****@127.0.0.1:1/simple/ refused');
  expect(refused).not.toContain('lrd_secret');
});

test('a platform that uv has no name for is told with the way out', async () => {
  const target = makeTarget({ version: '3.12', platform: 'manylinux_2_28_s390x' });
  await expect(resolve('exit 0', { target })).rejects.toMatchObject({
    kind: 'unsupported',
    message: 'uv cannot resolve for cp312 s390x (manylinux_2_28_s390x); give an exact lock for it',
  });
});

test('uv is ended when the command is', async () => {
  const stop = new AbortController();
  const running = resolve('exec sleep 60', { signal: stop.signal });
  setTimeout(() => stop.abort(new DOMException('stopped', 'AbortError')), 100);
  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
});

/** A wheel of uv, as its project builds them: the program lies among the scripts. */
function uvWheel(script: string, tag = 'py3-none-manylinux_2_17_x86_64.manylinux_2_17_aarch64.macosx_11_0_arm64') {
  const files = { 'uv-9.9.data/scripts/uv': `#!/bin/sh\n${script}\n`, 'uv-9.9.data/scripts/uvx': '#!/bin/sh\n' };
  return buildWheel({ name: 'uv', version: '9.9', tag, files });
}

test.each([
  [
    'is fetched from the index itself',
    'if [ "$1" = --version ]; then echo "uv 9.9"; else echo "idna==3.7"; fi',
    undefined,
  ],
  ['that does not run here is told', 'exit 1', 'the one in uv-9.9-py3-none-manylinux_2_17_x86_64'],
])('a uv that is not on the PATH %s', async (what, script, words) => {
  const index = new PackageIndex(origin, `/${what.replaceAll(' ', '-')}`);
  index.offer(buildWheel({ name: 'idna', version: '3.7' }));
  index.offer(uvWheel(script));
  const bench = await pythonWorkbench({ origins: [{ name: 'main', url: index.url }] });
  const path = process.env.PATH;
  process.env.PATH = '/usr/bin:/bin';
  try {
    const gathered = bench.gather('idna>=3');
    if (words === undefined) expect((await gathered).items).toMatchObject([{ details: { why: ['manifest'] } }]);
    else await expect(gathered).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining(words) });
  } finally {
    process.env.PATH = path;
    await bench.close();
  }
});

test('a uv that the settings name must run', async () => {
  const bench = await pythonWorkbench({ uv: join(folder.path, 'nothing-here') });
  await expect(bench.gather('idna>=3')).rejects.toMatchObject({
    kind: 'bad-request',
    message: expect.stringMatching(/^pypi\.uv is .*nothing-here, and that does not run$/),
  });
  await bench.close();
});

test('without uv anywhere, requirements that are all pinned are taken at their word', async () => {
  const index = new PackageIndex(origin, '/no-uv');
  index.offer(buildWheel({ name: 'idna', version: '3.7' }));
  const bench = await pythonWorkbench({ origins: [{ name: 'main', url: index.url }] });
  const path = process.env.PATH;
  process.env.PATH = '/usr/bin:/bin';
  try {
    expect((await bench.gather('idna==3.7')).items).toHaveLength(1);
    await expect(bench.gather('idna>=3')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(
        /^requirements that are not pinned need uv.*Put uv on the PATH, set pypi\.uv, or give an exact lock$/,
      ),
    });
  } finally {
    process.env.PATH = path;
    await bench.close();
  }
});
