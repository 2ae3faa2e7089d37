import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { baseUrl } from '../../../shared/http/base-url.ts';

function request(host: string | undefined, more: { baseUrl?: string; encrypted?: boolean } = {}) {
  const socket = Object.assign(new Socket(), { encrypted: more.encrypted });
  return Object.assign(new IncomingMessage(socket), {
    headers: host === undefined ? {} : { host },
    baseUrl: more.baseUrl,
  });
}

describe('where a client reached us', () => {
  test.each<[string, ReturnType<typeof request>, string]>([
    ['a name and a port', request('Larder.site:8082'), 'http://larder.site:8082'],
    ['an address', request('[::1]:8082'), 'http://[::1]:8082'],
    ['TLS', request('larder.site', { encrypted: true }), 'https://larder.site'],
    ['a prefix', request('larder.site', { baseUrl: '/pypi' }), 'http://larder.site/pypi'],
  ])('is read off %s', (_what, req, url) => {
    expect(baseUrl(req)).toBe(url);
  });

  test('is what the operator says, whatever the request does', () => {
    expect(baseUrl(request('evil.site'), 'https://larder.site/x//')).toBe('https://larder.site/x');
  });

  test.each([
    '',
    undefined,
    'a b',
    'a/b',
    'a@b',
    'user:pass@host',
    'a"onload=',
    'a:999999',
    '-a',
    '[::1',
    'a\\b',
    '<a>',
  ])('is never "%s"', (host) => {
    expect(() => baseUrl(request(host))).toThrow(expect.objectContaining({ kind: 'bad-request' }));
  });
});
