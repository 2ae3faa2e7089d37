import { describe, expect, test } from 'vitest';
import { elementsOf, memberOf, withMember } from '../../../services/ngc/json-slices.ts';
import { type Read, takePage, withElements } from '../../../services/ngc/paged-lists.ts';

describe('parts of JSON as they stand in its text', () => {
  test.each([
    ['{"a":1.50,"b":[1,{"a":2}]}', 'a', '1.50'],
    ['{ "b" : "x\\"}" , "a" : { "c" : "]" } }', 'a', '{ "c" : "]" }'],
    ['{"a":1,"a":12345678901234567890}', 'a', '12345678901234567890'],
    ['{"\\u0061":"\\u00e9\\/"}', 'a', '"\\u00e9\\/"'],
    ['{"b":{"a":1}}', 'a', undefined],
    ['[{"a":1}]', 'a', undefined],
    ['{}', 'a', undefined],
    ['{"a":null\n}', 'a', 'null'],
  ])('a member of %s', (text, name, expected) => {
    expect(memberOf(text, name)).toBe(expected);
  });

  test('elements keep their text', () => {
    expect(elementsOf('[ {"a":1.0} , "x,]" ,[1,[2]],-1e3 ]')).toEqual(['{"a":1.0}', '"x,]"', '[1,[2]]', '-1e3']);
    expect(elementsOf('[]')).toEqual([]);
  });

  test('a member is put in the place of another, or added', () => {
    expect(withMember('{"a":1,"b":2}', 'a', '[3]')).toBe('{"a":[3],"b":2}');
    expect(withMember('{"a":1}\n', 'b', '2')).toBe('{"a":1,"b":2}\n');
    expect(withMember('{ }', 'b', '2')).toBe('{ "b":2}');
  });
});

describe('lists of several pages', () => {
  const page = (elements: string, info: object) =>
    `{"modelFiles":[${elements}],"paginationInfo":${JSON.stringify(info)}}`;
  const nextOf = (...pages: string[]) => {
    const read: Read = { pages: [], elements: [] };
    return pages.map((text) => takePage(read, text, 'modelFiles')).at(-1);
  };

  test('the next one is asked for by reference, else by number while there is more', () => {
    expect(nextOf(page('1', { nextPage: 'abc', totalResults: 2 }))).toEqual(['page-reference', 'abc']);
    expect(nextOf(page('1,2', { totalResults: 5 }))).toEqual(['page-number', '1']);
    expect(nextOf(page('1,2', { totalResults: 5 }), page('3,4', { totalResults: 5 }))).toEqual(['page-number', '2']);
    expect(nextOf(page('1,2', { totalResults: 3 }), page('3', { totalResults: 3 }))).toBeUndefined();
    expect(nextOf(page('1,2', { totalResults: 2 }))).toBeUndefined();
    expect(nextOf(page('', { totalResults: 2 }))).toBeUndefined();
    expect(nextOf('{"modelFiles":[1]}')).toBeUndefined();
  });

  test('the whole says that it is one page, which the SDK then takes for all', () => {
    const whole = withElements(page('{"sizeInBytes":1.0}', { index: 0, size: 1, nextPage: 'x' }), 'modelFiles', [
      '{"sizeInBytes":1.0}',
      '{"sizeInBytes":2.0}',
    ]);
    expect(whole).toBe(
      '{"modelFiles":[{"sizeInBytes":1.0},{"sizeInBytes":2.0}],"paginationInfo":{"index":0,"size":1000,"totalPages":1,"totalResults":2}}',
    );
  });
});
