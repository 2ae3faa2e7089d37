import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResolvedItem } from '../../../shared/bundle/create-options.ts';
import { type NpmWorkbench, npmWorkbench } from '../../support/npm-bundles.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import type { BuiltPackage } from '../../support/npm-packages.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let server: OriginServer;
let origin: NpmOrigin;
let bench: NpmWorkbench;
const built: Record<string, BuiltPackage> = {};

beforeAll(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  for (const version of ['1.0.0', '1.1.0', '2.0.0'])
    built[`leaf@${version}`] = origin.publish({ name: 'leaf', version });
  origin.publish({
    name: '@s/tree',
    version: '1.0.0',
    manifest: { dependencies: { leaf: '^1' } },
    dist: { attestations: { url: 'there' } },
  });
  const optionalDependencies = { 'native-glibc': '1.0.0', 'native-musl': '1.0.0', 'native-mac': '1.0.0' };
  origin.publish({
    name: 'native',
    version: '1.0.0',
    manifest: { optionalDependencies, scripts: { install: 'node build' } },
  });
  const linux = { os: ['linux'], cpu: ['x64'] };
  origin.publish({ name: 'native-glibc', version: '1.0.0', manifest: { ...linux, libc: ['glibc'] } });
  origin.publish({ name: 'native-musl', version: '1.0.0', manifest: { ...linux, libc: ['musl'] } });
  origin.publish({ name: 'native-mac', version: '1.0.0', manifest: { os: ['darwin'] } });
  built.old = origin.publish({ name: 'old', version: '0.1.0', promises: 'shasum' });
  origin.publish({ name: 'too-young', version: '1.0.0', time: '2026-11-22T00:00:00Z' });
  origin.publish({ name: 'unwanted', version: '1.0.0' });
  bench = await npmWorkbench({
    origins: [{ name: 'main', url: origin.url }],
    block: ['unwanted@1.0.0'],
    excludeNewer: '7d',
  });
});

afterAll(async () => {
  await bench?.close();
  await server?.close();
});

const ids = (items: ResolvedItem[]) => items.map(({ id }) => id);
const detailsOf = (items: ResolvedItem[], id: string) => items.find((item) => item.id === id)!.details;

/** A lock of npm with these in its tree. */
function lockOf(packages: Record<string, object>, root: object = {}) {
  const places = Object.entries(packages).map(([name, entry]) => [`node_modules/${name}`, entry]);
  return { lockfileVersion: 3, packages: { '': root, ...Object.fromEntries(places) } };
}

const native = {
  native: { version: '1.0.0' },
  'native-glibc': { version: '1.0.0', optional: true, os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  // older locks do not know of libc
  'native-musl': { version: '1.0.0', optional: true, os: ['linux'], cpu: ['x64'] },
  'native-mac': { version: '1.0.0', optional: true, os: ['darwin'] },
};

describe('an item of a lock', () => {
  test('is one item per version, with its tarball, what it is for, and what the lock promises of it', async () => {
    const { integrity } = built['leaf@1.0.0']!;
    const lock = lockOf({
      leaf: { version: '1.0.0', integrity },
      '@s/tree': { version: '1.0.0' },
      old: { version: '0.1.0' },
    });
    await bench.write({ 'package-lock.json': lock });
    const { items, failed } = await bench.gather({
      lockfile: 'package-lock.json',
      targets: ['linux/x64', 'darwin/arm64'],
    });
    expect(failed).toEqual([]);
    expect(ids(items)).toEqual(['npm:@s/tree@1.0.0', 'npm:leaf@1.0.0', 'npm:old@0.1.0']);
    expect(items[1]).toMatchObject({
      type: 'npm-package',
      service: 'npm',
      details: {
        ...{ package: 'leaf', version: '1.0.0', integrity, why: 'package-lock.json' },
        for: ['linux/x64/glibc', 'darwin/arm64'],
      },
    });
    expect(items[1]!.entries.map(({ key }) => key)).toEqual(['tarball/main/leaf/1.0.0']);
    expect(items[1]!.refs).toEqual([]);
    expect(detailsOf(items, 'npm:old@0.1.0').integrity).toBe(built.old!.shasum);
  });

  test('has what any of its targets can install, as the lock says it, and as the packument says it where the lock does not', async () => {
    await bench.write({ 'native.json': lockOf(native) });
    const of = async (...targets: string[]) => {
      const { items } = await bench.gather({ lockfile: 'native.json', targets });
      return ids(items).filter((id) => id.startsWith('npm:native-'));
    };
    expect(await of('linux/x64/glibc')).toEqual(['npm:native-glibc@1.0.0', 'npm:native-musl@1.0.0']);
    expect(await of('darwin/arm64')).toEqual(['npm:native-mac@1.0.0']);
    expect(await of('linux/arm64/musl', 'win32/x64')).toEqual([]);
    expect(bench.notes.at(-2)).toBe(
      'native.json: 1 packages for linux/arm64/musl, win32/x64; 3 that none of these can install are left out',
    );
    expect(bench.notes.at(-1)).toContain('run scripts when they are installed');
    expect(bench.notes.at(-1)).toContain('native@1.0.0');
  });

  test('takes the targets of the defaults where it has none of its own, and what most run where there are none', async () => {
    await bench.write({ 'native.json': lockOf(native) });
    const of = async (defaults?: unknown) => ids((await bench.gather({ lockfile: 'native.json' }, defaults)).items);
    expect(await of('darwin-x64')).toContain('npm:native-mac@1.0.0');
    expect(await of()).toContain('npm:native-glibc@1.0.0');
    await expect(of(['windows/x64'])).rejects.toThrow(
      'defaults.platforms.npm.0.os: "windows" is no os; npm writes "win32"',
    );
  });

  test('without what is for development, or optional, where it says so', async () => {
    const lock = lockOf({
      ...native,
      leaf: { version: '2.0.0', dev: true },
      old: { version: '0.1.0', devOptional: true },
    });
    await bench.write({ 'parts.json': lock });
    const of = async (options: object) => ids((await bench.gather({ lockfile: 'parts.json', ...options })).items);
    expect(await of({ dev: false })).not.toContain('npm:leaf@2.0.0');
    expect(await of({ optional: false })).toEqual(['npm:leaf@2.0.0', 'npm:native@1.0.0', 'npm:old@0.1.0']);
    expect(await of({ optional: false, dev: false })).toEqual(['npm:native@1.0.0']);
  });

  test('brings attestations, advisories and signing keys where its origin has them, once', async () => {
    server.set('/-/npm/v1/attestations/@s%2ftree@1.0.0', { body: '{"attestations":[]}', type: 'application/json' });
    server.set('/-/npm/v1/security/advisories/bulk', { body: '{}', type: 'application/json' });
    server.set('/-/npm/v1/keys', { body: '{"keys":[]}', type: 'application/json' });
    await bench.write({ 'tree.json': lockOf({ '@s/tree': { version: '1.0.0' }, leaf: { version: '1.0.0' } }) });
    const { items, failed } = await bench.gather({ lockfile: 'tree.json' });
    expect(failed).toEqual([]);
    expect(items.flatMap(({ refs }) => refs.map(({ key }) => key)).sort()).toEqual([
      ...['advisories/main/@s/tree', 'advisories/main/leaf', 'attestations/main/@s/tree@1.0.0', 'keys/main'],
    ]);
  });

  test('that is held goes along though its origin is out', async () => {
    origin.publish({ name: 'kept', version: '1.0.0' });
    await bench.write({ 'kept.json': lockOf({ kept: { version: '1.0.0' } }) });
    await bench.gather({ lockfile: 'kept.json' });
    server.fail({ path: origin.packumentPath('kept'), status: 500, times: 100 });
    server.remove(origin.tarballPath('kept', '1.0.0'));
    expect(await bench.gather({ lockfile: 'kept.json' })).toMatchObject({
      items: [{ id: 'npm:kept@1.0.0' }],
      failed: [],
    });
  });

  test('is asked for once per package, not once per place and not one after another', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => {
        const name = `many-${index}`;
        origin.publish({ name, version: '1.0.0' });
        return [name, { version: '1.0.0' }];
      }),
    );
    await bench.write({ 'many.json': lockOf(many) });
    const { items } = await bench.gather({ lockfile: 'many.json' });
    expect(items).toHaveLength(60);
    expect(server.count(origin.packumentPath('many-7'))).toBe(1);
    expect(server.count(origin.tarballPath('many-7', '1.0.0'))).toBe(1);
  });
});

describe('a lock that cannot be carried', () => {
  const refusal = async (lock: object, name = 'refused.json') => {
    await bench.write({ [name]: lock });
    return bench.gather({ lockfile: name }).then(
      () => 'taken',
      (error: Error & { kind?: string }) => `${error.kind}: ${error.message}`,
    );
  };

  test('names at once what comes from elsewhere, what nobody has, what is blocked and what is too young', async () => {
    const said = await refusal(
      lockOf({
        one: { version: '1.0.0', resolved: 'git+ssh://git@code.example/one.git#1' },
        two: { version: '1.0.0', resolved: 'file:two.tgz' },
        leaf: { version: '9.0.0' },
        nobody: { version: '1.0.0' },
        unwanted: { version: '1.0.0' },
        'too-young': { version: '1.0.0' },
      }),
    );
    expect(said).toContain('conflict: some packages cannot be had');
    expect(said).toContain('refused.json: one comes from git (git+ssh://code.example/one.git#1)');
    expect(said).toContain('refused.json: two comes from a file (file:two.tgz)');
    for (const id of ['leaf@9.0.0', 'nobody@1.0.0', 'unwanted@1.0.0', 'too-young@1.0.0'])
      expect(said).toContain(`${id} of refused.json: `);
  });

  test('says when the registry promises other bytes than it does', async () => {
    const said = await refusal(lockOf({ leaf: { version: '1.0.0', integrity: built['leaf@1.1.0']!.integrity } }));
    expect(said).toContain(
      `leaf@1.0.0: refused.json promises ${built['leaf@1.1.0']!.integrity}, and the registry "main" says`,
    );
    expect(said).toContain(built['leaf@1.0.0']!.integrity);
  });

  test('does not take bytes that it does not promise, where the registry promises less', async () => {
    origin.publish({ name: 'weak', version: '1.0.0', promises: 'shasum' });
    await bench.write({
      'weak.json': lockOf({ weak: { version: '1.0.0', integrity: built['leaf@1.0.0']!.integrity } }),
    });
    const { items, failed } = await bench.gather({ lockfile: 'weak.json' });
    expect(items).toEqual([]);
    expect(failed).toMatchObject([{ item: 'npm:weak@1.0.0', message: expect.stringContaining('was promised') }]);
  });
});

describe('an item of names', { timeout: 120_000 }, () => {
  test('is what npm chooses, with what it needs on every target, and within the policy of the site', async () => {
    origin.publish({ name: 'leaf', version: '1.2.0', time: '2026-11-22T00:00:00Z', tags: [] });
    const { items } = await bench.gather({
      packages: ['@s/tree@^1', 'native'],
      targets: ['linux/x64/musl', 'darwin/arm64'],
    });
    expect(ids(items)).toEqual([
      ...['npm:@s/tree@1.0.0', 'npm:leaf@1.1.0', 'npm:native@1.0.0', 'npm:native-mac@1.0.0', 'npm:native-musl@1.0.0'],
    ]);
    expect(detailsOf(items, 'npm:native-mac@1.0.0')).toMatchObject({ for: ['darwin/arm64'], why: 'manifest' });
  });

  test('may be one name, as a want of a site is', async () => {
    expect(ids((await bench.gather('leaf@1.0.0')).items)).toEqual(['npm:leaf@1.0.0']);
    expect(ids((await bench.gather(['leaf@1.0.0', 'leaf@^2'])).items)).toEqual(['npm:leaf@1.0.0', 'npm:leaf@2.0.0']);
  });

  test('is refused in the words of npm where there is no answer', async () => {
    await expect(bench.gather('nobody@1')).rejects.toThrow(/for nobody@1 npm says:\n.*404/);
  });

  test.each([
    ['git+ssh://git@code.example/a.git', 'cannot be had from a registry'],
    [{ targets: ['linux/x64'] }, 'say what'],
    [{ packages: 'leaf', target: 'linux/x64' }, 'target'],
    [{ packages: 'leaf', targets: ['linux/x68'] }, '"x68" is no cpu'],
  ])('written %j is refused with the line of the manifest', async (npm, words) => {
    await expect(bench.gather(npm)).rejects.toThrow(new RegExp(`items\\[0\\] \\(line 1\\).*${words}`));
  });
});
