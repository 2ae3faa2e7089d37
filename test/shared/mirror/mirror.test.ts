import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Mirror } from '../../../shared/mirror/mirror.ts';
import { Wants } from '../../../shared/mirror/wants.ts';
import { warm } from '../../../shared/mirror/warm.ts';
import { digestOf } from '../../../shared/model/digest.ts';
import type { Ref } from '../../../shared/model/ref.ts';
import type { Catalog } from '../../../shared/storage/catalog.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { createTelemetry } from '../../../shared/telemetry/telemetry.ts';
import { airgapped } from '../../../shared/upstream/airgapped.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import type { Upstream } from '../../../shared/upstream/upstream.ts';
import { NOW, storeIn, temporaryFolder } from '../../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let origin: OriginServer;
let folder: { path: string; remove(): Promise<void> };
let store: Store;
let mirror: Mirror;
let now: number;

beforeEach(async () => {
  now = NOW;
  origin = await startOriginServer();
  folder = await temporaryFolder();
  store = await storeIn(folder.path, 'store');
  mirror = mirrorOver(connected());
});

afterEach(async () => {
  await mirror.close();
  await store.close();
  await origin.close();
  await folder.remove();
});

function connected(idleTimeout = 5000): Upstream {
  return httpOrigins({ userAgent: 'larder/test', now: () => now, idleTimeout })([
    { name: 'origin', hosts: (host) => host === origin.host },
  ]);
}

/** A catalog whose first answer waits to be told. */
function slowLookup(): { catalog: Catalog; looking: Promise<void>; goOn(): void } {
  const [looking, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const real = store.catalog('notes');
  let lookups = 0;
  const get = async (key: string) => {
    const entry = await real.get(key);
    lookups += 1;
    if (lookups === 1) {
      looking.resolve();
      await go.promise;
    }
    return entry;
  };
  const catalog = new Proxy(real, {
    get: (target, name) => (name === 'get' ? get : Reflect.get(target, name).bind(target)),
  });
  return { catalog, looking: looking.promise, goOn: go.resolve };
}

function mirrorOver(upstream: Upstream, catalog = store.catalog('notes')): Mirror {
  const wants = new Wants(store.objects, { service: 'notes', now: () => now });
  const telemetry = createTelemetry({ level: 'silent' });
  return new Mirror({
    service: 'notes',
    catalog,
    blobs: store.blobs,
    upstream,
    wants,
    now: () => now,
    telemetry,
    resumePause: 5,
  });
}

function ref(path: string, more: Partial<Ref> = {}): Ref {
  return {
    key: path.slice(1),
    subject: 'note',
    label: path.slice(1),
    source: `${origin.url}${path}`,
    origin: 'origin',
    freshness: 'immutable',
    ...more,
  };
}

const page = (more: Partial<Ref> = {}) => ref('/page', { freshness: { fresh: 60, stale: 600 }, ...more });

async function bytesOf(body: Readable): Promise<Buffer> {
  return Buffer.concat(await body.toArray());
}

async function get(wanted: Ref): Promise<{ served: string; bytes: Buffer }> {
  const resource = await mirror.open(wanted);
  return { served: resource.served, bytes: await bytesOf(await resource.open()) };
}

async function spooled(): Promise<string[]> {
  return readdir(store.blobs.spoolDir);
}

describe('a file that is not held', () => {
  test('is fetched once for ten clients, and then held', async () => {
    const body = randomBytes(3 << 20);
    origin.set('/file', { body });
    const answers = await Promise.all(Array.from({ length: 10 }, () => get(ref('/file'))));
    expect(answers.every(({ bytes }) => bytes.equals(body))).toBe(true);
    expect(answers.filter(({ served }) => served === 'miss')).toHaveLength(1);
    await mirror.settled();
    expect(origin.count('/file')).toBe(1);
    expect((await get(ref('/file'))).served).toBe('hit');
    expect(await spooled()).toEqual([]);
  });

  test.each([
    ['has just begun', 1 << 20],
    ['is already over', undefined],
  ])('is not fetched again for a client that looked for it before a download that %s', async (_when, pace) => {
    const body = randomBytes(1 << 19);
    origin.set('/late', { body, ...(pace ? { pace } : {}) });
    const late = slowLookup();
    mirror = mirrorOver(connected(), late.catalog);
    const second = get(ref('/late'));
    await late.looking;
    const first = await mirror.open(ref('/late'));
    if (!pace) await mirror.settled();
    late.goOn();
    expect((await second).bytes.equals(body)).toBe(true);
    expect((await bytesOf(await first.open())).equals(body)).toBe(true);
    await mirror.settled();
    expect(origin.count('/late')).toBe(1);
  });

  test('is there for readers while it is still coming, headers at once', async () => {
    const body = randomBytes(1 << 20);
    origin.set('/slow', { body, pace: 4 << 20 });
    const resource = await mirror.open(ref('/slow'));
    expect(resource.facts.size).toBe(body.length);
    const stream = await resource.open();
    const [first] = await new Promise<[Buffer]>((resolve) => stream.once('data', (chunk) => resolve([chunk])));
    expect(first.length).toBeLessThan(body.length);
    expect((await store.catalog('notes').get('slow')) ?? undefined).toBeUndefined();
    stream.destroy();
    await mirror.settled();
    expect((await get(ref('/slow'))).bytes.equals(body)).toBe(true);
  });

  test('is kept although every reader left', async () => {
    const body = randomBytes(1 << 20);
    origin.set('/left', { body, pace: 8 << 20 });
    const stream = await (await mirror.open(ref('/left'))).open();
    stream.destroy();
    await mirror.settled();
    expect(await get(ref('/left'))).toMatchObject({ served: 'hit' });
  });

  test('does not wait for a reader that reads nothing', async () => {
    const body = randomBytes(8 << 20);
    origin.set('/unread', { body });
    const idle = await (await mirror.open(ref('/unread'))).open();
    expect((await get(ref('/unread'))).bytes.equals(body)).toBe(true);
    // opened before the end, read long after it
    expect((await bytesOf(idle)).equals(body)).toBe(true);
  });

  test('gives its tail by a request of its own, not after the whole', async () => {
    const body = randomBytes(16 << 20);
    origin.set('/wheel', { body, pace: 1 << 20, etag: '"1"' });
    const resource = await mirror.open(ref('/wheel'));
    const started = performance.now();
    const tail = await bytesOf(await resource.open({ start: body.length - 100, end: body.length - 1 }));
    expect(tail.equals(body.subarray(-100))).toBe(true);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(origin.calls('/wheel').map(({ headers }) => headers.range)).toContain(
      `bytes=${body.length - 100}-${body.length - 1}`,
    );
  });

  test('can be opened after its download is over', async () => {
    origin.set('/late', { body: 'late' });
    const resource = await mirror.open(ref('/late'));
    await mirror.settled();
    expect((await bytesOf(await resource.open())).toString()).toBe('late');
    expect((await bytesOf(await resource.open({ start: 1, end: 2 }))).toString()).toBe('at');
  });

  test('is described without being downloaded', async () => {
    origin.set('/head', { body: 'x'.repeat(1000), etag: '"h"' });
    expect((await mirror.describe(ref('/head'))).facts).toMatchObject({ size: 1000, etag: '"h"' });
    expect(origin.count('/head')).toBe(0);
  });

  test('a part of it can be had without the rest', async () => {
    origin.set('/part', { body: randomBytes(1 << 20) });
    const part = await bytesOf(await mirror.peek(ref('/part'), { start: 10, end: 19 }));
    expect(part).toHaveLength(10);
    expect(await mirror.held(ref('/part'))).toBeUndefined();
  });

  test('that does not exist is asked for once in a while only', async () => {
    for (let count = 0; count < 5; count += 1)
      await expect(mirror.open(ref('/none'))).rejects.toMatchObject({ kind: 'not-found' });
    expect(origin.count('/none')).toBe(1);
    now += 61_000;
    await expect(mirror.open(ref('/none'))).rejects.toMatchObject({ kind: 'not-found' });
    expect(origin.count('/none')).toBe(2);
  });

  test('is adopted when its bytes are held under another name', async () => {
    const body = randomBytes(1000);
    origin.set('/one', { body });
    await get(ref('/one'));
    await mirror.settled();
    const promised = { sha256: digestOf(body).slice(7) };
    const twin = ref('/two', { promised, ifHeld: { mediaType: 'text/x-note', headers: {} } });
    const answer = await mirror.open(twin);
    expect(answer).toMatchObject({ served: 'adopted', facts: { mediaType: 'text/x-note', size: 1000 } });
    expect(origin.count('/two')).toBe(0);
    // without facts of its own it would not know its type
    await expect(mirror.open(ref('/three', { promised }))).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('a download that goes wrong', () => {
  const body = randomBytes(2 << 20);
  const promised = { sha256: digestOf(body).slice(7), size: body.length };

  test('goes on by Range where it broke off', async () => {
    origin.set('/cut', { body, etag: '"1"' });
    origin.fail({ path: '/cut', cutAfter: 700_000 });
    expect((await get(ref('/cut', { promised }))).bytes.equals(body)).toBe(true);
    const [, second] = origin.calls('/cut');
    expect(second!.headers.range).toMatch(/^bytes=\d+-$/);
    expect(second!.headers['if-range']).toBe('"1"');
  });

  test('goes on from an origin that stalls', async () => {
    await mirror.close();
    mirror = mirrorOver(connected(300));
    origin.set('/stall', { body, etag: '"1"' });
    origin.fail({ path: '/stall', stallAfter: 500_000 });
    expect((await get(ref('/stall', { promised }))).bytes.equals(body)).toBe(true);
    expect(origin.count('/stall')).toBe(2);
  });

  test('goes on without Range too, when it is sure to be the same', async () => {
    origin.set('/whole', { body, ignoreRange: true });
    origin.fail({ path: '/whole', cutAfter: 700_000 });
    expect((await get(ref('/whole', { promised }))).bytes.equals(body)).toBe(true);
  });

  test('is an error, and never a mix, when the origin has something else now', async () => {
    origin.set('/changed', { body, etag: '"1"', pace: 8 << 20 });
    origin.fail({ path: '/changed', cutAfter: 700_000 });
    const resource = await mirror.open(ref('/changed'));
    const reading = bytesOf(await resource.open());
    origin.set('/changed', { body: randomBytes(2 << 20), etag: '"2"' });
    await expect(reading).rejects.toMatchObject({ kind: 'upstream-failed' });
    expect(await mirror.held(ref('/changed'))).toBeUndefined();
  });

  test('that is corrupt is not kept, its end reaches nobody, and the next one is fetched anew', async () => {
    origin.set('/bad', { body, etag: '"1"' });
    origin.fail({ path: '/bad', corrupt: true });
    const stream = await (await mirror.open(ref('/bad', { promised }))).open();
    let seen = 0;
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.length;
    });
    await expect(new Promise((_, reject) => stream.once('error', reject))).rejects.toMatchObject({ kind: 'corrupt' });
    expect(seen).toBeLessThan(body.length);
    await mirror.settled();
    expect(await spooled()).toEqual([]);
    expect(await store.blobs.size(digestOf(body))).toBeUndefined();
    expect((await get(ref('/bad', { promised }))).bytes.equals(body)).toBe(true);
  });

  test('that breaks off again and again fails in the end, with nothing kept', async () => {
    origin.set('/hopeless', { body, etag: '"1"' });
    origin.fail({ path: '/hopeless', cutAfter: 1000, times: 100 });
    await expect(get(ref('/hopeless', { promised }))).rejects.toMatchObject({ kind: 'upstream-failed' });
    await mirror.settled();
    expect(await spooled()).toEqual([]);
  });
});

describe('a name that moves', () => {
  beforeEach(() => origin.set('/page', { body: 'one', etag: '"1"' }));

  test('is given without asking while it is fresh', async () => {
    await mirror.read(page());
    now += 59_000;
    expect((await mirror.read(page())).served).toBe('hit');
    expect(origin.count('/page')).toBe(1);
  });

  test('is given at once when it is stale, and asked for behind', async () => {
    await mirror.read(page());
    origin.set('/page', { body: 'two', etag: '"2"' });
    now += 61_000;
    const stale = await mirror.read(page());
    expect([stale.served, stale.bytes.toString()]).toEqual(['stale', 'one']);
    await mirror.settled();
    expect((await mirror.read(page())).bytes.toString()).toBe('two');
  });

  test('that has not changed is confirmed without being sent again', async () => {
    await mirror.read(page());
    now += 3_600_000;
    const again = await mirror.read(page());
    expect([again.served, again.bytes.toString()]).toEqual(['revalidated', 'one']);
    expect(origin.calls('/page').at(-1)!.headers['if-none-match']).toBe('"1"');
  });

  test('is given at any age while its origin is out', async () => {
    await mirror.read(page());
    await origin.goDark();
    now += 30 * 86_400_000;
    expect(await mirror.read(page())).toMatchObject({ served: 'stale' });
    await origin.comeBack();
    expect((await mirror.read(page())).served).toBe('revalidated');
  });

  test('that vanished at the origin is gone here too', async () => {
    await mirror.read(page());
    origin.remove('/page');
    now += 86_400_000;
    await expect(mirror.read(page())).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('whose bytes are not what is promised now is fetched again', async () => {
    await mirror.read(page());
    origin.set('/page', { body: 'two', etag: '"2"' });
    const promised = { sha256: digestOf('two').slice(7) };
    expect((await mirror.read(page({ promised }))).bytes.toString()).toBe('two');
  });
});

describe('without a network', () => {
  test('what is held is given at any age, and what is not is recorded once as a want', async () => {
    origin.set('/page', { body: 'one' });
    await mirror.read(page());
    await mirror.close();
    mirror = mirrorOver(airgapped());
    now += 365 * 86_400_000;
    expect((await mirror.read(page())).bytes.toString()).toBe('one');
    const missing = ref('/other', { want: { note: 'other' } });
    for (let count = 0; count < 3; count += 1) await expect(mirror.open(missing)).rejects.toThrow(/list of wants/);
    const wants = await Array.fromAsync(new Wants(store.objects, { service: 'notes', now: () => now }).list());
    expect(wants).toMatchObject([{ key: 'other', item: { note: 'other' } }]);
  });
});

describe('many names', () => {
  test('are warmed side by side, and what fails is told', async () => {
    for (const name of ['a', 'b', 'c']) origin.set(`/${name}`, { body: name });
    const seen: string[] = [];
    const names = ['a', 'b', 'missing', 'c'].map((name) => ref(`/${name}`));
    const result = await warm(mirror, names, { keepGoing: true, progress: (event) => seen.push(event.ref.label) });
    expect(result).toMatchObject({ held: 3, bytes: 3 });
    expect(result.failed.map(({ ref: failed }) => failed.label)).toEqual(['missing']);
    expect(seen.sort()).toEqual(['a', 'b', 'c']);
  });

  test('memory stays bounded with a reader that does not read', async () => {
    const body = randomBytes(64 << 20);
    origin.set('/large', { body });
    const idle = await Promise.all(Array.from({ length: 8 }, async () => (await mirror.open(ref('/large'))).open()));
    await mirror.settled();
    expect(idle.every((stream) => stream.readableLength <= 2 << 20)).toBe(true);
    for (const stream of idle) stream.destroy();
    const file = join(folder.path, 'store/blobs/sha256', digestOf(body).slice(7));
    expect((await readFile(file)).equals(body)).toBe(true);
  });
});
