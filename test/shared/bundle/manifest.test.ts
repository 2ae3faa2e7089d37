import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseManifest, writeManifest } from '../../../shared/bundle/manifest.ts';

const types = new Map<string, z.ZodType>([
  ['note', z.strictObject({ note: z.string() })],
  ['hf', z.object({ hf: z.string(), revision: z.string().default('main') })],
]);
const read = (text: string) => parseManifest(text, types, 'bundle.yaml');
const HEAD = 'format: larder-manifest/1\nname: acme-llm\n';

describe('a manifest', () => {
  test('gives each item its type, with the options beside it', () => {
    const manifest = read(
      `${HEAD}defaults: { platforms: { note: [x] } }\nitems:\n  - note: a\n  - { hf: org/name, revision: v2 }\n`,
    );
    expect(manifest.items.map(({ type, value }) => [type, value])).toEqual([
      ['note', { note: 'a' }],
      ['hf', { hf: 'org/name', revision: 'v2' }],
    ]);
    expect(manifest.defaults).toEqual({ note: ['x'] });
  });

  const wrong: [string, string, string][] = [
    ['another format', 'format: larder-manifest/2\nname: a\nitems: [{ note: a }]\n', 'line 1: format'],
    ['no items', `${HEAD}items: []\n`, 'items'],
    ['a name that cannot be a folder', 'format: larder-manifest/1\nname: ../x\nitems: [{ note: a }]\n', 'line 2: name'],
    ['an unknown key', `${HEAD}itmes: []\nitems: [{ note: a }]\n`, 'itmes'],
    [
      'an unknown type',
      `${HEAD}items:\n  - note: a\n  - wheel: b\n`,
      'items[1] (line 5): none of wheel is a known type; known: note, hf',
    ],
    ['a wrong option', `${HEAD}items:\n  - note: 5\n`, 'items[0] (line 4): note'],
    ['YAML that is none', 'format: [', 'bundle.yaml'],
    ['a key twice', `${HEAD}name: b\nitems: [{ note: a }]\n`, 'unique'],
  ];

  test.each(wrong)('with %s is refused by name and line', (_name, text, words) => {
    expect(() => read(text)).toThrow(words);
  });

  test('lists all its problems at once', () => {
    expect(() => read(`${HEAD}items:\n  - x: 1\n  - y: 2\n`)).toThrow(/items\[0\][\s\S]*items\[1\]/);
  });

  test('that was written from wants is read again', () => {
    expect(read(writeManifest('wanted', [{ note: 'a' }, { hf: 'x/y' }], 'asked for and not held')).items).toHaveLength(
      2,
    );
  });
});
