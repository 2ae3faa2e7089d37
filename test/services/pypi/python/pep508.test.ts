import { describe, expect, test } from 'vitest';
import { evaluateMarker, parseMarker } from '../../../../services/pypi/python/markers.ts';
import { applies, formatRequirement, parseRequirement } from '../../../../services/pypi/python/requirement.ts';
import { vectors } from './vectors.ts';

const environments = vectors.environments.map(({ extra, ...values }) => ({ values, extras: extra ? [extra] : [] }));
/** packaging throws at what means nothing; for us it does not hold. */
const answers = (bits: string) => [...bits].map((bit) => bit === '1');

describe('markers', () => {
  test('that packaging refuses are refused, the others taken', () => {
    const ours = vectors.markers.filter(([text]) => parseMarker(text) !== undefined).map(([text]) => text);
    expect(ours).toEqual(vectors.markers.filter(([, , bits]) => bits !== undefined).map(([text]) => text));
  });

  test.each(vectors.markers.filter(([, context]) => context === 'metadata'))(
    '%s holds in the environments it should',
    (text, _context, bits) => {
      const marker = parseMarker(text)!;
      expect(environments.map((environment) => evaluateMarker(marker, environment))).toEqual(answers(bits!));
    },
  );

  test.each(vectors.markers.filter(([, context]) => context === 'lock'))(
    '%s holds for the extras and groups it should',
    (text, _context, bits) => {
      const marker = parseMarker(text)!;
      const { values } = environments[3]!;
      const ours = vectors.sets.map((set) =>
        evaluateMarker(marker, { values, extras: set.extras, groups: set.dependency_groups }),
      );
      expect(ours).toEqual(answers(bits!));
    },
  );

  test('ask for several extras at once', () => {
    const wanted = { values: {}, extras: ['cpu', 'Dev_Tools'] };
    expect(evaluateMarker(parseMarker('extra == "dev-tools"')!, wanted)).toBe(true);
    expect(evaluateMarker(parseMarker('extra == "cpu" and extra == "dev.tools"')!, wanted)).toBe(true);
    expect(evaluateMarker(parseMarker('extra != "cpu"')!, wanted)).toBe(false);
    expect(evaluateMarker(parseMarker('extra == "gpu"')!, wanted)).toBe(false);
  });
});

describe('requirements', () => {
  test('that packaging refuses are refused, the others taken', () => {
    const ours = vectors.requirements.filter(([text]) => parseRequirement(text) !== undefined).map(([text]) => text);
    expect(ours).toEqual(vectors.requirements.filter(([, name]) => name !== undefined).map(([text]) => text));
  });

  test.each(vectors.requirements.filter(([, name]) => name !== undefined))(
    '%s has the parts it should',
    (text, name, extras, clauses, url, bits) => {
      const ours = parseRequirement(text)!;
      const normal = (raw: string) => raw.replace(/[-_.]+/g, '-').toLowerCase();
      expect(ours.name).toBe(normal(name!));
      expect([...ours.extras].sort()).toEqual(extras!.map(normal).sort());
      const parts = ours.specifiers.clauses.map((clause) => clause.operator + clause.text);
      expect(parts.sort()).toEqual(clauses);
      expect(ours.url ?? null).toBe(url);
      const holds = environments.map((environment) => applies(ours, environment));
      expect(holds).toEqual(bits === null ? environments.map(() => true) : answers(bits!));
    },
  );

  test('are told as a person would write them', () => {
    expect(formatRequirement(parseRequirement('Requests[Socks] (<4,>=2.5) ; os_name == "nt"')!)).toBe(
      'requests[socks]<4,>=2.5',
    );
  });
});
