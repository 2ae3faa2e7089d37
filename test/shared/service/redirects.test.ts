import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KEY, type Site, startSite } from '../../services/s3/support.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { notes } from '../../support/notes-service.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

const LARGE = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 251));
const SMALL = Buffer.alloc(1000, 's');

/** Larder under Larder: the one speaks S3, the other keeps its blobs there. */
let engine: Site;
let origin: OriginServer;
let larder: TestLarder;
let url: string;
let settings: Record<string, unknown>;

beforeAll(async () => {
  engine = await startSite();
  await engine.s3.send(new CreateBucketCommand({ Bucket: 'site' }));
  origin = await startOriginServer();
  origin.set('/notes/large', { body: LARGE, type: 'text/x-note', etag: '"1"' });
  origin.set('/notes/small', { body: SMALL, type: 'text/x-note', etag: '"1"' });
  settings = {
    store: `s3://site/larder?endpoint=${engine.url}`,
    storeAccessKey: KEY.accessKeyId,
    storeSecretKey: KEY.secretAccessKey,
    delivery: 'redirect',
    deliveryMinBytes: 1000,
    deliveryEndpoint: engine.url.replace('127.0.0.1', 'localhost'),
  };
  larder = await startLarder({ services: [notes], config: { ...settings, notes: { url: origin.url } } });
  url = larder.url('notes');
});
afterAll(async () => {
  await larder.close();
  await engine.close();
  await origin.close();
});

const ask = (name: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${url}/notes/${name}`, { method, headers, redirect: 'manual' });
const bodyOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

describe('what is not held yet', () => {
  test('is sent by us while it arrives', async () => {
    const answer = await ask('large');
    expect([answer.status, answer.headers.get('x-larder-served')]).toEqual([200, 'miss']);
    expect((await bodyOf(answer)).equals(LARGE)).toBe(true);
    await larder.settled();
  });
});

describe('what is held', () => {
  beforeEach(async () => {
    await ask('large').then(bodyOf);
    await ask('small').then(bodyOf);
    await larder.settled();
  });

  test('is at the engine, under the host that clients have for it', async () => {
    const answer = await ask('large');
    expect([answer.status, await answer.text()]).toEqual([307, '']);
    const location = new URL(answer.headers.get('location')!);
    expect(location.origin).toBe(settings.deliveryEndpoint);
    expect(Number(location.searchParams.get('X-Amz-Expires'))).toBeGreaterThanOrEqual(3600);
    const followed = await fetch(location);
    expect((await bodyOf(followed)).equals(LARGE)).toBe(true);
    expect(followed.headers.get('content-type')).toBe('text/x-note');
  });

  test('is found by a client that follows, whole or in part', async () => {
    expect((await fetch(`${url}/notes/large`).then(bodyOf)).equals(LARGE)).toBe(true);
    const part = await fetch(`${url}/notes/large`, { headers: { range: 'bytes=1000-2999' } });
    expect([part.status, part.headers.get('content-range'), part.redirected]).toEqual([
      206,
      `bytes 1000-2999/${LARGE.length}`,
      true,
    ]);
    expect((await bodyOf(part)).equals(LARGE.subarray(1000, 3000))).toBe(true);
  });

  test('is not to be looked for at the old address when that is over', async () => {
    const answer = await ask('large');
    const { headers } = answer;
    expect(headers.get('cache-control')).toBe('no-store');
    expect([headers.get('content-length'), headers.get('content-type')]).toEqual(['0', null]);
    expect([headers.get('etag'), headers.get('x-larder-served')]).toEqual(['"1"', 'hit']);
  });

  test.each<[what: string, name: string, headers: Record<string, string>, method: string, status: number]>([
    ['a HEAD', 'large', {}, 'HEAD', 200],
    ['what is no larger than the setting', 'small', {}, 'GET', 200],
    ['a small part of something large', 'large', { range: 'bytes=0-999' }, 'GET', 206],
    ['several ranges', 'large', { range: 'bytes=0-4999,6000-9999' }, 'GET', 206],
    ['a range that is not there', 'large', { range: 'bytes=60000-' }, 'GET', 416],
    ['what the client has', 'large', { 'if-none-match': '"1"' }, 'GET', 304],
    ['a condition that holds', 'large', { 'if-match': '"1"' }, 'GET', 200],
    [
      'a date, which the engine has another one for',
      'large',
      { 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
      'GET',
      200,
    ],
    ['the rest of a download under a condition', 'large', { range: 'bytes=10-', 'if-range': '"1"' }, 'GET', 206],
    ['a client that came by https', 'large', { 'x-forwarded-proto': 'https' }, 'GET', 200],
  ])('is sent by us: %s', async (_what, name, headers, method, status) => {
    const answer = await ask(name, headers, method);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('location')).toBeNull();
    await answer.arrayBuffer();
  });

  test('a token is not led to the same host', async () => {
    const token = await larder
      .context('notes')
      .access.tokens.create({ name: 'reader', actions: ['read'], services: ['*'] });
    const headers = { authorization: `Bearer ${token.secret}` };
    expect((await ask('large', headers)).status).toBe(307);
    const there = url.replace('127.0.0.1', 'localhost');
    const same = await fetch(`${there}/notes/large`, { headers, redirect: 'manual' });
    expect([same.status, (await bodyOf(same)).equals(LARGE)]).toEqual([200, true]);
    expect((await fetch(`${there}/notes/large`, { redirect: 'manual' })).status).toBe(307);
  });
});

describe('an address of the engine', () => {
  test('is signed once for many clients, and anew for another blob', async () => {
    const [one, other] = await Promise.all([ask('large'), ask('large')]);
    const again = await ask('large');
    expect(again.headers.get('location')).toBe(one.headers.get('location'));
    expect(new URL(other.headers.get('location')!).pathname).toBe(new URL(again.headers.get('location')!).pathname);
    origin.set('/notes/other', { body: LARGE.subarray(1), type: 'text/x-note', etag: '"1"' });
    await ask('other').then(bodyOf);
    await larder.settled();
    const followed = await fetch(`${url}/notes/other`);
    expect((await bodyOf(followed)).equals(LARGE.subarray(1))).toBe(true);
  });

  test('is good for this blob alone', async () => {
    const location = new URL((await ask('large')).headers.get('location')!);
    location.pathname = location.pathname.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
    expect((await fetch(location)).status).toBe(403);
  });

  test('is bound to its host', async () => {
    const location = (await ask('large')).headers.get('location')!;
    expect((await fetch(location.replace('localhost', '127.0.0.1'))).status).toBe(403);
  });

  test('does not stand in the log', async () => {
    await ask('large');
    expect(JSON.stringify(larder.log())).not.toContain('X-Amz-Signature');
  });
});
