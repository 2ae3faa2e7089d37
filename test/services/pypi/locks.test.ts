import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLock, readRequirementFiles } from '../../../services/pypi/locks.ts';
import { makeTarget } from '../../../services/pypi/python/target.ts';
import type { Pin, Wishes } from '../../../services/pypi/wishes.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/python');
const X86 = makeTarget({ version: '3.12', platform: 'manylinux_2_28_x86_64' });
const OLD = makeTarget({ version: '3.11', platform: 'manylinux_2_28_x86_64' });
const ARM = makeTarget({ version: '3.12', platform: 'manylinux_2_28_aarch64' });
const WINDOWS = makeTarget({ version: '3.12', platform: 'win_amd64' });

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larder-locks-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const names = (pins: Pin[]) => pins.map(({ project, version }) => `${project} ${version}`).sort();

async function written(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

/** What the project of the fixtures gets in every environment. */
const ALWAYS = ['click 8.1.7', 'idna 3.7', 'pysocks 1.7.1', 'requests 2.32.3'];

describe('uv.lock', () => {
  const read = (options: { extras?: string[]; groups?: string[] } = {}): Promise<Wishes> =>
    readLock('uv.lock', FIXTURES, { extras: [], ...options });

  test('gives each target what its markers say, members of the workspace and extras of requirements included', async () => {
    const lock = await read();
    expect(names(lock.pins(X86))).toEqual([...ALWAYS, 'legacy 1.0', 'numpy 2.1.0', 'uvloop 0.19.0'].sort());
    expect(names(lock.pins(OLD))).toEqual([...ALWAYS, 'numpy 1.26.4', 'uvloop 0.19.0'].sort());
    expect(names(lock.pins(ARM))).toEqual([...ALWAYS, 'legacy 1.0', 'numpy 2.1.0'].sort());
    expect(names(lock.pins(WINDOWS))).toEqual([...ALWAYS, 'colorama 0.4.6', 'legacy 1.0', 'numpy 2.1.0'].sort());
  });

  test('brings extras and groups that are asked for', async () => {
    const { pins } = await read({ extras: ['Docs'], groups: ['lint'] });
    expect(names(pins(ARM))).toContain('mkdocs 1.5');
    expect(names((await read({ groups: ['dev'] })).pins(ARM))).toContain('pytest 8.0.0');
  });

  test('tells apart what one name has at several indexes', async () => {
    const torch = async (extra: string) => {
      const pins = (await read({ extras: [extra] })).pins(X86);
      return pins.filter(({ project }) => project === 'torch' || project.startsWith('nvidia'));
    };
    expect(await torch('cpu')).toMatchObject([
      { version: '2.5.1+cpu', registry: 'https://index.example/whl/cpu/simple/' },
    ]);
    expect(names(await torch('cu121'))).toEqual(['nvidia-cublas-cu12 12.1.3.1', 'torch 2.5.1+cu121']);
  });

  test('allows files by their hashes alone', async () => {
    const legacy = (await read()).pins(X86).find(({ project }) => project === 'legacy');
    expect(legacy!.hashes).toEqual(
      new Set(['sha256:5311c970ab84e996956b7632053b85e5e1a0de584962a867a6bb39d5a8c6387b']),
    );
  });

  test('refuses names of extras and groups that it does not have', async () => {
    await expect(read({ extras: ['gpu'] })).rejects.toThrow(
      'uv.lock: it has no extra "gpu"; it has all, cpu, cu121, docs',
    );
    await expect(read({ groups: ['test'] })).rejects.toThrow('it has no group "test"; it has dev, lint');
  });

  test('refuses a Python that it was not made for', async () => {
    const lock = await read();
    const python310 = makeTarget({ version: '3.10', platform: 'manylinux_2_28_x86_64' });
    expect(() => lock.pins(python310)).toThrow('uv.lock: it is for Python >=3.11, and cp310 x86_64 is 3.10.0');
  });

  test('follows the extras that uv writes into markers where some exclude each other', async () => {
    await written({
      'uv.lock': `version = 1
requires-python = ">=3.11"
conflicts = [[{ package = "app", extra = "old" }, { package = "app", extra = "new" }, { package = "app", group = "dev" }]]
[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "shared", version = "1.0", source = { registry = "https://index.example/simple" }, marker = "extra == 'extra-3-app-old'" },
    { name = "shared", version = "2.0", source = { registry = "https://index.example/simple" }, marker = "extra == 'extra-3-app-new' or extra != 'extra-3-app-old'" },
    { name = "tool", marker = "extra == 'group-3-app-dev'" },
]
[package.optional-dependencies]
old = []
new = []
[package.dev-dependencies]
dev = []
[[package]]
name = "shared"
version = "1.0"
source = { registry = "https://index.example/simple" }
[[package]]
name = "shared"
version = "2.0"
source = { registry = "https://index.example/simple" }
[[package]]
name = "tool"
version = "3.0"
source = { registry = "https://index.example/simple" }
`,
    });
    const pins = async (extras: string[], groups: string[] = []) =>
      names((await readLock('uv.lock', folder, { extras, groups })).pins(X86));
    expect(await pins(['old'])).toEqual(['shared 1.0']);
    expect(await pins(['new'])).toEqual(['shared 2.0']);
    expect(await pins([], ['dev'])).toEqual(['shared 2.0', 'tool 3.0']);
  });

  test('of a script starts from its requirements, and knows what was overridden', async () => {
    await written({
      's.py.lock': `version = 1
[manifest]
requirements = [{ name = "a", extras = ["x"] }]
overrides = [{ name = "Some_Thing", specifier = "<3" }]
[[package]]
name = "a"
version = "1"
source = { registry = "https://index.example/simple" }
[package.optional-dependencies]
x = [{ name = "b" }]
[[package]]
name = "b"
version = "2"
source = { registry = "https://index.example/simple" }
`,
    });
    const lock = await readLock('s.py.lock', folder, { extras: [] });
    expect(names(lock.pins(X86))).toEqual(['a 1', 'b 2']);
    expect([...lock.overridden]).toEqual(['some-thing']);
  });

  test('names all that does not come from an index at once', async () => {
    await written({
      'uv.lock': `version = 1
[[package]]
name = "app"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "one" }, { name = "two" }, { name = "three" }]
[[package]]
name = "one"
version = "1"
source = { git = "https://git.example/one?rev=abc#abc" }
[[package]]
name = "two"
version = "1"
source = { url = "https://files.example/two-1.zip" }
[[package]]
name = "three"
version = "1"
source = { registry = "https://index.example/simple" }
`,
    });
    const lock = await readLock('uv.lock', folder, { extras: [] });
    expect(() => lock.pins(X86)).toThrow('uv.lock: one, two does not come from an index; upload it');
  });

  test.each([
    ['of another version', 'version = 2', 'its version is 2; 1 can be read'],
    ['that is no TOML', 'version = ', 'uv.lock is not TOML'],
    ['with nothing in it', 'version = 1', 'it has no project of its own'],
  ])('%s is refused in words', async (_what, text, words) => {
    await written({ 'uv.lock': text });
    await expect(readLock('uv.lock', folder, { extras: [] })).rejects.toThrow(words);
  });
});

describe('pylock.toml', () => {
  test('gives each target the packages whose marker holds', async () => {
    const lock = await readLock('pylock.toml', FIXTURES, { extras: [] });
    const all = [...ALWAYS, 'mkdocs 1.5', 'pytest 8.0.0'];
    expect(names(lock.pins(X86))).toEqual([...all, 'legacy 1.0', 'numpy 2.1.0', 'uvloop 0.19.0'].sort());
    expect(names(lock.pins(OLD))).toEqual([...all, 'numpy 1.26.4', 'uvloop 0.19.0'].sort());
    expect(lock.notes).toEqual(['pylock.toml: helper is left out, it is a folder']);
  });

  test('asks extras and groups, its default groups where none are asked for', async () => {
    await written({
      'pylock.app.toml': `lock-version = "1.0"
created-by = "test"
extras = ["gpu"]
dependency-groups = ["dev", "docs"]
default-groups = ["docs"]
environments = ["sys_platform == 'linux'"]
[[packages]]
name = "A"
version = "1.0"
wheels = [{ name = "A-1.0-py3-none-any.whl", hashes = { sha512 = "00ff" } }]
[[packages]]
name = "b"
version = "1.0"
marker = "'gpu' in extras"
[[packages]]
name = "c"
version = "1.0"
marker = "'dev' in dependency_groups"
[[packages]]
name = "d"
version = "1.0"
marker = "'docs' in dependency_groups"
`,
    });
    const read = (options: { extras: string[]; groups?: string[] }) => readLock('pylock.app.toml', folder, options);
    expect(names((await read({ extras: [] })).pins(X86))).toEqual(['a 1.0', 'd 1.0']);
    expect(names((await read({ extras: ['GPU'], groups: ['dev'] })).pins(X86))).toEqual(['a 1.0', 'b 1.0', 'c 1.0']);
    expect((await read({ extras: [] })).pins(X86)[0]!.hashes).toEqual(new Set(['sha512:00ff']));
    await expect(read({ extras: ['cpu'] })).rejects.toThrow('it has no extra "cpu"; it has gpu');
    const lock = await read({ extras: [] });
    expect(() => lock.pins(WINDOWS)).toThrow("it is not for cp312 amd64 Windows: sys_platform == 'linux'");
  });

  test('with something from elsewhere, or of another version, is refused', async () => {
    await written({
      'pylock.toml':
        'lock-version = "1.0"\n[[packages]]\nname = "x"\nvcs = { type = "git", url = "u", commit-id = "c" }\n',
      'pylock.two.toml': 'lock-version = "2.0"\npackages = []\n',
    });
    const lock = await readLock('pylock.toml', folder, { extras: [] });
    expect(() => lock.pins(X86)).toThrow('pylock.toml: x does not come from an index');
    await expect(readLock('pylock.two.toml', folder, { extras: [] })).rejects.toThrow('its version is 2.0');
    await expect(readLock('poetry.lock', folder, { extras: [] })).rejects.toThrow('a lock is uv.lock,');
    await expect(readLock('gone/uv.lock', folder, { extras: [] })).rejects.toThrow('cannot be read (ENOENT)');
  });
});

describe('requirements files', () => {
  const read = (name: string, exact = false) => readRequirementFiles([name], folder, exact);

  test('with hashes are a lock: markers choose, folders are left out', async () => {
    const lock = await readRequirementFiles(['requirements.lock.txt'], FIXTURES, false);
    const all = [...ALWAYS, 'mkdocs 1.5', 'pytest 8.0.0', 'torch 2.5.1+cu121'];
    const linux = ['nvidia-cublas-cu12 12.1.3.1', 'uvloop 0.19.0'];
    expect(names(lock.pins(X86))).toEqual([...all, ...linux, 'legacy 1.0', 'numpy 2.1.0'].sort());
    expect(names(lock.pins(OLD))).toEqual([...all, ...linux, 'numpy 1.26.4'].sort());
    expect(lock.loose).toEqual([]);
    expect(lock.pins(X86).find(({ project }) => project === 'numpy')!.hashes!.size).toBe(7);
    expect(lock.notes).toEqual(['requirements.lock.txt:1: left out, -e ./packages/helper is not from an index']);
  });

  test('without hashes are wishes, with the lines they stand on, and those of files they name', async () => {
    await written({
      'in.txt':
        '# comment\nNumPy>=2 # why\n\n-r more.txt\n--index-url https://index.example/simple\n--pre\n-c bounds.txt\n',
      'more.txt': 'requests[socks] \\\n  >=2 ; python_version > "3"\nclick\n-r in.txt\n',
      'bounds.txt': 'idna<4\n',
    });
    const wishes = await read('in.txt');
    expect(wishes.loose).toEqual([
      { text: 'NumPy>=2', why: 'in.txt:2' },
      { text: 'requests[socks]    >=2 ; python_version > "3"', why: 'more.txt:1' },
      { text: 'click', why: 'more.txt:3' },
    ]);
    expect(wishes).toMatchObject({ constraints: ['idna<4'], prereleases: true });
    expect(wishes.notes).toEqual(["in.txt:5: left out, the mirror's origins are asked instead"]);
    expect(wishes.pins(X86)).toEqual([]);
  });

  test('that the manifest calls a lock must be pinned', async () => {
    await written({ 'pins.txt': 'a==1.0\nB_c===2.0+cu121\n', 'loose.txt': 'a==1.0\nb>=2\n', 'prefix.txt': 'a==1.*\n' });
    expect(names((await read('pins.txt', true)).pins(X86))).toEqual(['a 1.0', 'b-c 2.0+cu121']);
    await expect(read('loose.txt', true)).rejects.toThrow('loose.txt:2: b is not pinned with "=="');
    await expect(read('prefix.txt', true)).rejects.toThrow('prefix.txt:1: a is not pinned');
  });

  test.each([
    [
      'a hash on some lines only',
      `a==1 --hash=sha256:${'0'.repeat(64)}\nb==1\n`,
      'x.txt:2: b has no hash, and others have',
    ],
    ['an address', 'a @ https://files.example/a-1.zip\n', 'x.txt:1: a is taken from an address'],
    ['a folder to be resolved', 'a\n-e .\n', 'x.txt:2: -e . is not from an index'],
    ['an option nobody knows', '--frobnicate\n', 'x.txt:1: "--frobnicate" is no option'],
    ['no requirement', 'a b c\n', 'x.txt:1: "a b c" is no requirement'],
  ])('with %s are refused by line', async (_what, text, words) => {
    await written({ 'x.txt': text });
    await expect(read('x.txt')).rejects.toThrow(words);
  });
});

test('fixtures name no registry', async () => {
  for (const name of ['uv.lock', 'pylock.toml', 'requirements.lock.txt'])
    expect(await readFile(join(FIXTURES, name), 'utf8')).not.toMatch(/pypi|127\.0\.0\.1|pytorch\.org/);
});
