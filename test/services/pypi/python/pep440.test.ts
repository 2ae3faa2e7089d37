import { describe, expect, test } from 'vitest';
import {
  compareVersions,
  formatVersion,
  isPrerelease,
  normalizeVersion,
  parseVersion,
} from '../../../../services/pypi/python/pep440.ts';
import { filterVersions, parseSpecifiers, satisfies } from '../../../../services/pypi/python/specifiers.ts';
import { vectors } from './vectors.ts';

const valid = vectors.versions.filter(([, normal]) => normal !== undefined).map(([text]) => text);

describe('versions', () => {
  test('are read and written as packaging does', () => {
    const ours = vectors.versions.map(([text]) => {
      const version = parseVersion(text);
      return version ? [text, formatVersion(version), Number(isPrerelease(version))] : [text];
    });
    expect(ours).toEqual(vectors.versions);
  });

  test('stand in the order of packaging, each pair of them', () => {
    const wrong: string[] = [];
    for (const [i, group] of vectors.order.entries()) {
      for (const [j, other] of vectors.order.entries()) {
        for (const one of group) {
          for (const two of other) {
            const order = Math.sign(compareVersions(parseVersion(one)!, parseVersion(two)!));
            if (order !== Math.sign(i - j)) wrong.push(`${one} and ${two}: ${order}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('that are none are left as they are', () => {
    expect(normalizeVersion('1.0-ALPHA.1')).toBe('1.0a1');
    expect(normalizeVersion('latest')).toBe('latest');
  });

  test('with numbers beyond 2^53 keep their digits and their order', () => {
    const [one, two] = ['1.0.dev20261123101500123456', '1.0.dev20261123101500123457'].map(
      (text) => parseVersion(text)!,
    );
    expect(formatVersion(one!)).toBe('1.0.dev20261123101500123456');
    expect(compareVersions(one!, two!)).toBeLessThan(0);
  });
});

describe('specifiers', () => {
  test('that packaging refuses are refused, the others taken', () => {
    const ours = vectors.specifiers.filter(([text]) => parseSpecifiers(text) !== undefined).map(([text]) => text);
    expect(ours).toEqual(vectors.specifiers.filter(([, bits]) => bits !== undefined).map(([text]) => text));
  });

  test.each(vectors.specifiers.filter(([, bits]) => bits !== undefined))(
    '"%s" holds for the versions it should',
    (text, inside) => {
      const set = parseSpecifiers(text)!;
      const ours = valid.filter((version) => satisfies(version, set, { prereleases: true }));
      expect(ours).toEqual(valid.filter((_, index) => inside![index] === '1'));
    },
  );

  test.each(vectors.specifiers.filter(([, bits]) => bits !== undefined))(
    '"%s" lets pre-releases through as it should',
    (text, _inside, chosen) => {
      expect(filterVersions(valid, parseSpecifiers(text)!)).toEqual(valid.filter((_, index) => chosen![index] === '1'));
    },
  );

  test('take pre-releases when there is nothing else', () => {
    expect(filterVersions(['1.0', '2.0a1', '2.0rc1'], parseSpecifiers('>=2.0a0')!)).toEqual(['2.0a1', '2.0rc1']);
    expect(filterVersions(['1.0', '2.0a1', '2.0rc1'], parseSpecifiers('>1.0')!)).toEqual(['2.0a1', '2.0rc1']);
    expect(filterVersions(['1.0', '2.0a1'], parseSpecifiers('')!)).toEqual(['1.0']);
  });
});
