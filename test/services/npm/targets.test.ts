import { describe, expect, test } from 'vitest';
import { platformsOf, runsOn, shownPlatforms, type Target, targetSchema } from '../../../services/npm/targets.ts';

const target = (value: unknown): Target => targetSchema.parse(value);
const refusal = (value: unknown): string => targetSchema.safeParse(value).error!.issues[0]!.message;

describe('a target', () => {
  test.each([
    ['linux/x64/glibc', 'linux/x64/glibc'],
    ['linux-arm64-musl', 'linux/arm64/musl'],
    ['linux/x64', 'linux/x64/glibc'],
    ['all', 'all'],
    ['darwin/arm64', 'darwin/arm64'],
    ['win32-x64', 'win32/x64'],
    [{ os: 'linux', cpu: 's390x', libc: 'musl' }, 'linux/s390x/musl'],
    [{ os: 'win32', cpu: 'ia32' }, 'win32/ia32'],
  ])('written %j is %s', (value, name) => {
    expect(target(value).name).toBe(name);
  });

  test.each([
    ['windows/x64', 'npm writes "win32"'],
    ['macos/arm64', 'npm writes "darwin"'],
    ['linux/amd64', 'npm writes "x64"'],
    ['linux/aarch64', 'npm writes "arm64"'],
    ['linux/x64/gnu', 'npm writes "glibc"'],
    ['linux/x128', 'known: arm'],
    ['darwin/arm64/glibc', 'only linux'],
    ['linux', ''],
    ['linux/x64/glibc/2.28', ''],
  ])('written %s is refused in words', (value, words) => {
    expect(refusal(value)).toContain(words);
  });
});

describe('where a version runs', () => {
  const glibc = target('linux/x64/glibc');
  const musl = target('linux/arm64/musl');
  const mac = target('darwin/arm64');
  const windows = target('win32/x64');
  const of = (manifest: Record<string, unknown>) =>
    [glibc, musl, mac, windows].filter((one) => runsOn(platformsOf(manifest) ?? {}, one)).map(({ name }) => name);

  test.each<[Record<string, unknown>, string[]]>([
    [{}, ['linux/x64/glibc', 'linux/arm64/musl', 'darwin/arm64', 'win32/x64']],
    [{ os: ['linux'], cpu: ['x64'], libc: ['glibc'] }, ['linux/x64/glibc']],
    [{ os: 'linux', libc: 'musl' }, ['linux/arm64/musl']],
    [{ cpu: ['arm64', 'ia32'] }, ['linux/arm64/musl', 'darwin/arm64']],
    [{ os: ['!win32'] }, ['linux/x64/glibc', 'linux/arm64/musl', 'darwin/arm64']],
    [{ os: ['!win32', '!darwin'], cpu: ['!arm64'] }, ['linux/x64/glibc']],
    // one that is meant makes the others not meant, whatever else is said
    [{ os: ['!win32', 'darwin'] }, ['darwin/arm64']],
    [{ os: ['any'] }, ['linux/x64/glibc', 'linux/arm64/musl', 'darwin/arm64', 'win32/x64']],
    // who names a libc at all is for systems that have one to choose
    [{ libc: ['glibc'] }, ['linux/x64/glibc']],
    [{ libc: ['!musl'] }, ['linux/x64/glibc']],
    [{ os: [] }, ['linux/x64/glibc', 'linux/arm64/musl', 'darwin/arm64', 'win32/x64']],
  ])('%j is for %j', (manifest, names) => {
    expect(of(manifest)).toEqual(names);
  });

  test('is no question for all machines there are', () => {
    expect(runsOn({ os: ['sunos'], cpu: ['!x64'], libc: ['musl'] }, target('all'))).toBe(true);
  });

  test('is unknown of a manifest that says nothing, and shown in words of one that does', () => {
    expect(platformsOf({ engines: { node: '>=18' } })).toBeUndefined();
    expect(shownPlatforms(platformsOf({ os: 'linux', cpu: ['x64', 'arm64'] })!)).toBe('os: linux, cpu: x64 or arm64');
  });
});
