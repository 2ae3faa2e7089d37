import { expect, test } from 'vitest';
import { parseChallenges } from '../../../shared/upstream/challenges.ts';

const bearer = (parameters: Record<string, string>) => [{ scheme: 'bearer', parameters }];

test.each([
  ['nothing', '', []],
  ['a scheme alone', 'Negotiate', [{ scheme: 'negotiate', parameters: {} }]],
  [
    'what registries send',
    'Bearer realm="https://auth.site/token",service="registry.site",scope="repository:a/b:pull,push"',
    bearer({ realm: 'https://auth.site/token', service: 'registry.site', scope: 'repository:a/b:pull,push' }),
  ],
  [
    'a query inside of the realm, with = and ? and &',
    'Bearer realm="https://nvcr.site/proxy_auth?scope=repository:nvidia/tensorflow:pull,push&x=1"',
    bearer({ realm: 'https://nvcr.site/proxy_auth?scope=repository:nvidia/tensorflow:pull,push&x=1' }),
  ],
  ['names of any case, spaces around = and ,', 'BEARER Realm = "r" , SERVICE=s', bearer({ realm: 'r', service: 's' })],
  ['escapes in quotes', 'Bearer realm="a \\"b\\" \\\\c"', bearer({ realm: 'a "b" \\c' })],
  [
    'several challenges in one field',
    'Basic realm="site", Bearer realm="https://auth.site/token", service="s"',
    [{ scheme: 'basic', parameters: { realm: 'site' } }, ...bearer({ realm: 'https://auth.site/token', service: 's' })],
  ],
  ['a parameter said twice, the first of which holds', 'Bearer realm="a",realm="b"', bearer({ realm: 'a' })],
  ['a quote that never ends', 'Bearer service="s",realm="abc', bearer({ service: 's' })],
])('reads %s', (_what, field, expected) => {
  const read = parseChallenges(field);
  // whatever cannot be read stands at the end, and is left out
  expect(read.slice(0, Math.max(expected.length, 1))).toEqual(expected);
});

test('takes no time on a hostile field', () => {
  const began = performance.now();
  parseChallenges(`Bearer ${'realm="'.repeat(5000)}`);
  parseChallenges(`Bearer ${', '.repeat(20_000)}`);
  parseChallenges(`${'a '.repeat(20_000)}=`);
  expect(performance.now() - began).toBeLessThan(10_000);
});
