import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Ref } from '../../shared/model/ref.ts';
import { createTelemetry } from '../../shared/telemetry/telemetry.ts';
import { withBreaker } from '../../shared/upstream/breaker.ts';
import { httpOrigins } from '../../shared/upstream/http-upstream.ts';
import type { OriginDescription } from '../../shared/upstream/origin.ts';
import { withRetry } from '../../shared/upstream/retry.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';
import { NOW } from '../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';

let origin: OriginServer;
let other: OriginServer;
let now: number;
const opened: Upstream[] = [];

beforeEach(async () => {
  now = NOW;
  [origin, other] = await Promise.all([startOriginServer(), startOriginServer()]);
});

afterEach(async () => {
  for (const upstream of opened.splice(0)) await upstream.close?.();
  await Promise.all([origin.close(), other.close()]);
});

function upstream(
  more: Partial<OriginDescription> = {},
  options: { headersTimeout?: number; idleTimeout?: number } = {},
): Upstream {
  const description = { name: 'origin', hosts: (host: string) => host === origin.host || host === other.host, ...more };
  const made = httpOrigins({ userAgent: 'larder/test', now: () => now, ...options })([description]);
  opened.push(made);
  return made;
}

function ref(path: string): Ref {
  return {
    key: path,
    subject: 'file',
    label: path,
    source: origin.url + path,
    origin: 'origin',
    freshness: 'immutable',
  };
}

async function body(asked: Promise<Awaited<ReturnType<Upstream['fetch']>>>): Promise<string> {
  const arrival = await asked;
  return arrival.outcome === 'fresh' ? Buffer.concat(await arrival.body.toArray()).toString() : arrival.outcome;
}

describe('an origin that answers', () => {
  const statuses: [number, object][] = [
    [401, { kind: 'upstream-denied', originStatus: 401 }],
    [403, { kind: 'upstream-denied', originStatus: 403 }],
    [412, { kind: 'upstream-denied', originStatus: 412 }],
    [451, { kind: 'upstream-denied', originStatus: 451 }],
    [500, { kind: 'upstream-failed', originStatus: 500 }],
    [502, { kind: 'upstream-failed', originStatus: 502 }],
    [418, { kind: 'upstream-failed', originStatus: 418 }],
  ];

  test.each(statuses)('%i is told by its kind', async (status, error) => {
    origin.set('/x', { body: 'no', status });
    await expect(upstream().fetch(ref('/x'))).rejects.toMatchObject(error);
  });

  test.each([404, 410])('%i has no such thing', async (status) => {
    origin.set('/x', { body: 'no', status });
    expect(await upstream().fetch(ref('/x'))).toEqual({ outcome: 'absent' });
    expect(await upstream().describe(ref('/x'))).toBeUndefined();
  });

  test('403 has no such thing where the description says so', async () => {
    origin.set('/x', { body: 'no', status: 403 });
    expect(await upstream({ absent: [403, 404] }).fetch(ref('/x'))).toEqual({ outcome: 'absent' });
  });

  test('429 is left alone by everybody for as long as it asks', async () => {
    origin.set('/x', { body: 'yes' });
    origin.fail({ path: '/x', status: 429, headers: { 'retry-after': '30' } });
    const asked = upstream();
    await expect(asked.fetch(ref('/x'))).rejects.toMatchObject({ kind: 'upstream-failed', retryAfter: 30 });
    await expect(asked.fetch(ref('/y'))).rejects.toMatchObject({ retryAfter: 30 });
    expect(origin.count('/y')).toBe(0);
    now += 31_000;
    expect(await body(asked.fetch(ref('/x')))).toBe('yes');
  });

  test('405 to HEAD is asked for one byte instead', async () => {
    origin.set('/x', { body: 'twelve bytes' });
    origin.fail({ path: '/x', status: 405 });
    expect(await upstream().describe(ref('/x'))).toMatchObject({ size: 12 });
  });

  test('with another range than was asked for is refused', async () => {
    origin.set('/x', { body: 'y'.repeat(100), headers: { 'content-range': 'bytes 50-99/100' }, status: 206 });
    await expect(upstream().fetch(ref('/x'), { range: { start: 10 } })).rejects.toMatchObject({
      kind: 'upstream-failed',
    });
  });
});

describe('an origin that redirects', () => {
  const to = (location: string) => ({ body: '', status: 302, headers: { location } });

  test('to another host of its own is followed, without what was said to the first', async () => {
    origin.set('/x', to(`${other.url}/y`));
    other.set('/y', { body: 'there' });
    const credentials = { username: 'site', password: 'secret' };
    expect(await body(upstream({ credentials, credentialHosts: [origin.host] }).fetch(ref('/x')))).toBe('there');
    expect(origin.calls('/x')[0]!.headers.authorization).toBe(`Basic ${Buffer.from('site:secret').toString('base64')}`);
    expect(other.calls('/y')[0]!.headers.authorization).toBeUndefined();
  });

  test('in a loop is given up', async () => {
    origin.set('/x', to('/y'));
    origin.set('/y', to('/x'));
    await expect(upstream().fetch(ref('/x'))).rejects.toThrow('redirects in a loop');
  });

  test('for ever is given up', async () => {
    for (let hop = 0; hop < 20; hop += 1) origin.set(`/${hop}`, to(`/${hop + 1}`));
    await expect(upstream().fetch(ref('/0'))).rejects.toThrow('redirects more than 5 times');
  });

  test('to a strange host, or to no URL at all, is not followed', async () => {
    origin.set('/x', to('http://127.0.0.9:1/y'));
    await expect(upstream().fetch(ref('/x'))).rejects.toThrow('not among the hosts');
    origin.set('/z', to('file:///etc/passwd'));
    await expect(upstream().fetch(ref('/z'))).rejects.toThrow('redirects to file:');
  });

  test('never has its signature in a message', async () => {
    origin.set('/x', to(`${other.url}/y?X-Signature=SECRET`));
    other.set('/y?X-Signature=SECRET', { body: '', status: 500 });
    const error = await upstream()
      .fetch(ref('/x'))
      .catch((failed: Error) => failed);
    expect(String((error as Error).message)).not.toContain('SECRET');
  });
});

describe('an origin that is not well', () => {
  test('that says nothing is given up after a while', async () => {
    const server = await startOriginServer();
    origin.set('/x', { body: 'z'.repeat(1000) });
    origin.fail({ path: '/x', stallAfter: 10 });
    await expect(body(upstream({}, { idleTimeout: 200 }).fetch(ref('/x')))).rejects.toThrow();
    await server.close();
  });

  test('that announces another length than it sends is an error of the body', async () => {
    origin.set('/x', { body: 'z'.repeat(1000) });
    origin.fail({ path: '/x', lengthOff: 50 });
    await expect(body(upstream().fetch(ref('/x')))).rejects.toThrow();
  });

  test('that is not there is told in words, without a stack', async () => {
    await origin.goDark();
    await expect(upstream().fetch(ref('/x'))).rejects.toMatchObject({
      kind: 'upstream-failed',
      message: expect.stringMatching(/could not be asked \(ECONNREFUSED\)/),
    });
  });

  test('that fails now and then is asked again, and what it refuses is not', async () => {
    origin.set('/x', { body: 'yes' });
    origin.fail({ path: '/x', status: 500, times: 2 });
    const waits: number[] = [];
    const sleep = async (milliseconds: number) => void waits.push(milliseconds);
    expect(await body(withRetry(upstream(), { retries: 2, sleep }).fetch(ref('/x')))).toBe('yes');
    expect(waits).toHaveLength(2);
    origin.set('/no', { body: '', status: 403 });
    await expect(withRetry(upstream(), { retries: 2, sleep }).fetch(ref('/no'))).rejects.toMatchObject({
      kind: 'upstream-denied',
    });
    expect(origin.count('/no')).toBe(1);
  });

  test('that is down is left alone, then asked by one question, and used again when it is back', async () => {
    const guarded = withBreaker(upstream(), {
      failures: 3,
      rest: 10_000,
      now: () => now,
      telemetry: createTelemetry({ level: 'silent' }),
      service: 'notes',
    });
    origin.set('/x', { body: 'yes' });
    origin.fail({ path: '/x', status: 500, times: 3 });
    for (let count = 0; count < 3; count += 1)
      await expect(guarded.fetch(ref('/x'))).rejects.toMatchObject({ originStatus: 500 });
    await expect(guarded.fetch(ref('/x'))).rejects.toThrow(/is down; it will be asked again in 10 s/);
    expect(origin.count('/x')).toBe(3);
    now += 10_001;
    expect(await body(guarded.fetch(ref('/x')))).toBe('yes');
    expect(await body(guarded.fetch(ref('/x')))).toBe('yes');
  });
});
