import { describe, expect, test } from 'vitest';
import { compatibleTags } from '../../../../services/pypi/python/tags.ts';
import { fitOf, makeTarget, targetSchema } from '../../../../services/pypi/python/target.ts';
import { parseWheelName } from '../../../../services/pypi/python/wheel-name.ts';
import { vectors } from './vectors.ts';

describe('names of wheels', () => {
  test.each(vectors.wheels)('%s is read as packaging reads it', (filename, project, version, build, tags) => {
    const ours = parseWheelName(filename);
    if (project === undefined) return expect(ours).toBeUndefined();
    expect(ours).toMatchObject({ project, version });
    expect(ours!.build ?? []).toEqual(build);
    expect([...ours!.tags].sort()).toEqual(tags);
  });
});

describe('targets', () => {
  test.each(vectors.targets)(
    'Python %s on %s takes the tags of packaging, in its order',
    (version, platform, platforms, pairs, anywhere) => {
      const ours = compatibleTags({
        minor: Number(/^3\.(\d+)/.exec(version)![1]),
        freeThreaded: version.endsWith('t'),
        platform,
      });
      expect(ours).toEqual([...pairs.flatMap((pair) => platforms.map((name) => `${pair}-${name}`)), ...anywhere]);
    },
  );

  test('have the environment that markers ask for', () => {
    const { environment, name, id } = makeTarget({ version: '3.12', platform: 'manylinux_2_28_aarch64' });
    expect(environment.values).toEqual({
      os_name: 'posix',
      sys_platform: 'linux',
      platform_system: 'Linux',
      platform_machine: 'aarch64',
      platform_python_implementation: 'CPython',
      platform_release: '',
      platform_version: '',
      implementation_name: 'cpython',
      implementation_version: '3.12.0',
      python_version: '3.12',
      python_full_version: '3.12.0',
    });
    expect([name, id]).toEqual(['cp312 aarch64', 'cp312-manylinux_2_28_aarch64']);
  });

  test.each([
    ['3.12.4', 'win_amd64', 'cp312 amd64 Windows', 'AMD64', 'win32', '3.12.4'],
    ['3.11', 'win32', 'cp311 win32 Windows', 'x86', 'win32', '3.11.0'],
    ['3.13t', 'macosx_14_0_arm64', 'cp313t arm64 Darwin', 'arm64', 'darwin', '3.13.0'],
    ['3.10', 'musllinux_1_2_x86_64', 'cp310 x86_64 musl', 'x86_64', 'linux', '3.10.0'],
  ])('Python %s on %s is called "%s"', (version, platform, name, machine, system, full) => {
    const target = makeTarget({ version, platform });
    expect(target.name).toBe(name);
    const { platform_machine, sys_platform, python_full_version } = target.environment.values;
    expect([platform_machine, sys_platform, python_full_version]).toEqual([machine, system, full]);
  });

  test('in a manifest: a version that YAML made a number of is taken, 3.10 without quotes is not', () => {
    const platform = 'manylinux2014_x86_64';
    expect(targetSchema.parse({ version: 3.12, platform })).toEqual({
      version: '3.12',
      platform: 'manylinux_2_17_x86_64',
    });
    const refused = targetSchema.safeParse({ version: 3.1, platform });
    expect(refused.error!.issues[0]!.message).toContain('in quotes');
    for (const wrong of ['2.7', '3', 'cp312', '3.12.x'])
      expect(targetSchema.safeParse({ version: wrong, platform }).success).toBe(false);
    for (const wrong of ['linux_x86_64', 'any', 'manylinux_2_28', 'manylinux_2_28_sparc', 'windows'])
      expect(targetSchema.safeParse({ version: '3.12', platform: wrong }).success).toBe(false);
  });

  test('take the wheel that fits them best', () => {
    const target = makeTarget({ version: '3.12', platform: 'manylinux_2_28_x86_64' });
    const best = (names: string[]) =>
      names
        .filter((name) => fitOf(name, target) !== undefined)
        .sort((one, other) => fitOf(one, target)! - fitOf(other, target)!);
    const own = 'a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';
    const stable = 'a-1-cp37-abi3-manylinux_2_28_x86_64.whl';
    const pure = 'a-1-py2.py3-none-any.whl';
    const foreign = [
      'a-1-cp312-cp312-manylinux_2_34_x86_64.whl',
      'a-1-cp312-cp312t-manylinux_2_17_x86_64.whl',
      'a-1-cp313-abi3-manylinux_2_17_x86_64.whl',
      'a-1-cp312-cp312-win_amd64.whl',
    ];
    expect(best([pure, ...foreign, stable, own])).toEqual([own, stable, pure]);
  });
});
