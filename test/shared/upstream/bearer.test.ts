import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChallenges } from '../../../shared/upstream/challenges.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import type { OriginDescription } from '../../../shared/upstream/origin.ts';
import type { Upstream } from '../../../shared/upstream/upstream.ts';
import { startTokenRegistry, type TokenRegistry } from '../../support/token-registry.ts';

let registry: TokenRegistry;
let now: number;
const opened: Upstream[] = [];

beforeEach(async () => {
  now = Date.parse('2026-11-24T00:00:00Z');
  registry = await startTokenRegistry(() => now);
});
afterEach(async () => {
  for (const upstream of opened.splice(0)) await upstream.close?.();
  await registry.close();
});

const ref = (repository: string, name = 'blob') => ({
  key: `${repository}/${name}`,
  subject: 'blob',
  label: name,
  source: `${registry.url}/v2/${repository}/${name}`,
  origin: 'registry',
  freshness: 'immutable' as const,
});

function upstream(more: Partial<OriginDescription> = {}): Upstream {
  const made = httpOrigins({ userAgent: 'larder/test', now: () => now })([
    {
      name: 'registry',
      hosts: (host) => [registry.host, registry.authHost].includes(host),
      tokens: { scope: ({ key }) => `repository:${key.split('/')[0]}:pull` },
      ...more,
    },
  ]);
  opened.push(made);
  return made;
}

async function textOf(asker: Upstream, repository: string, name?: string): Promise<string> {
  const arrival = await asker.fetch(ref(repository, name));
  if (arrival.outcome !== 'fresh') throw new Error(arrival.outcome);
  return Buffer.concat(await arrival.body.toArray()).toString();
}

describe('an origin that asks for tokens', () => {
  test('gets one for its scope, and the next request goes with it at once', async () => {
    const asker = upstream();
    expect(await textOf(asker, 'busybox')).toBe('busybox/blob');
    expect(await textOf(asker, 'busybox', 'other')).toBe('busybox/other');
    expect(registry.tokenCalls()).toHaveLength(1);
    const { query, authorization } = registry.tokenCalls()[0]!;
    expect(Object.fromEntries(query)).toEqual({ service: 'registry', scope: 'repository:busybox:pull' });
    expect(authorization).toBeUndefined();
    expect(registry.calls().map(({ status }) => status)).toEqual([401, 200, 200]);
  });

  test('gets a token of its own for each scope', async () => {
    const asker = upstream();
    await textOf(asker, 'busybox');
    await textOf(asker, 'alpine');
    expect(registry.tokenCalls().map(({ query }) => query.get('scope'))).toEqual([
      'repository:busybox:pull',
      'repository:alpine:pull',
    ]);
  });

  test('is asked for one token by many clients at once', async () => {
    const asker = upstream();
    await Promise.all(Array.from({ length: 10 }, (_, index) => textOf(asker, 'busybox', `blob${index}`)));
    expect(registry.tokenCalls()).toHaveLength(1);
  });

  test('is asked again when the token has run out, or is no longer taken', async () => {
    const asker = upstream();
    await textOf(asker, 'busybox');
    now += 60_000;
    await textOf(asker, 'busybox');
    expect(registry.tokenCalls()).toHaveLength(2);
    registry.revokeAll();
    expect(await textOf(asker, 'busybox')).toBe('busybox/blob');
    expect(registry.tokenCalls()).toHaveLength(3);
  });

  test.each([
    ['the older name of a token', { body: (token: string) => ({ access_token: token, expires_in: 300 }) }, 290],
    ['a token without a life, which is 60 s', { body: (token: string) => ({ token }) }, 50],
  ])('may give %s', async (_what, answer, seconds) => {
    registry.answerTokens(answer);
    const asker = upstream();
    await textOf(asker, 'busybox');
    now += (seconds - 1) * 1000;
    await textOf(asker, 'busybox');
    expect(registry.tokenCalls()).toHaveLength(1);
    now += 2000;
    await textOf(asker, 'busybox');
    expect(registry.tokenCalls()).toHaveLength(2);
  });

  test('may have the scope inside of the realm, and name no service', async () => {
    registry.challengeWith(
      (repository) => `Bearer realm="${registry.authUrl}/proxy_auth?scope=repository:${repository}:pull,push"`,
    );
    expect(await textOf(upstream(), 'busybox')).toBe('busybox/blob');
    expect([...registry.tokenCalls()[0]!.query]).toEqual([['scope', 'repository:busybox:pull,push']]);
  });

  test('may leave the scope to us', async () => {
    registry.challengeWith(() => `Bearer realm="${registry.authUrl}/token",service="registry"`);
    await textOf(upstream(), 'busybox');
    expect(registry.tokenCalls()[0]!.query.get('scope')).toBe('repository:busybox:pull');
  });

  test('may ask for Basic and for no token', async () => {
    registry.challengeWith(() => 'Basic realm="registry"');
    const credentials = { username: 'site', password: 'secret' };
    const asker = upstream({ credentials, credentialHosts: [registry.host] });
    expect(await textOf(asker, 'busybox')).toBe('busybox/blob');
    await expect(textOf(upstream(), 'busybox')).rejects.toMatchObject({ kind: 'upstream-denied', originStatus: 401 });
  });
});

describe('secrets', () => {
  const credentials = { username: 'site', password: 'secret' };

  test('go to the token server where it may have them, and never to the registry', async () => {
    const asker = upstream({ credentials, credentialHosts: [registry.authHost] });
    await textOf(asker, 'busybox');
    expect(registry.tokenCalls()[0]!.authorization).toBe(`Basic ${Buffer.from('site:secret').toString('base64')}`);
    expect(registry.calls()[0]!.authorization).toBeUndefined();
    expect(registry.calls()[1]!.authorization).toMatch(/^Bearer /);
  });

  test('do not go to a token server that is not among those that may have them', async () => {
    const asker = upstream({ credentials, credentialHosts: ['elsewhere.site'] });
    await textOf(asker, 'busybox');
    expect(registry.tokenCalls()[0]!.authorization).toBeUndefined();
  });

  test('a token server that is no host of the origin is not dialled', async () => {
    const asker = upstream({ hosts: (host) => host === registry.host });
    await expect(textOf(asker, 'busybox')).rejects.toThrow(/is not among the hosts that this origin may use/);
    expect(registry.tokenCalls()).toHaveLength(0);
  });

  test('a token does not follow a redirect to another host', async () => {
    expect(await textOf(upstream(), 'busybox', 'redirected')).toBe('stored elsewhere');
    expect(registry.calls('/stored')[0]!.authorization).toBeUndefined();
  });
});

describe('a token server that gives none', () => {
  test.each([
    [401, { kind: 'upstream-denied', originStatus: 401 }],
    [403, { kind: 'upstream-denied', originStatus: 403 }],
    [429, { kind: 'upstream-failed', originStatus: 429, retryAfter: 7 }],
    [500, { kind: 'upstream-failed', originStatus: 500 }],
    [302, { kind: 'upstream-failed', originStatus: 302 }],
  ])('by %i is told as such', async (status, expected) => {
    registry.answerTokens({ status, headers: { 'retry-after': '7' } });
    await expect(textOf(upstream(), 'busybox')).rejects.toMatchObject(expected);
  });

  test.each([
    ['no JSON', '<html>'],
    ['no token in it', '{}'],
    ['a token that would break the header', '{"token":"a\\r\\nx: y"}'],
    ['more than a token', JSON.stringify({ token: 'x'.repeat(2 << 20) })],
  ])('but %s is an error in words', async (_what, text) => {
    registry.answerTokens({ text });
    await expect(textOf(upstream(), 'busybox')).rejects.toMatchObject({ kind: 'upstream-failed', subject: 'blob' });
  });

  test('a registry that refuses its own token is asked once more, and not for ever', async () => {
    registry.refuseAll();
    await expect(textOf(upstream(), 'busybox')).rejects.toMatchObject({ kind: 'upstream-denied', originStatus: 401 });
    expect(registry.calls()).toHaveLength(2);
    expect(parseChallenges(registry.calls()[1]!.challenge!)[0]!.scheme).toBe('bearer');
  });
});
