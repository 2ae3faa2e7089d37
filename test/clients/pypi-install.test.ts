import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AirGap, makeAirGap } from '../support/air-gap.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { CLIENTS, client } from '../support/clients.ts';
import { clientHome, type Ran, runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

/** Real packages: pure Python, a compiled one, one with a local name that is not normalised. */
const WANTED = ['requests==2.32.3', 'PyYAML==6.0.2', 'typing.extensions==4.12.2'];
const CHECK = 'import requests, yaml, typing_extensions; print(requests.__version__, yaml.__version__)';
const EXPECTED = '2.32.3 6.0.2';

let folder: { path: string; remove(): Promise<void> };
let connected: SpawnedLarder;
let gap: AirGap;
let site: SpawnedLarder;

beforeAll(async () => {
  folder = await temporaryFolder();
  connected = await spawnLarder({ store: join(folder.path, 'connected') });
  const python = (
    await runCommand('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
  ).stdout.trim();
  const manifest = join(folder.path, 'bundle.yaml');
  const items = WANTED.map((text) => `  - python: "${text}"`).join('\n');
  await writeFile(
    manifest,
    `format: larder-manifest/1\nname: clients\ndefaults: { platforms: { python: [{ version: "${python}", platform: manylinux_2_28_${process.arch === 'arm64' ? 'aarch64' : 'x86_64'} }] } }\nitems:\n${items}\n`,
  );
  const bundle = join(folder.path, 'bundle');
  expect(await larder(['bundle', 'create', manifest, bundle, '--store', join(folder.path, 'connected')])).toMatchObject(
    { code: 0 },
  );
  expect(await larder(['bundle', 'import', bundle, '--store', join(folder.path, 'site')])).toMatchObject({ code: 0 });
  gap = await makeAirGap();
  site = await spawnLarder({ store: join(folder.path, 'site'), env: { AIRGAPPED_MODE: 'true' }, wrap: gap.inside });
});

afterAll(async () => {
  await connected?.stop();
  await site?.stop();
  await gap?.close();
  await folder?.remove();
});

interface Place {
  index: string;
  /** Where clients run: here, or inside the gap. */
  run(command: string, args: readonly string[], options?: { cwd?: string; env?: NodeJS.ProcessEnv }): Promise<Ran>;
}

const places: Record<string, () => Place> = {
  connected: () => ({ index: `${connected.urls.pypi}/simple/`, run: runCommand }),
  'behind the gap': () => ({
    index: `${site.urls.pypi}/simple/`,
    run: (command, args, options) => runCommand(...gap.inside(command, args), options),
  }),
};

test('every client that must be there is', async () => {
  const required = JSON.parse(await readFile(join(import.meta.dirname, 'required.json'), 'utf8')) as Record<
    string,
    string
  >;
  expect(Object.keys(required).sort()).toEqual([...CLIENTS].sort());
  for (const name of Object.keys(required)) await expect(client(name)).resolves.toContain('bin');
  // some gigabytes, the first time
}, 1_800_000);

describe.each(Object.keys(places))('%s', (where) => {
  const place = () => places[where]!();

  test.each(['pip', 'pip-old'])('%s installs', async (name) => {
    const { index, run } = place();
    const home = await clientHome();
    const target = join(home.path, 'target');
    const ran = await run(
      join(await client(name), 'python'),
      [
        '-m',
        'pip',
        'install',
        '--no-cache-dir',
        '--only-binary',
        ':all:',
        '--target',
        target,
        '--index-url',
        index,
        ...WANTED,
      ],
      home,
    );
    expect(ran).toMatchObject({ code: 0 });
    const checked = await run('python3', ['-c', CHECK], { env: { ...home.env, PYTHONPATH: target } });
    expect(checked.stdout.trim()).toBe(EXPECTED);
    await home.remove();
  });

  test('uv installs, and locks with hashes that it accepts again', async () => {
    const { index, run } = place();
    const home = await clientHome();
    const uv = join(await client('uv'), 'uv');
    const target = join(home.path, 'target');
    const input = join(home.path, 'in.txt');
    const lock = join(home.path, 'lock.txt');
    await writeFile(input, WANTED.join('\n'));
    const compiled = await run(
      uv,
      ['pip', 'compile', input, '--generate-hashes', '--default-index', index, '-o', lock],
      home,
    );
    expect(compiled).toMatchObject({ code: 0 });
    const installed = await run(
      uv,
      ['pip', 'install', '--require-hashes', '--default-index', index, '--target', target, '-r', lock],
      home,
    );
    expect(installed).toMatchObject({ code: 0 });
    const checked = await run('python3', ['-c', CHECK], { env: { ...home.env, PYTHONPATH: target } });
    expect(checked.stdout.trim()).toBe(EXPECTED);
    await home.remove();
  });

  test('Poetry locks and installs', async () => {
    const { index, run } = place();
    const home = await clientHome();
    const pyproject = `[tool.poetry]\nname = "site"\nversion = "0.1.0"\ndescription = ""\nauthors = []\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = ">=3.11,<3.13"\nrequests = "2.32.3"\nPyYAML = "6.0.2"\n\n[[tool.poetry.source]]\nname = "larder"\nurl = "${index}"\npriority = "primary"\n`;
    await writeFile(join(home.path, 'pyproject.toml'), pyproject);
    const env = {
      ...home.env,
      POETRY_VIRTUALENVS_IN_PROJECT: 'true',
      POETRY_NO_INTERACTION: '1',
      POETRY_KEYRING_ENABLED: 'false',
    };
    const ran = await run(join(await client('poetry'), 'poetry'), ['install', '--no-root'], { env, cwd: home.path });
    expect(ran).toMatchObject({ code: 0 });
    const checked = await run(
      join(home.path, '.venv/bin/python'),
      ['-c', 'import requests, yaml; print(requests.__version__, yaml.__version__)'],
      { env },
    );
    expect(checked.stdout.trim()).toBe(EXPECTED);
    await home.remove();
  });

  test('PDM locks and installs', async () => {
    const { index, run } = place();
    const home = await clientHome();
    const pyproject = `[project]\nname = "site"\nversion = "0.1.0"\nrequires-python = ">=3.11,<3.13"\ndependencies = ["requests==2.32.3", "PyYAML==6.0.2"]\n\n[tool.pdm]\ndistribution = false\n\n[[tool.pdm.source]]\nname = "pypi"\nurl = "${index}"\nverify_ssl = false\n`;
    await writeFile(join(home.path, 'pyproject.toml'), pyproject);
    const env = { ...home.env, PDM_CHECK_UPDATE: 'false' };
    const pdm = join(await client('pdm'), 'pdm');
    const locked = await run(pdm, ['install', '--no-self', '-v'], { env, cwd: home.path });
    expect(locked).toMatchObject({ code: 0 });
    const checked = await run(
      join(home.path, '.venv/bin/python'),
      ['-c', 'import requests, yaml; print(requests.__version__, yaml.__version__)'],
      { env },
    );
    expect(checked.stdout.trim()).toBe(EXPECTED);
    await home.remove();
  });
});

test('behind the gap an unknown project is refused in words, and wanted', async () => {
  const home = await clientHome();
  const [command, args] = gap.inside('curl', ['-s', `${site.urls.pypi}/simple/attrs/`]);
  expect((await runCommand(command, args)).stdout).toMatch(/not held here.*list of wants/);
  const wants = await larder(['wants', 'export', '--store', join(folder.path, 'site')]);
  expect(wants.stdout).toContain('{"python":"attrs"}');
  await home.remove();
});

test('nothing tried to leave the gap', async () => {
  expect(await gap.escaped()).toBe(0);
});
