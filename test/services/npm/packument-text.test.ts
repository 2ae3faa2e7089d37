import { describe, expect, test } from 'vitest';
import { JsonCursor } from '../../../services/npm/json-cursor.ts';
import { manifestOf, readPackument, tarballOf } from '../../../services/npm/packument-text.ts';

const bytesOf = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const version = (more: object = {}) => ({
  name: 'a',
  version: '1.0.0',
  dist: { tarball: 'http://files.example/a/-/a-1.0.0.tgz', ...more },
});

describe('JSON that is walked over', () => {
  test.each([
    '{}',
    '[]',
    ' {"a" : [1, -0.5e+10, true, null, "x\\"\\\\\\u00e9"] , "b":{}} \n',
    '"ü"',
    '0',
    '[[[]],{"":""}]',
    '{"a":"{[,:]}"}',
  ])('%s is passed over to its end', (text) => {
    const cursor = new JsonCursor(Buffer.from(text));
    cursor.skip();
    expect(() => cursor.end()).not.toThrow();
    expect(() => JSON.parse(text)).not.toThrow();
  });

  test.each([
    '{',
    '[1',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '[1,]',
    '[1 2]',
    '{a:1}',
    '"abc',
    '"abc\\"',
    '"a\nb"',
    'tru',
    '01',
    '1.',
    '{}{}',
    '',
    'nullx',
    `${'['.repeat(100_000)}`,
  ])('%s is none, for JSON.parse as well', (text) => {
    const walk = () => {
      const cursor = new JsonCursor(Buffer.from(text));
      cursor.skip();
      cursor.end();
    };
    expect(walk).toThrow(SyntaxError);
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
  });

  test('members are told with their names as they are meant', () => {
    const cursor = new JsonCursor(Buffer.from(' { "a\\u0062" : 1 , "ü" : {"x":[1,2]}, "":null } '));
    const found: Record<string, string> = {};
    expect(cursor.enter()).toBe(true);
    for (let key = cursor.key(); key !== undefined; key = cursor.key()) found[key] = cursor.value().toString();
    cursor.end();
    expect(found).toEqual({ ab: '1', ü: '{"x":[1,2]}', '': 'null' });
  });
});

describe('a packument as text', () => {
  test('keeps every version as it came, and knows where its tarball stands', async () => {
    const one = `{ "name":"a",\n "version":"1.0.0", "x":1.0, "dist": {"shasum":"s", "tarball" : "http:\\/\\/files.example/a.tgz" } }`;
    const text = await readPackument(
      bytesOf(`{"_id":"a","name":"a","versions":{"1.0.0":${one}},"dist-tags":{"latest":"1.0.0"},"time":{"1.0.0":"t"}}`),
      'a',
    );
    const found = text.versions.get('1.0.0')!;
    expect(found.text.toString()).toBe(one);
    expect(tarballOf(found)).toBe('http://files.example/a.tgz');
    expect(text.tags).toEqual({ latest: '1.0.0' });
    expect(text.times).toEqual({ '1.0.0': 't' });
    expect([...text.hosts]).toEqual(['files.example']);
    expect([...text.rest.keys()]).toEqual(['_id', 'name']);
    expect(manifestOf(found, 'a', '1.0.0')).toMatchObject({ name: 'a', version: '1.0.0', x: 1 });
  });

  test('of members of one name the last counts, as for every reader of JSON', async () => {
    const dist = '{"tarball":"http://one/a.tgz","tarball":"http://two/a.tgz"}';
    const text = await readPackument(bytesOf(`{"versions":{"1.0.0":{"dist":{},"dist":${dist}}}}`), 'a');
    expect(tarballOf(text.versions.get('1.0.0')!)).toBe('http://two/a.tgz');
  });

  test('leaves out what cannot be offered, and says so', async () => {
    const { tarball: _none, ...without } = version().dist;
    const versions = {
      '1.0.0': version(),
      '1.0.0beta': version(),
      '../x': version(),
      '2.0.0': { ...version(), dist: without },
      '3.0.0': version({ tarball: 'file:///etc/passwd' }),
      '4.0.0': version({ tarball: 7 }),
      '5.0.0': null,
      '6.0.0': { dist: 'x' },
      '7.0.0': version({ tarball: 'not an address' }),
    };
    const text = await readPackument(bytesOf({ name: 'a', versions }), 'a');
    expect([...text.versions.keys()]).toEqual(['1.0.0']);
    expect(text.dropped).toEqual(['1.0.0beta', '../x', '2.0.0', '3.0.0', '4.0.0', '5.0.0', '6.0.0', '7.0.0']);
  });

  test('calls a version by the name that it stands under, whatever it says of itself', async () => {
    const text = await readPackument(
      bytesOf({ versions: { '1.0.0': { ...version(), name: 'b', version: '9.9.9' } } }),
      'a',
    );
    expect(manifestOf(text.versions.get('1.0.0')!, 'a', '1.0.0')).toMatchObject({ name: 'a', version: '1.0.0' });
  });

  test.each([
    ['a page of HTML', '<!doctype html>'],
    ['half of it', '{"name":"a","versions":{"1.0.0":{'],
    ['more behind it', '{"name":"a"}{'],
    ['a list', '[]'],
    ['another package', '{"name":"b","versions":{}}'],
    ['nothing', ''],
  ])('%s is the origin’s failure', async (_what, text) => {
    await expect(readPackument(bytesOf(text), 'a')).rejects.toMatchObject({ kind: 'upstream-failed' });
  });

  test('versions, tags and times of other kinds are none', async () => {
    const text = await readPackument(
      bytesOf({ name: 'a', versions: [], 'dist-tags': null, time: { a: 1, b: 'c' } }),
      'a',
    );
    expect(text).toMatchObject({ tags: {}, times: { b: 'c' } });
    expect(text.versions.size).toBe(0);
  });
});
