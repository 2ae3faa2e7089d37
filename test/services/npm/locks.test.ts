import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReadLock, readLock } from '../../../services/npm/locks.ts';
import { chosenBy, idOf, type Locked } from '../../../services/npm/wishes.ts';

const R = 'https://registry.example';
const ALL = { dev: true, optional: true };

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larder-locks-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Reads the one of `files` that is a lock. */
async function read(name: string, files: Record<string, unknown>, options = ALL): Promise<ReadLock> {
  for (const [path, body] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), typeof body === 'string' ? body : JSON.stringify(body));
  }
  return readLock(name, folder, options);
}

const ids = (lock: ReadLock, options = ALL) => lock.packages.filter(chosenBy(options)).map(idOf);
const only = (lock: ReadLock, name: string): Locked => lock.packages.find((one) => one.name === name)!;
const withoutDev = { dev: false, optional: true };
const withoutOptional = { dev: true, optional: false };

describe('package-lock.json', () => {
  const packages = {
    '': { name: 'app', dependencies: { a: '^1' }, workspaces: ['packages/*'] },
    'node_modules/a': { version: '1.0.0', resolved: `${R}/a/-/a-1.0.0.tgz`, integrity: 'sha512-AAAA' },
    'node_modules/a/node_modules/@s/b': { version: '2.0.0-rc.1', integrity: 'sha512-BBBB', dev: true },
    'node_modules/@s/b': { version: '2.0.0-rc.1', integrity: 'sha1-CCCC' },
    'node_modules/native': { version: '3.0.0', optional: true, os: ['!win32'], cpu: ['x64'], libc: ['musl'] },
    'node_modules/other': { name: 'real', version: '4.0.0', resolved: `${R}/npm/real/-/real-4.0.0.tgz` },
    'node_modules/tool': { version: '5.0.0', dev: true },
    'node_modules/both': { version: '6.0.0', devOptional: true },
    'node_modules/tool/node_modules/inside': { version: '7.0.0', inBundle: true },
    'node_modules/member': { resolved: 'packages/member', link: true },
    'packages/member': { name: 'member', version: '1.0.0', dependencies: { c: '8' } },
    'packages/member/node_modules/c': { version: '8.0.0' },
  };
  const lockfile = { name: 'app', lockfileVersion: 3, packages };

  test('names every version of the registry once, whatever it is called in the tree, and no folder of the project', async () => {
    const lock = await read('package-lock.json', { 'package-lock.json': lockfile });
    expect(ids(lock)).toEqual([
      ...['@s/b@2.0.0-rc.1', 'a@1.0.0', 'both@6.0.0', 'c@8.0.0', 'native@3.0.0', 'real@4.0.0', 'tool@5.0.0'],
    ]);
    expect(lock).toMatchObject({ kind: 'npm', strangers: [] });
  });

  test('tells where a version runs, what its bytes are, and what it is there for', async () => {
    const lock = await read('package-lock.json', { 'package-lock.json': lockfile });
    expect(only(lock, 'native')).toMatchObject({
      platforms: { os: ['!win32'], cpu: ['x64'], libc: ['musl'] },
      optional: true,
    });
    expect(only(lock, 'a')).toEqual({
      ...{ name: 'a', version: '1.0.0', integrity: ['sha512-AAAA'], why: 'package-lock.json' },
      ...{ dev: false, optional: false, devOptional: false },
    });
    // one place needs it for the project itself, and both promises hold
    expect(only(lock, '@s/b')).toMatchObject({ dev: false, integrity: ['sha512-BBBB', 'sha1-CCCC'] });
  });

  test('leaves out what npm would leave out', async () => {
    const lock = await read('package-lock.json', { 'package-lock.json': lockfile });
    const gone = (options: typeof ALL) => ids(lock).filter((id) => !ids(lock, options).includes(id));
    expect(gone(withoutDev)).toEqual(['tool@5.0.0']);
    expect(gone(withoutOptional)).toEqual(['native@3.0.0']);
    expect(gone({ dev: false, optional: false })).toEqual(['both@6.0.0', 'native@3.0.0', 'tool@5.0.0']);
  });

  test('is read as well with the older half that version 2 carries, and under the name of a shrinkwrap', async () => {
    const old = { lockfileVersion: 2, packages, dependencies: { a: { version: '0.0.1' } } };
    expect(ids(await read('npm-shrinkwrap.json', { 'npm-shrinkwrap.json': old }))).toContain('a@1.0.0');
  });

  test('names all that comes from elsewhere, without the secrets in its addresses', async () => {
    const strange = {
      'node_modules/one': { version: '1.0.0', resolved: 'git+ssh://git@code.example/one.git#0123abc' },
      'node_modules/two': { version: '1.0.0', resolved: 'https://me:secret@files.example/two.tgz?sig=secret' },
      'node_modules/three': { version: '1.0.0', resolved: 'file:vendor/three-1.0.0.tgz' },
      'node_modules/@s/four': {
        version: '1.0.0',
        resolved: 'https://packages.example/download/@s/four/1.0.0/0a1b2c',
      },
    };
    const lock = await read('strange.json', { 'strange.json': { lockfileVersion: 3, packages: strange } });
    expect(lock.strangers).toEqual([
      'one comes from git (git+ssh://code.example/one.git#0123abc)',
      'two comes from an address of its own (https://files.example/two.tgz)',
      'three comes from a file (file:vendor/three-1.0.0.tgz)',
    ]);
    expect(ids(lock)).toEqual(['@s/four@1.0.0']);
  });

  test.each([
    ['of npm 6', { lockfileVersion: 1, dependencies: {} }, 'lockfileVersion 1; 2 and 3 can be read'],
    ['that is none', { name: 'app' }, 'no lockfileVersion'],
    ['that is no JSON', '{', 'it is not JSON'],
    ['of a strange form', { lockfileVersion: 3, packages: { 'node_modules/a': 1 } }, 'packages.node_modules/a'],
  ])('%s is refused in words', async (_, body, words) => {
    await expect(read('bad.json', { 'bad.json': body })).rejects.toThrow(words);
  });
});

describe('pnpm-lock.yaml', () => {
  const expected = ['@s/b@2.0.0', 'a@1.0.0', 'native@3.0.0', 'real@4.0.0', 'tool@5.0.0'];

  test('of version 9 names versions; its graph says what they are there for', async () => {
    const lock = await read('pnpm-lock.yaml', {
      'pnpm-lock.yaml': `
lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      a: { specifier: ^1, version: 1.0.0(@s/b@2.0.0) }
      other: { specifier: 'npm:real@4', version: real@4.0.0 }
      member: { specifier: 'workspace:*', version: link:packages/member }
    devDependencies:
      tool: { specifier: ^5, version: 5.0.0 }
packages:
  '@s/b@2.0.0': { resolution: { integrity: sha512-BBBB } }
  a@1.0.0: { resolution: { integrity: sha512-AAAA }, peerDependencies: { '@s/b': '*' } }
  native@3.0.0: { resolution: { integrity: sha512-DDDD }, os: [linux], cpu: [x64], libc: [glibc] }
  real@4.0.0: { resolution: { integrity: sha512-EEEE, tarball: ${R}/real/-/real-4.0.0.tgz } }
  tool@5.0.0: { resolution: { integrity: sha512-FFFF } }
  folder@file:packages/folder: { resolution: { directory: packages/folder, type: directory } }
snapshots:
  '@s/b@2.0.0': {}
  a@1.0.0(@s/b@2.0.0):
    dependencies: { '@s/b': 2.0.0 }
    optionalDependencies: { native: 3.0.0 }
  native@3.0.0: { optional: true }
  real@4.0.0: {}
  tool@5.0.0:
    dependencies: { real: 4.0.0 }
`,
    });
    expect(ids(lock)).toEqual(expected);
    expect(ids(lock, withoutDev)).toEqual(expected.filter((id) => id !== 'tool@5.0.0'));
    expect(ids(lock, withoutOptional)).toEqual(expected.filter((id) => id !== 'native@3.0.0'));
    expect(only(lock, 'native').platforms).toEqual({ os: ['linux'], cpu: ['x64'], libc: ['glibc'] });
    expect(only(lock, 'a').integrity).toEqual(['sha512-AAAA']);
    expect(lock).toMatchObject({ kind: 'pnpm', strangers: [] });
  });

  test('of version 6 says it with its entries', async () => {
    const lock = await read('v6.yaml', {
      'v6.yaml': `
lockfileVersion: '6.0'
packages:
  /@s/b@2.0.0: { resolution: { integrity: sha512-BBBB }, dev: false }
  /a@1.0.0(@s/b@2.0.0): { resolution: { integrity: sha512-AAAA }, dev: false }
  /native@3.0.0: { resolution: { integrity: sha512-DDDD }, cpu: [x64], os: [linux], optional: true }
  packages.example/real@4.0.0: { resolution: { integrity: sha512-EEEE } }
  /tool@5.0.0: { resolution: { integrity: sha512-FFFF }, dev: true }
`,
    });
    expect(ids(lock)).toEqual(expected);
    expect(ids(lock, withoutDev)).not.toContain('tool@5.0.0');
    expect(ids(lock, withoutOptional)).not.toContain('native@3.0.0');
  });

  test('of version 5 has slashes where later ones have signs', async () => {
    const lock = await read('v5.yaml', {
      'v5.yaml': `
lockfileVersion: 5.4
packages:
  /@s/b/2.0.0: { resolution: { integrity: sha512-BBBB }, dev: false }
  /a/1.0.0_@s+b@2.0.0: { resolution: { integrity: sha512-AAAA }, dev: false }
  /native/3.0.0: { resolution: { integrity: sha512-DDDD }, cpu: [x64], os: [linux], optional: true }
  packages.example/real/4.0.0: { resolution: { integrity: sha512-EEEE } }
  /tool/5.0.0: { resolution: { integrity: sha512-FFFF }, dev: true }
`,
    });
    expect(ids(lock)).toEqual(expected);
  });

  test('names what comes from elsewhere, and may be several documents', async () => {
    const lock = await read('strange.yaml', {
      'strange.yaml': `---
lockfileVersion: '9.0'
packages: { tool@5.0.0: { resolution: { integrity: sha512-FFFF } } }
---
lockfileVersion: '9.0'
packages:
  a@1.0.0: { resolution: { integrity: sha512-AAAA } }
  one@https://code.example/one/tar.gz/0123abc: { resolution: { tarball: https://code.example/one/tar.gz/0123abc }, version: 1.0.0 }
  two@git+https://code.example/two.git#9: { resolution: { type: git, repo: 'https://code.example/two.git', commit: '9' }, version: 1.0.0 }
  three@file:vendor/three.tgz: { resolution: { integrity: sha512-GGGG, tarball: file:vendor/three.tgz }, version: 1.0.0 }
`,
    });
    expect(ids(lock)).toEqual(['a@1.0.0', 'tool@5.0.0']);
    expect(lock.strangers).toEqual([
      'one comes from an address of its own (https://code.example/one/tar.gz/0123abc)',
      'two comes from git (git+https://code.example/two.git)',
      'three comes from a file (file:vendor/three.tgz)',
    ]);
  });

  test.each([
    ['of a version that nobody knows', "lockfileVersion: '12.0'\n", '12.0; 5 to 9 can be read'],
    ['that is no YAML', 'a: [\n', 'it is not YAML'],
    ['that is empty', '', 'it is empty'],
  ])('%s is refused in words', async (_, text, words) => {
    await expect(read('bad.yaml', { 'bad.yaml': text })).rejects.toThrow(words);
  });
});

describe('yarn.lock of yarn 1', () => {
  const text = `# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.
# yarn lockfile v1


"@s/b@^2.0.0", "@s/b@^2.0.1":
  version "2.0.1"
  resolved "${R}/@s/b/-/b-2.0.1.tgz#da39a3ee5e6b4b0d3255bfef95601890afd80709"

a@^1.0.0:
  version "1.0.0"
  resolved "${R}/a/-/a-1.0.0.tgz#0000000000000000000000000000000000000000"
  integrity sha512-AAAA
  dependencies:
    "@s/b" "^2.0.0"
  optionalDependencies:
    native "^3.0.0"

native@^3.0.0:
  version "3.0.0"
  resolved "${R}/native/-/native-3.0.0.tgz#1111111111111111111111111111111111111111"

"other@npm:real@^4.0.0":
  version "4.0.0"
  resolved "${R}/real/-/real-4.0.0.tgz#2222222222222222222222222222222222222222"

tool@^5.0.0:
  version "5.0.0"
  resolved "tool-5.0.0.tgz#3333333333333333333333333333333333333333"

"here@file:packages/here":
  version "1.0.0"

"far@https://files.example/far.tgz":
  version "1.0.0"
  resolved "https://files.example/far.tgz#4444444444444444444444444444444444444444"
`;
  const project = {
    dependencies: { a: '^1.0.0', '@s/b': '^2.0.1', other: 'npm:real@^4.0.0' },
    devDependencies: { tool: '^5.0.0' },
  };

  test('names versions by their addresses; package.json says what is for development', async () => {
    const lock = await read('one/yarn.lock', { 'one/yarn.lock': text, 'one/package.json': project });
    expect(ids(lock)).toEqual(['@s/b@2.0.1', 'a@1.0.0', 'native@3.0.0', 'real@4.0.0', 'tool@5.0.0']);
    expect(ids(lock, withoutDev)).not.toContain('tool@5.0.0');
    expect(ids(lock, withoutOptional)).not.toContain('native@3.0.0');
    expect(lock).toMatchObject({
      kind: 'yarn',
      strangers: [
        'far comes from an address of its own (https://files.example/far.tgz#4444444444444444444444444444444444444444)',
      ],
    });
  });

  test('has all of it go everywhere: yarn 1 downloads what it does not install', async () => {
    const lock = await read('one/yarn.lock', { 'one/yarn.lock': text, 'one/package.json': project });
    expect(lock.packages.map(({ everywhere }) => everywhere)).toEqual([true, true, true, true, true]);
  });

  test('promises a sha1 where it promises nothing better', async () => {
    const lock = await read('one/yarn.lock', { 'one/yarn.lock': text, 'one/package.json': project });
    expect(only(lock, 'a').integrity).toEqual(['sha512-AAAA']);
    // of no bytes at all
    expect(only(lock, '@s/b').integrity).toEqual(['sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=']);
  });

  test('without a package.json has everything, and cannot leave out what is for development', async () => {
    const lock = await read('bare/yarn.lock', { 'bare/yarn.lock': text });
    expect(ids(lock)).toHaveLength(5);
    expect(only(lock, 'native').optional).toBe(true);
    await expect(read('bare/yarn.lock', {}, withoutDev)).rejects.toThrow('there is none');
  });

  test('has the members of its workspaces start what they need', async () => {
    const lock = await read('many/yarn.lock', {
      'many/yarn.lock': text,
      'many/package.json': { workspaces: ['packages/*'], devDependencies: { tool: '^5.0.0' } },
      'many/packages/x/package.json': {
        dependencies: { a: '^1.0.0' },
        optionalDependencies: { other: 'npm:real@^4.0.0' },
      },
    });
    expect(ids(lock, withoutDev)).toEqual(['@s/b@2.0.1', 'a@1.0.0', 'native@3.0.0', 'real@4.0.0']);
    expect(only(lock, 'real')).toMatchObject({ optional: true, dev: false });
  });
});

describe('yarn.lock of later yarns', () => {
  const text = `__metadata:
  version: 8
  cacheKey: 10c0

"@s/b@npm:^2.0.0":
  version: 2.0.0
  resolution: "@s/b@npm:2.0.0"
  checksum: 10c0/0123
  languageName: node
  linkType: hard

"a@npm:^1.0.0, a@npm:~1.0.0":
  version: 1.0.0
  resolution: "a@npm:1.0.0"
  dependencies:
    "@s/b": "npm:^2.0.0"
    native: "npm:^3.0.0"
  dependenciesMeta:
    native:
      optional: true
  languageName: node
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  dependencies:
    a: "npm:^1.0.0"
    other: "npm:real@^4.0.0"
    tool: "npm:^5.0.0"
  languageName: unknown
  linkType: soft

"native@npm:^3.0.0":
  version: 3.0.0
  resolution: "native@npm:3.0.0"
  conditions: (os=linux | os=!darwin) & cpu=x64 & libc=glibc
  languageName: node
  linkType: hard

"other@npm:real@^4.0.0":
  version: 4.0.0
  resolution: "real@npm:4.0.0::__archiveUrl=https%3A%2F%2Fpackages.example%2Freal.tgz"
  languageName: node
  linkType: hard

"tool@npm:^5.0.0":
  version: 5.0.0
  resolution: "tool@npm:5.0.0::__archiveUrl=https%3A%2F%2Fpackages.example%2Ftool.tgz"
  conditions: os=darwin & !cpu=arm64
  languageName: node
  linkType: hard

"tool@patch:tool@npm%3A^5.0.0#optional!builtin<compat/tool>":
  version: 5.0.0
  resolution: "tool@patch:tool@npm%3A5.0.0#optional!builtin<compat/tool>::version=5.0.0&hash=1"
  languageName: node
  linkType: hard
`;

  test('name versions by their resolutions, and where they run by their conditions', async () => {
    const lock = await read('berry/yarn.lock', { 'berry/yarn.lock': text });
    expect(ids(lock)).toEqual(['@s/b@2.0.0', 'a@1.0.0', 'native@3.0.0', 'real@4.0.0', 'tool@5.0.0']);
    expect(lock).toMatchObject({ kind: 'berry', strangers: [] });
    expect(only(lock, 'tool').platforms).toEqual({ os: ['darwin'], cpu: ['!arm64'] });
    // what we cannot read is left to the packument
    expect(only(lock, 'native').platforms).toBeUndefined();
    expect(only(lock, 'a').integrity).toEqual([]);
    expect(ids(lock, withoutOptional)).not.toContain('native@3.0.0');
  });

  test('have what yarn patches go everywhere: it downloads that on machines that do not need it', async () => {
    const lock = await read('berry/yarn.lock', { 'berry/yarn.lock': text });
    // and what has no conditions, anyhow
    expect(lock.packages.filter(({ everywhere }) => everywhere).map(idOf)).toEqual([
      ...['@s/b@2.0.0', 'a@1.0.0', 'real@4.0.0', 'tool@5.0.0'],
    ]);
  });

  test('tell with the package.json beside them what is for development', async () => {
    const project = { name: 'app', devDependencies: { tool: '^5.0.0' }, dependencies: { a: '^1.0.0' } };
    const lock = await read('berry2/yarn.lock', { 'berry2/yarn.lock': text, 'berry2/package.json': project });
    expect(ids(lock, withoutDev)).toEqual(['@s/b@2.0.0', 'a@1.0.0', 'native@3.0.0', 'real@4.0.0']);
  });

  test('name what comes from elsewhere', async () => {
    const strange = `__metadata:
  version: 6

"one@https://code.example/one.git#commit=9":
  version: 1.0.0
  resolution: "one@https://code.example/one.git#commit=9"

"two@file:./two.tgz::locator=app%40workspace%3A.":
  version: 1.0.0
  resolution: "two@file:./two.tgz#./two.tgz::hash=1&locator=app%40workspace%3A."

"three@link:./three::locator=app%40workspace%3A.":
  version: 0.0.0-use.local
  resolution: "three@link:./three::locator=app%40workspace%3A."
`;
    const lock = await read('berry3/yarn.lock', { 'berry3/yarn.lock': strange });
    expect(lock.packages).toEqual([]);
    expect(lock.strangers.map((text) => text.slice(0, text.indexOf('(')))).toEqual([
      'one comes from git ',
      'two comes from a file ',
    ]);
  });
});

describe('bun.lock', () => {
  const text = `{
  "lockfileVersion": 1,
  "workspaces": {
    "": { "name": "app", "dependencies": { "a": "^1", "other": "npm:real@4", }, "devDependencies": { "tool": "^5", }, },
    "packages/member": { "name": "member", "dependencies": { "@s/b": "^1", "app": "workspace:*", }, },
  },
  "packages": {
    "@s/b": ["@s/b@2.0.0", "", {}, "sha512-BBBB"],

    "a": ["a@1.0.0", "", { "dependencies": { "@s/b": "^2", }, "optionalDependencies": { "native": "3.0.0", }, }, "sha512-AAAA"],

    "member": ["member@workspace:packages/member"],

    "native": ["native@3.0.0", "", { "os": "linux", "cpu": ["x64", "arm64"], "libc": "glibc", }, "sha512-CCCC"],

    "other": ["real@4.0.0", "${R}/real/-/real-4.0.0.tgz", {}, "sha512-DDDD"],

    "tool": ["tool@5.0.0", "", { "dependencies": { "deep": "^1", "inside": "1.0.0", }, }, "sha512-EEEE"],

    "deep": ["deep@1.0.0", "", {}, "sha512-FFFF"],

    "member/@s/b": ["@s/b@1.0.0", "", { "dependencies": { "deep": "^2", }, }, "sha512-GGGG"],

    "tool/inside": ["inside@1.0.0", "", { "bundled": true, }, "sha512-HHHH"],

    "member/@s/b/deep": ["deep@2.0.0", "", {}, "sha512-IIII"],
  },
}
`;

  test('names versions by their ids, and tells what they are there for by the ways through its tree', async () => {
    const lock = await read('bun.lock', { 'bun.lock': text });
    const all = [
      '@s/b@1.0.0',
      '@s/b@2.0.0',
      'a@1.0.0',
      'deep@1.0.0',
      'deep@2.0.0',
      'native@3.0.0',
      'real@4.0.0',
      'tool@5.0.0',
    ];
    expect(ids(lock)).toEqual(all);
    expect(ids(lock, withoutDev)).toEqual(all.filter((id) => id !== 'tool@5.0.0' && id !== 'deep@1.0.0'));
    expect(ids(lock, withoutOptional)).toEqual(all.filter((id) => id !== 'native@3.0.0'));
    expect(only(lock, 'native')).toMatchObject({
      platforms: { os: ['linux'], cpu: ['x64', 'arm64'], libc: ['glibc'] },
      integrity: ['sha512-CCCC'],
    });
    expect(lock).toMatchObject({ kind: 'bun', strangers: [] });
  });

  test('names what comes from elsewhere', async () => {
    const packages = {
      one: ['one@github:owner/one#0123abc', { dependencies: {} }, 'owner-one-0123abc', 'sha512-AAAA'],
      two: ['two@https://files.example/two.tgz', {}, 'sha512-AAAA'],
      three: ['three@file:three.tgz', {}, 'sha512-AAAA'],
      four: ['four@file:four', {}],
    };
    const lock = await read('bun.lock', { 'bun.lock': { lockfileVersion: 1, workspaces: {}, packages } });
    expect(lock.packages).toEqual([]);
    expect(lock.strangers).toEqual([
      'one comes from git (github:owner/one#0123abc)',
      'two comes from an address of its own (https://files.example/two.tgz)',
      'three comes from a file (file:three.tgz)',
    ]);
  });

  test.each([
    ['that is cut off', '{ "lockfileVersion": 1, "packages": {', 'it is no lock of bun'],
    ['of a strange form', '{ "lockfileVersion": 1, "packages": { "a": "1" } }', 'packages.a'],
  ])('%s is refused in words', async (_, body, words) => {
    await expect(read('bun.lock', { 'bun.lock': body })).rejects.toThrow(words);
  });
});

test('a file that is no lock of a kind we read is refused in words', async () => {
  await expect(read('bun.lockb', { 'bun.lockb': '' })).rejects.toThrow('bun install --save-text-lockfile');
  await expect(read('deno.txt', {})).rejects.toThrow('a lock is package-lock.json');
  await expect(read('absent.json', {})).rejects.toThrow('absent.json: it cannot be read (ENOENT)');
});
