import { describe, expect, test } from 'vitest';
import { configSchema, originSchema } from '../../../services/pypi/config.ts';
import { Policy } from '../../../services/pypi/policy.ts';
import type { ProjectPage } from '../../../services/pypi/project-page.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const DAY = 86_400_000;
const policy = (config: object, now = NOW) => new Policy(configSchema.parse(config), () => now);

const uploaded = (...times: (string | undefined)[]): ProjectPage => ({
  name: 'foo',
  versions: times.map((_, index) => `${index}.0`),
  files: times.map((time, index) => ({
    filename: `foo-${index}.0.tar.gz`,
    url: '',
    hashes: {},
    yanked: false,
    'core-metadata': false,
    ...(time ? { 'upload-time': time } : {}),
  })),
});

describe('a project is', () => {
  const allowed = (config: object, project: string) => {
    try {
      policy(config).check(project);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ kind: 'forbidden' });
      return false;
    }
  };

  test.each([
    ['allowed where nothing is said', {}, 'foo', true],
    ['denied by name', { deny: ['foo'] }, 'foo', false],
    ['denied by a name that is not normalised', { deny: ['Foo_Bar'] }, 'foo-bar', false],
    ['denied by a pattern', { deny: ['evil*'] }, 'evil-thing', false],
    ['not denied by half of its name', { deny: ['evil'] }, 'evil-thing', true],
    ['allowed by a pattern', { allow: ['good-*'] }, 'good-thing', true],
    ['not allowed when others are', { allow: ['good-*'] }, 'foo', false],
    ['denied although allowed', { allow: ['*'], deny: ['foo'] }, 'foo', false],
    ['allowed when it is private', { allow: ['good'], private: ['acme-*'] }, 'acme-tool', true],
  ])('%s', (_what, config, project, expected) => {
    expect(allowed(config, project)).toBe(expected);
  });

  test.each([
    ['acme-*', 'acme-tools', true],
    ['Acme_*', 'acme-tools', true],
    ['acme.tools', 'acme-tools', true],
    ['*-internal', 'a-b-internal', true],
    ['acme-*', 'acme', false],
    ['a.c', 'abc', false],
    ['a+', 'aa', false],
  ])('private by %s: %s is %s', (pattern, project, expected) => {
    expect(policy({ private: [pattern] }).isPrivate(project)).toBe(expected);
  });

  test('asked for at the origins that are meant to have it', () => {
    const origin = (more: object) => originSchema.parse({ name: 'torch', url: 'http://index.example', ...more });
    const asks = (more: object, project: string) => policy({}).asks(origin(more), project);
    expect(asks({}, 'foo')).toBe(true);
    expect(asks({ allow: ['torch*', 'NVIDIA_*'] }, 'nvidia-cublas')).toBe(true);
    expect(asks({ allow: ['torch*'] }, 'foo')).toBe(false);
    expect(asks({ deny: ['foo'] }, 'foo')).toBe(false);
  });
});

describe('a cooldown', () => {
  const page = uploaded('2026-11-10T00:00:00Z', '2026-11-22T00:00:00Z', undefined);

  test.each([
    ['7d', ['foo-0.0.tar.gz']],
    ['36h', ['foo-0.0.tar.gz', 'foo-1.0.tar.gz']],
    ['2026-11-15', ['foo-0.0.tar.gz']],
    ['2026-11-22T00:00:00Z', ['foo-0.0.tar.gz', 'foo-1.0.tar.gz']],
    ['2020-01-01', []],
  ])('of %s leaves out what is younger, and what does not say', (excludeNewer, expected) => {
    const some = policy({ excludeNewer });
    const cooled = some.cooled(page, some.newest('foo'));
    expect(cooled.files.map((file) => file.filename)).toEqual(expected);
    // versions without a file would be chosen in vain
    expect(cooled.versions).toEqual(expected.map((name) => name.slice(4, 7)));
  });

  test('that is not set leaves the page as it is', () => {
    expect(policy({}).cooled(page, policy({}).newest('foo'))).toBe(page);
  });

  test('does not hold back what is exempt', () => {
    const some = policy({ excludeNewer: '7d', excludeNewerExempt: ['fo*'] });
    expect(some.newest('foo')).toBeUndefined();
    expect(some.newest('bar')).toBeDefined();
  });

  test('ends as time goes by, in steps that keep pages as they are', () => {
    const at = (now: number) => policy({ excludeNewer: '7d' }, now).newest('foo')!;
    expect(at(NOW)).toBe(at(NOW + 60_000));
    expect(at(NOW + DAY)).toBe(at(NOW) + DAY);
    expect(at(NOW)).toBeLessThanOrEqual(NOW - 7 * DAY);
  });
});

describe('settings', () => {
  test.each([
    ['a cooldown of no length', { excludeNewer: '7 days' }],
    ['a day that is none', { excludeNewer: '2026-13-45' }],
    ['two origins of one name', { origins: [1, 2].map(() => ({ name: 'a', url: 'http://index.example' })) }],
    ['an origin called private', { origins: [{ name: 'private', url: 'http://index.example' }] }],
    ['an origin that is a folder', { origins: [{ name: 'a', url: 'file:///srv' }] }],
    ['an origin of an unknown kind', { origins: [{ name: 'a', url: 'http://index.example', kind: 'maven' }] }],
    ['a key that is none', { excludeOlder: '7d' }],
  ])('refuse %s', (_what, config) => {
    expect(configSchema.safeParse(config).success).toBe(false);
  });

  test('need nothing', () => {
    expect(configSchema.parse({})).toMatchObject({
      origins: [],
      pageSeconds: 30,
      freshSeconds: 600,
      staleSeconds: 86_400,
    });
  });
});
