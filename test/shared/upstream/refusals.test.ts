import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askUnkept } from '../../../shared/mirror/unkept.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { Ref } from '../../../shared/model/ref.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import type { OriginDescription } from '../../../shared/upstream/origin.ts';
import { retryAfterSeconds, waitOf } from '../../../shared/upstream/pace.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let origin: OriginServer;
beforeEach(async () => {
  origin = await startOriginServer();
});
afterEach(() => origin.close());

const ref = (path: string): Ref => ({
  key: path,
  subject: 'thing',
  label: path,
  source: origin.url + path,
  origin: 'origin',
  freshness: 'immutable',
});
const upstream = (more: Partial<OriginDescription> = {}) =>
  httpOrigins({ userAgent: 'larder/test', now: Date.now })([
    { name: 'origin', hosts: (host) => host === origin.host, ...more },
  ]);

describe('what an origin means by a refusal', () => {
  const refusal: OriginDescription['refusal'] = ({ headers }) =>
    headers['x-why'] === 'gone'
      ? 'absent'
      : headers['x-why']
        ? new MirrorError('forbidden', 'thing', headers['x-why'])
        : undefined;

  test('is asked of the service that knows its words, whatever the status says', async () => {
    origin.set('/a', { status: 401, body: '', headers: { 'x-why': 'gone' } });
    origin.set('/b', { status: 404, body: '', headers: { 'x-why': 'not for you' } });
    origin.set('/c', { status: 404, body: '' });
    origin.set('/d', { status: 401, body: '' });
    const asked = upstream({ refusal });
    expect(await asked.fetch(ref('/a'))).toEqual({ outcome: 'absent' });
    await expect(asked.fetch(ref('/b'))).rejects.toMatchObject({ kind: 'forbidden', message: 'not for you' });
    expect(await asked.fetch(ref('/c'))).toEqual({ outcome: 'absent' });
    await expect(asked.fetch(ref('/d'))).rejects.toMatchObject({ kind: 'upstream-denied', originStatus: 401 });
    await asked.close?.();
  });

  test('every hop to an answer is told, in order', async () => {
    origin.set('/first', { status: 302, body: '', headers: { location: '/second', 'x-linked-size': '3' } });
    origin.set('/second', { status: 307, body: '', headers: { location: '/third' } });
    origin.set('/third', { body: 'abc' });
    const seen: string[][] = [];
    const asked = upstream({
      facts(answer) {
        seen.push(answer.hops.map(({ url, status }) => `${status} ${new URL(url).pathname}`));
        return { facts: { mediaType: 'text/plain', headers: {} } };
      },
    });
    await asked.describe(ref('/first'));
    expect(seen).toEqual([['302 /first', '307 /second', '200 /third']]);
    await asked.close?.();
  });
});

describe('how long an origin wants to be left alone', () => {
  test.each<[string, Record<string, string>, number]>([
    ['Retry-After', { 'retry-after': '7' }, 7],
    ['what is left of its window', { ratelimit: '"api";r=0;t=55' }, 55],
    ['Retry-After before the window', { 'retry-after': '7', ratelimit: '"api";r=0;t=55' }, 7],
    ['nothing', {}, 5],
    ['nonsense', { ratelimit: 't' }, 5],
    ['too long', { ratelimit: '"api";r=0;t=99999' }, 300],
  ])('is told by %s', (_what, headers, seconds) => {
    expect(retryAfterSeconds(waitOf(headers), Date.now())).toBe(seconds);
  });
});

describe('what is asked and not kept', () => {
  test('is asked once for all who ask at the same time, and again for who comes later', async () => {
    origin.set('/list', { body: '[1]' });
    const asked = upstream();
    const ask = askUnkept(asked);
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(ref('/list'), { maxBytes: 100 })));
    expect(answers.map((answer) => answer?.bytes.toString())).toEqual(Array(5).fill('[1]'));
    expect(origin.count('/list')).toBe(1);
    await ask(ref('/list'), { maxBytes: 100 });
    expect(origin.count('/list')).toBe(2);
    expect(await ask(ref('/none'), { maxBytes: 100 })).toBeUndefined();
    await expect(ask(ref('/list'), { maxBytes: 2 })).rejects.toMatchObject({ kind: 'too-large' });
    await asked.close?.();
  });
});
