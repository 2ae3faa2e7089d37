import { describe, expect, test } from 'vitest';
import { configSchema } from '../../../services/npm/config.ts';
import { Policy } from '../../../services/npm/policy.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const policy = (config: object) => new Policy(configSchema.parse(config), () => NOW);
const refused = (config: object, name: string) => () => policy(config).check(name);
const FORBIDDEN = expect.objectContaining({ kind: 'forbidden' });

describe('which packages', () => {
  test('all, unless some are named', () => {
    expect(refused({}, '@any/thing')).not.toThrow();
    expect(refused({ allow: ['@acme/*', 'react'] }, '@acme/ui')).not.toThrow();
    expect(refused({ allow: ['@acme/*', 'react'] }, 'react-dom')).toThrowError(FORBIDDEN);
    expect(refused({ deny: ['*-cli'] }, 'vue-cli')).toThrowError(FORBIDDEN);
  });

  test('a private name is allowed without being named', () => {
    expect(refused({ allow: ['react'], private: ['@site/*'] }, '@site/ui')).not.toThrow();
    expect(policy({ private: ['@site/*'] }).isPrivate('@site/ui')).toBe(true);
    expect(policy({ private: ['@site/*'] }).isPrivate('@sites/ui')).toBe(false);
  });

  test('a pattern is no expression: a dot is a dot', () => {
    expect(refused({ deny: ['a.b'] }, 'axb')).not.toThrow();
    expect(refused({ deny: ['a.b'] }, 'a.b')).toThrowError(FORBIDDEN);
  });

  test('an origin is asked for what it is for', () => {
    const origin = configSchema.parse({
      origins: [{ name: 'one', url: 'http://one.example/', allow: ['@acme/*'], deny: ['@acme/secret'] }],
    }).origins[0]!;
    const asks = (name: string) => policy({}).asks(origin, name);
    expect([asks('@acme/ui'), asks('@acme/secret'), asks('react')]).toEqual([true, false, false]);
  });
});

describe('which versions', () => {
  test.each([
    [['event-stream@3.3.6'], 'event-stream', '3.3.6', true],
    [['event-stream@3.3.6'], 'event-stream', '3.3.7', false],
    [['lodash@<4.17.21'], 'lodash', '4.17.20', true],
    [['lodash@<4.17.21'], 'lodash', '4.17.21', false],
    [['lodash@<4.17.21'], 'lodash', '4.17.21-rc.1', true],
    [['@evil/x@1 || 2'], '@evil/x', '2.5.0', true],
    [['@evil/*@^1.0.0'], '@evil/y', '1.2.3', true],
    [['@evil/*@^1.0.0'], '@good/y', '1.2.3', false],
  ])('with block %j, %s@%s is blocked: %s', (block, name, version, blocked) => {
    const check = () => policy({ block }).checkVersion(name, version);
    if (blocked) expect(check).toThrowError(FORBIDDEN);
    else expect(check).not.toThrow();
  });

  test('a block without a range is of all versions, and so of the package', () => {
    expect(refused({ block: ['@evil/*'] }, '@evil/x')).toThrowError(FORBIDDEN);
    expect(refused({ block: ['left-pad'] }, 'left-pad')).toThrowError(FORBIDDEN);
  });

  test('a block that names no range stops the start', () => {
    expect(() => policy({ block: ['lodash@newest'] })).toThrowError(/npm\.block: "newest"/);
  });

  test('a cooldown looks back from now in steps, and a date is a date', () => {
    expect(policy({ excludeNewer: '7d' }).newest('a')).toBe(NOW - 7 * 86_400_000);
    expect(policy({ excludeNewer: '36h' }).newest('a')).toBe(NOW - 36 * 3_600_000);
    expect(policy({ excludeNewer: '2026-11-01' }).newest('a')).toBe(Date.parse('2026-11-01'));
    expect(policy({ excludeNewer: '7d', excludeNewerExempt: ['@site/*'] }).newest('@site/a')).toBeUndefined();
    expect(policy({}).newest('a')).toBeUndefined();
  });
});
