import { describe, expect, test } from 'vitest';
import { names, negotiate, negotiateEncoding } from '../../../shared/http/accept.ts';

const JSON_V1 = 'application/vnd.pypi.simple.v1+json';
const HTML_V1 = 'application/vnd.pypi.simple.v1+html';
const OFFERS = [JSON_V1, HTML_V1, 'text/html'];

describe('a media type', () => {
  const wishes: [string | undefined, string | undefined][] = [
    [undefined, JSON_V1],
    ['*/*', JSON_V1],
    ['text/*', 'text/html'],
    ['text/html', 'text/html'],
    [`${JSON_V1}, ${HTML_V1}; q=0.1, text/html; q=0.01`, JSON_V1],
    [`${HTML_V1}, ${JSON_V1}`, JSON_V1],
    [`${JSON_V1};q=0.5, ${HTML_V1};q=0.6`, HTML_V1],
    [`${JSON_V1};q=0, */*;q=0.1`, HTML_V1],
    ['image/png', undefined],
    ['text/html;q=0', undefined],
    ['text/html;q=2', undefined],
    ['TEXT/HTML', 'text/html'],
    [`*/*;q=0.1, ${HTML_V1};q=0.2`, HTML_V1],
    ['', undefined],
  ];

  test.each(wishes)('%s gets %s', (accept, expected) => {
    expect(negotiate(accept, OFFERS)).toBe(expected);
  });

  test('is named only by itself, and not when it is refused', () => {
    expect(names(`${JSON_V1}, */*`, JSON_V1)).toBe(true);
    expect(names('*/*', JSON_V1)).toBe(false);
    expect(names(`${JSON_V1};q=0`, JSON_V1)).toBe(false);
  });
});

describe('a coding', () => {
  const wishes: [string | undefined, string][] = [
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip, deflate', 'gzip'],
    ['gzip, deflate, zstd', 'zstd'],
    ['br;q=1.0, gzip;q=0.8', 'br'],
    ['gzip;q=0', 'identity'],
    ['*', 'zstd'],
    ['identity;q=1, gzip;q=0.5', 'identity'],
    ['deflate', 'identity'],
  ];

  test.each(wishes)('"%s" gets %s', (accept, expected) => {
    expect(negotiateEncoding(accept, ['zstd', 'br', 'gzip'])).toBe(expected);
  });
});
