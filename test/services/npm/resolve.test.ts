import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReadLock } from '../../../services/npm/locks.ts';
import { resolveSpecs } from '../../../services/npm/resolve.ts';
import { parseSpec, projectsOf } from '../../../services/npm/specs.ts';
import { idOf } from '../../../services/npm/wishes.ts';
import { isKind } from '../../../shared/model/errors.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let server: OriginServer;
let origin: NpmOrigin;
let workDir: string;

beforeAll(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  workDir = await mkdtemp(join(tmpdir(), 'larder-resolve-'));
  for (const version of ['1.0.0', '1.2.0', '2.0.0']) origin.publish({ name: 'leaf', version });
  origin.tag('leaf', 'old', '1.0.0');
  origin.publish({ name: '@s/tree', version: '1.0.0', manifest: { dependencies: { leaf: '^1' } } });
  const builds = { 'build-linux': '1.0.0', 'build-mac': '1.0.0' };
  origin.publish({ name: 'native', version: '1.0.0', manifest: { optionalDependencies: builds } });
  origin.publish({ name: 'build-linux', version: '1.0.0', manifest: { os: ['linux'], cpu: ['x64'], libc: ['glibc'] } });
  origin.publish({ name: 'build-mac', version: '1.0.0', manifest: { os: ['darwin'] } });
  origin.publish({ name: 'only-elsewhere', version: '1.0.0', manifest: { os: ['aix'] } });
});

afterAll(async () => {
  await server?.close();
  await rm(workDir, { recursive: true, force: true });
});

async function resolve(specs: string[], program = 'npm', signal = AbortSignal.timeout(60_000)): Promise<ReadLock[]> {
  const site = { program, url: server.url, workDir, home: 'home', signal };
  return resolveSpecs(specs.map(parseSpec), site);
}

const ids = (locks: ReadLock[]) => locks.map(({ packages }) => packages.map(idOf));

describe('names with ranges', { timeout: 120_000 }, () => {
  test('come to what npm chooses for all platforms at once, with all that they need', async () => {
    const locks = await resolve(['@s/tree', 'native@1']);
    expect(ids(locks)).toEqual([
      ['@s/tree@1.0.0', 'build-linux@1.0.0', 'build-mac@1.0.0', 'leaf@1.2.0', 'native@1.0.0'],
    ]);
    const mac = locks[0]!.packages.find(({ name }) => name === 'build-mac');
    expect(mac).toMatchObject({
      optional: true,
      platforms: { os: ['darwin'] },
      integrity: [expect.stringMatching(/^sha512-/)],
    });
  });

  test('may be tags, aliases, and one name several times', async () => {
    expect(ids(await resolve(['leaf@old', 'leaf', 'other@npm:leaf@1.2.0', 'leaf@old']))).toEqual([
      ['leaf@1.0.0', 'leaf@1.2.0'],
      ['leaf@2.0.0'],
    ]);
  });

  test('may be for other machines than this one', async () => {
    expect(ids(await resolve(['only-elsewhere']))).toEqual([['only-elsewhere@1.0.0']]);
  });

  test('leave nothing behind but the cache', async () => {
    await resolve(['leaf']);
    expect(await readdir(workDir)).toEqual(['home']);
  });

  test.each([
    ['a name that nobody has', ['nobody-has-it'], 'for nobody-has-it@latest npm says'],
    ['a range that nothing fits', ['leaf@^9'], 'No matching version found for leaf@^9'],
  ])('without an answer are a conflict, in the words of npm: %s', async (_, specs, words) => {
    const error = await resolve(specs).catch((thrown) => thrown);
    expect(isKind(error, 'conflict')).toBe(true);
    expect(error.message).toContain(words);
    expect(error.message).not.toContain(workDir);
  });

  test('need npm, and say so where there is none', async () => {
    const error = await resolve(['leaf'], 'no-such-npm').catch((thrown) => thrown);
    expect(isKind(error, 'unavailable')).toBe(true);
    expect(error.message).toContain('"no-such-npm" does not run here (ENOENT). Put npm on the PATH');
  });

  test('end when the command ends', async () => {
    const stop = new AbortController();
    const running = resolve(['leaf'], 'npm', stop.signal);
    stop.abort(new Error('stopped'));
    await expect(running).rejects.toThrow('stopped');
  });
});

describe('a name', () => {
  test.each([
    ['react', 'react', 'latest'],
    ['@types/node@24', '@types/node', '24'],
    ['react@>=18 <20', 'react', '>=18 <20'],
    ['react@next', 'react', 'next'],
    ['old@npm:@s/react@^16', 'old', 'npm:@s/react@^16'],
    ['old@npm:react', 'old', 'npm:react@latest'],
  ])('%s is read', (text, name, range) => {
    expect(parseSpec(text)).toEqual({ name, range });
  });

  test.each([
    'git+ssh://git@code.example/a.git',
    'owner/repo',
    'a@file:../a',
    'a@https://x.example/a.tgz',
    '',
    '@s',
    'a@b c$',
  ])('%j is refused: no registry has it', (text) => {
    expect(() => parseSpec(text)).toThrow('cannot be had from a registry');
  });

  test('that stands there twice is for two projects, and the same twice for one', () => {
    const specs = ['a@1', 'b', 'a@2', 'a@1', 'b@3'].map(parseSpec);
    expect(projectsOf(specs).map((project) => project.map(({ name, range }) => `${name}@${range}`))).toEqual([
      ['a@1', 'b@latest'],
      ['a@2', 'b@3'],
    ]);
  });
});
