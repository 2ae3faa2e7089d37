import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ref } from '../../../shared/model/ref.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import type { Upstream } from '../../../shared/upstream/upstream.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let origin: OriginServer;
let upstream: Upstream;

beforeEach(async () => {
  origin = await startOriginServer();
  upstream = httpOrigins({ userAgent: 'larder/test', now: Date.now })([
    {
      name: 'main',
      hosts: (host) => host === origin.host,
      credentials: { token: 't' },
      credentialHosts: [origin.host],
    },
  ]);
  origin.set('/ask', { body: '', type: 'application/json', answer: ({ body }) => `{"said":${body}}` });
});

afterEach(async () => {
  await upstream.close?.();
  await origin.close();
});

const ref = (path = '/ask'): Ref => ({
  key: 'question',
  subject: 'question',
  label: 'a question',
  source: `${origin.url}${path}`,
  origin: 'main',
  freshness: { fresh: 1, stale: 1 },
  posted: { body: '"why"', mediaType: 'application/json' },
});

async function ask(one: Ref): Promise<string> {
  const arrival = await upstream.fetch(one, {
    validators: { etag: '"x"', lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' },
  });
  if (arrival.outcome !== 'fresh') return arrival.outcome;
  return Buffer.concat(await arrival.body.toArray()).toString();
}

test('a question with a body is posted, under no condition, and answered as others are', async () => {
  expect(await ask(ref())).toBe('{"said":"why"}');
  const [{ method, headers, body }] = origin.calls() as [ReturnType<OriginServer['calls']>[0]];
  expect([method, body.toString()]).toEqual(['POST', '"why"']);
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    authorization: 'Bearer t',
    'content-length': '5',
  });
  expect(headers).not.toHaveProperty('if-none-match');
  expect(headers).not.toHaveProperty('if-modified-since');
});

test('it goes along where the origin sends on, and to no other host', async () => {
  origin.set('/old', { body: '', status: 308, headers: { location: '/ask' } });
  expect(await ask(ref('/old'))).toBe('{"said":"why"}');
  origin.set('/away', { body: '', status: 307, headers: { location: 'http://127.0.0.1:1/ask' } });
  await expect(ask(ref('/away'))).rejects.toMatchObject({ kind: 'upstream-failed' });
  expect(origin.calls().map(({ path, method }) => `${method} ${path}`)).toEqual([
    'POST /old',
    'POST /ask',
    'POST /away',
  ]);
});

test('its facts are those of its answer: a HEAD would ask something else', async () => {
  expect(await upstream.describe(ref())).toMatchObject({ mediaType: 'application/json', size: 14 });
  expect(origin.calls().map(({ method }) => method)).toEqual(['POST']);
});

test('an origin that has no such address is absent, as for others', async () => {
  expect(await ask(ref('/nowhere'))).toBe('absent');
});
