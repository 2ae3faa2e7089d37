import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { client } from '../support/clients.ts';
import { clientHome, runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

let folder: { path: string; remove(): Promise<void> };
let server: SpawnedLarder;
let token: string;
let home: Awaited<ReturnType<typeof clientHome>>;

beforeAll(async () => {
  folder = await temporaryFolder();
  const store = join(folder.path, 'store');
  const created = await larder(['token', 'create', 'ci', '--write', '--store', store]);
  token = created.stdout.trim();
  server = await spawnLarder({ store, env: { LARDER_PYPI_PRIVATE: 'site-*' } });
  home = await clientHome();
  await build('site-tool', '1.0');
  await build('site-tool', '2.0');
});

afterAll(async () => {
  await server?.stop();
  await home?.remove();
  await folder?.remove();
});

/** A wheel and an sdist, built by setuptools as a user's project is. */
async function build(name: string, version: string): Promise<void> {
  const project = join(folder.path, `${name}-${version}`);
  await mkdir(join(project, 'dist'), { recursive: true });
  await writeFile(
    join(project, 'pyproject.toml'),
    `[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "${name}"\nversion = "${version}"\nrequires-python = ">=3.9"\ndependencies = ["six>=1.16"]\n[tool.setuptools]\npy-modules = ["site_tool"]\n`,
  );
  await writeFile(join(project, 'site_tool.py'), `VERSION = "${version}"\n`);
  const script = `import setuptools.build_meta as b; b.build_wheel("dist"); b.build_sdist("dist")`;
  const python = join(await client('bagit'), 'python');
  expect(await runCommand(python, ['-c', script], { cwd: project })).toMatchObject({ code: 0 });
}

const dist = (version: string) => join(folder.path, `site-tool-${version}`, 'dist');

test('twine uploads a wheel and an sdist', async () => {
  const twine = join(await client('twine'), 'twine');
  const env = { ...home.env, TWINE_USERNAME: '__token__', TWINE_PASSWORD: token };
  const files = [join(dist('1.0'), 'site_tool-1.0-py3-none-any.whl'), join(dist('1.0'), 'site_tool-1.0.tar.gz')];
  const ran = await runCommand(
    twine,
    ['upload', '--non-interactive', '--repository-url', `${server.urls.pypi}/legacy/`, ...files],
    { env },
  );
  expect(ran).toMatchObject({ code: 0 });
});

test('twine is told that a file exists, and gives up', async () => {
  const twine = join(await client('twine'), 'twine');
  const env = { ...home.env, TWINE_USERNAME: '__token__', TWINE_PASSWORD: token };
  const args = [
    'upload',
    '--non-interactive',
    '--repository-url',
    `${server.urls.pypi}/legacy/`,
    join(dist('1.0'), 'site_tool-1.0.tar.gz'),
  ];
  const again = await runCommand(twine, args, { env });
  expect(again.code).not.toBe(0);
  expect(again.stdout + again.stderr).toMatch(/409/);
});

test('uv publishes, and finds out by itself what is there already', async () => {
  const uv = join(await client('uv'), 'uv');
  const args = [
    'publish',
    '--publish-url',
    `${server.urls.pypi}/legacy/`,
    '--check-url',
    `${server.urls.pypi}/simple/`,
    '--token',
    token,
  ];
  for (let times = 0; times < 2; times += 1) {
    expect(await runCommand(uv, [...args, join(dist('2.0'), '*')], home)).toMatchObject({ code: 0 });
  }
});

test('what was uploaded is installed with what it needs from the origin', async () => {
  const python = join(await client('pip'), 'python');
  const target = join(home.path, 'target');
  const ran = await runCommand(
    python,
    [
      '-m',
      'pip',
      'install',
      '--no-cache-dir',
      '--target',
      target,
      '--index-url',
      `${server.urls.pypi}/simple/`,
      '--uploaded-prior-to',
      '2100-01-01',
      'site-tool',
    ],
    home,
  );
  expect(ran).toMatchObject({ code: 0 });
  expect(await readFile(join(target, 'site_tool.py'), 'utf8')).toContain('2.0');
  expect(await readFile(join(target, 'six.py'), 'utf8')).toContain('__version__');
});

test('a wrong token, none, and one that may only read are refused in words', async () => {
  const reader = (
    await larder(['token', 'create', 'reader', '--read', '--store', join(folder.path, 'store')])
  ).stdout.trim();
  const file = join(dist('1.0'), 'site_tool-1.0.tar.gz');
  const post = (user: string[]) =>
    runCommand('curl', [
      '-s',
      '-w',
      ' %{http_code}',
      ...user,
      '-F',
      ':action=file_upload',
      '-F',
      'name=site-tool',
      '-F',
      `content=@${file}`,
      `${server.urls.pypi}/legacy/`,
    ]);
  expect((await post([])).stdout).toMatch(/needs a token.*401$/s);
  expect((await post(['-u', '__token__:lrd_00000000_wrong'])).stdout).toMatch(/not known here.*401$/s);
  expect((await post(['-u', `__token__:${reader}`])).stdout).toMatch(/may not write.*403$/s);
});

test('a private name that nobody uploaded is never asked for upstream', async () => {
  const answer = await runCommand('curl', ['-s', '-w', ' %{http_code}', `${server.urls.pypi}/simple/site-secret/`]);
  expect(answer.stdout).toMatch(/private name.*404$/s);
  expect(server.log()).not.toContain('"name":"the project \\"site-secret\\""');
});
