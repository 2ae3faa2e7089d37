import { describe, expect, test } from 'vitest';
import { chooseFormat } from '../../../services/pypi/formats.ts';

const JSON_V1 = 'application/vnd.pypi.simple.v1+json';
const HTML_V1 = 'application/vnd.pypi.simple.v1+html';
const HTML = 'text/html; charset=utf-8';

describe('Accept', () => {
  test.each([
    // what clients send
    ['pip', `${JSON_V1}, ${HTML_V1}; q=0.1, text/html; q=0.01`, JSON_V1],
    ['uv', `${JSON_V1}, ${HTML_V1};q=0.2, text/html;q=0.01`, JSON_V1],
    ['Poetry 2', `${JSON_V1}, */*;q=0.1`, JSON_V1],
    ['Poetry 1.3', '*/*', HTML],
    ['pip 22.1, and flat links of uv', 'text/html', HTML],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8', HTML],
    ['nobody', undefined, HTML],
    ['an empty field', '', HTML],
    // what the specification says
    ['the newest JSON', 'application/vnd.pypi.simple.latest+json', JSON_V1],
    ['the newest HTML', 'application/vnd.pypi.simple.latest+html', HTML_V1],
    ['HTML of version 1', HTML_V1, HTML_V1],
    ['equal weights, HTML first', `${HTML_V1}, ${JSON_V1}`, JSON_V1],
    ['equal weights of three', `text/html;q=0.5, ${HTML_V1};q=0.5, ${JSON_V1};q=0.5`, JSON_V1],
    ['HTML rather than JSON', `${JSON_V1};q=0.2, text/html`, HTML],
    ['JSON never', `${JSON_V1};q=0, */*`, HTML],
    ['anything of application', 'application/*', JSON_V1],
    ['another case', 'Application/Vnd.PyPI.Simple.V1+JSON', JSON_V1],
    ['three decimals', `text/html;q=0.999, ${JSON_V1}`, JSON_V1],
    ['an unknown type besides', `application/xml, ${JSON_V1};q=0.1`, JSON_V1],
  ])('%s: %j', (_who, accept, expected) => {
    expect(chooseFormat(accept, undefined).contentType).toBe(expected);
  });

  test.each([
    'application/json',
    'application/vnd.pypi.simple.v2+json',
    'text/plain',
    'text/html;q=0',
    'text/html;q=nan',
  ])('%s is not acceptable', (accept) => {
    expect(() => chooseFormat(accept, undefined)).toThrow(expect.objectContaining({ kind: 'not-acceptable' }));
  });
});

describe('?format=', () => {
  test.each([
    ['application/vnd.pypi.simple.v1+json', JSON_V1],
    ['application/vnd.pypi.simple.v1 json', JSON_V1],
    ['application/vnd.pypi.simple.latest json', JSON_V1],
    ['text/html', HTML],
  ])('%j goes before Accept', (format, expected) => {
    expect(chooseFormat('application/xml', format).contentType).toBe(expected);
  });

  test('that nobody knows is not acceptable', () => {
    expect(() => chooseFormat(JSON_V1, 'json')).toThrow(/there is no format "json"/);
  });
});
