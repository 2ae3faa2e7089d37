import { describe, expect, test } from 'vitest';
import { attestationsUrl, parseAddress, plainPath, tarballUrl } from '../../../services/npm/address.ts';

const read = (url: string) => parseAddress(plainPath(url));

describe('an address of the read path', () => {
  test.each(['/@s/n', '/@s%2fn', '/@s%2Fn', '/%40s%2Fn', '/%40s%2fn', '/%40s/n', '/@s/n/', '/@s%2fn?a=%2F'])(
    '%s is the package @s/n',
    (url) => {
      expect(read(url)).toEqual({ kind: 'packument', name: '@s/n' });
    },
  );

  test.each([
    ['/left-pad', { kind: 'packument', name: 'left-pad' }],
    ['/JSONStream', { kind: 'packument', name: 'JSONStream' }],
    ['/left%2Dpad', { kind: 'packument', name: 'left-pad' }],
    ['/left-pad/1.3.0', { kind: 'version', name: 'left-pad', version: '1.3.0' }],
    ['/left-pad/latest', { kind: 'version', name: 'left-pad', version: 'latest' }],
    ['/@s%2fn/1.0.0-rc.1', { kind: 'version', name: '@s/n', version: '1.0.0-rc.1' }],
    ['/@s/n/1.0.0%2Bbuild', { kind: 'version', name: '@s/n', version: '1.0.0+build' }],
    ['/left-pad/-/left-pad-1.3.0.tgz', { kind: 'tarball', name: 'left-pad', version: '1.3.0' }],
    ['/@s/n/-/n-1.0.0.tgz', { kind: 'tarball', name: '@s/n', version: '1.0.0' }],
    ['/@s%2fn/-/n-1.0.0-beta.2.tgz', { kind: 'tarball', name: '@s/n', version: '1.0.0-beta.2' }],
    ['/%40s%2fn/-/n-1.0.0.tgz', { kind: 'tarball', name: '@s/n', version: '1.0.0' }],
    ['/@s/n/-/@s/n-1.0.0.tgz', { kind: 'tarball', name: '@s/n', version: '1.0.0' }],
    ['/@s/n/-/%40s%2fn-1.0.0.tgz', { kind: 'tarball', name: '@s/n', version: '1.0.0' }],
    ['/-/package/left-pad/dist-tags', { kind: 'dist-tags', name: 'left-pad' }],
    ['/-/package/@s%2fn/dist-tags', { kind: 'dist-tags', name: '@s/n' }],
    ['/-/package/%40s/n/dist-tags', { kind: 'dist-tags', name: '@s/n' }],
  ])('%s is %j', (url, asked) => {
    expect(read(url)).toEqual(asked);
  });

  test.each([
    '/',
    '/-/ping',
    '/-/v1/search?text=x',
    '/-/package/x/dist-tags/latest',
    '/-/package/x',
    '/x/-/a/b.tgz',
    '/x/1.0.0/y',
  ])('%s is somebody else’s', (url) => {
    expect(read(url)).toBeUndefined();
  });

  test.each([
    ['//left-pad'],
    ['/left-pad//1.0.0'],
    ['/../left-pad'],
    ['/left-pad/..'],
    ['/left-pad/./1.0.0'],
    ['/%2e%2e/left-pad'],
    ['/left-pad/%2E%2e/x'],
    ['/left-pad%2f1.0.0'],
    ['/left-pad/-/%2fetc%2fpasswd'],
    ['/@s%2f%2fn'],
    ['/@s%5cn'],
    ['/left-pad%00'],
    ['/@s%2fn%2fm'],
  ])('%s is refused: something hides in it', (url) => {
    expect(() => plainPath(url)).toThrowError(expect.objectContaining({ kind: 'bad-request' }));
  });

  test.each(['/.hidden', '/_design', '/@s/.n', '/a b', '/a%20b', '/@s', '/%40..%2fn', `/${'a'.repeat(215)}`])(
    '%s names no package',
    (url) => {
      expect(() => read(url)).toThrowError(expect.objectContaining({ kind: 'not-found', subject: 'package' }));
    },
  );

  test('a tarball is called after its package and version, and says so when it is not', () => {
    for (const file of ['other-1.0.0.tgz', 'n-1.0.tgz', 'n-1.0.0.zip', 'n.tgz'])
      expect(() => read(`/@s/n/-/${file}`)).toThrowError(/those are called n-1\.2\.3\.tgz/);
  });

  test('a broken escape is an URIError, which the house renders', () => {
    expect(() => read('/left%zzpad')).toThrowError(URIError);
  });

  test('our own addresses have a plain slash for tarballs and an escaped one for attestations', () => {
    expect(tarballUrl('http://larder/npm', '@s/n', '1.0.0')).toBe('http://larder/npm/@s/n/-/n-1.0.0.tgz');
    expect(attestationsUrl('http://larder', '@s/n', '1.0.0')).toBe('http://larder/-/npm/v1/attestations/@s%2fn@1.0.0');
  });
});
