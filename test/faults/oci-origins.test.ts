import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { planGc, runGc } from '../../shared/storage/store-gc.ts';
import { type Site, startSite } from '../services/oci/support.ts';
import { type ImageRegistry, startImageRegistry } from '../support/image-registry.ts';
import { type BuiltImage, imageOf, largeLayer, sha } from '../support/images.ts';

const LAYER_BYTES = 12_000_000;
let hub: ImageRegistry;
let site: Site;
let image: BuiltImage;
let layer: string;

beforeAll(async () => {
  image = await imageOf({ layers: [await largeLayer(LAYER_BYTES)] });
  layer = [...image.blobs.keys()].at(-1)!;
});
beforeEach(async () => {
  hub = await startImageRegistry({ login: { kind: 'bearer' }, redirects: true });
  hub.add('library/big', '1', image);
  site = await startSite({ 'docker.io': hub });
});
afterEach(async () => {
  await site.close();
  await hub.close();
});

const TAG = '/v2/docker.io/library/big/manifests/1';
const blobPath = () => `/v2/docker.io/library/big/blobs/${layer}`;
const cdnPath = () => `/cdn/${layer}`;
const MINUTES = 60_000;

describe('a registry that dies in the middle of a layer', () => {
  test('and comes back is gone on with by Range, and no client notices', async () => {
    hub.origin.fail({ path: cdnPath(), cutAfter: 4_000_000, times: 2 });
    const answer = await site.ask(blobPath());
    expect(sha(answer.bytes)).toBe(layer);
    const ranges = hub.origin.calls(cdnPath()).map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => /^bytes=\d{6,}-$/.test(range ?? ''))).toBe(true);
    expect(ranges).toHaveLength(3);
  });

  test('and stays dead breaks off what clients get: nobody takes the half for the whole, and it is not kept', async () => {
    hub.origin.set(cdnPath(), { body: image.blobs.get(layer)!, pace: 8_000_000 });
    const begun = await fetch(site.url + blobPath());
    const reader = begun.body!.getReader();
    await reader.read();
    await hub.origin.goDark();
    await expect(toTheEnd(reader)).rejects.toThrow();
    await site.larder.settled();
    expect(await site.larder.store.catalog('oci').get(`blob/${layer}`)).toBeUndefined();
    const after = await site.ask(blobPath());
    expect([after.status, after.code]).toEqual([502, 'UNAVAILABLE']);
    await hub.origin.comeBack();
    site.clock.now += 10 * MINUTES;
    expect(sha((await site.ask(blobPath())).bytes)).toBe(layer);
  });

  test('but was asked by a client that went away: the layer is fetched to its end for the next', async () => {
    hub.origin.set(cdnPath(), { body: image.blobs.get(layer)!, pace: 12_000_000 });
    const leaving = new AbortController();
    const answer = await fetch(site.url + blobPath(), { signal: leaving.signal });
    await answer.body!.getReader().read();
    leaving.abort();
    await site.larder.settled();
    await hub.origin.goDark();
    expect(sha((await site.ask(blobPath())).bytes)).toBe(layer);
  });
});

test('a registry that takes 25 seconds to its first byte is waited for, and clients have it before they give up at 30', async () => {
  await site.ask(TAG); // with its token
  hub.delay = 25_000;
  const started = Date.now();
  const [blob, other] = await Promise.all([
    fetch(site.url + blobPath()).then(async (answer) => ({
      headersAfter: Date.now() - started,
      bytes: Buffer.from(await answer.arrayBuffer()),
    })),
    site.ask('/v2/docker.io/library/big/manifests/none'),
  ]);
  expect(blob.headersAfter).toBeLessThan(29_000);
  expect(sha(blob.bytes)).toBe(layer);
  expect(other.status).toBe(404);
}, 60_000);

describe('a registry that says "not so fast"', () => {
  const limited = () =>
    hub.origin.fail({
      path: '/v2/library/big/manifests/1',
      status: 429,
      headers: { 'retry-after': '40' },
      times: 5,
    });

  test('is not missed by those who ask for what is held, however old', async () => {
    await site.ask(TAG);
    site.clock.now += 3 * 24 * 60 * MINUTES;
    limited();
    const answer = await site.ask(TAG);
    expect([answer.status, answer.bytes.equals(image.bytes)]).toEqual([200, true]);
  });

  test('is passed on to those who ask for what was never seen, with the time to wait, and left alone for it', async () => {
    limited();
    const answer = await site.ask(TAG);
    expect([answer.status, answer.code, answer.headers.get('retry-after')]).toEqual([429, 'TOOMANYREQUESTS', '40']);
    const asked = hub.asked().length;
    expect((await site.ask(TAG)).status).toBe(429);
    expect(hub.asked().length).toBe(asked);
  });
});

test.each([401, 403, 429, 500, 503])(
  'a registry that answers %i to everything is not missed by those who ask for what is held',
  async (status) => {
    await site.ask(TAG);
    site.clock.now += 3 * 24 * 60 * MINUTES;
    hub.origin.fail({ path: '/v2/library/big/manifests/1', status, times: 100 });
    const answer = await site.ask(TAG);
    expect([answer.status, answer.bytes.equals(image.bytes)]).toEqual([200, true]);
  },
);

describe('bytes that are not what their digest says', () => {
  test('of a layer reach no client as a whole, and are not kept', async () => {
    hub.origin.fail({ path: cdnPath(), corrupt: true });
    await expect(site.ask(blobPath())).rejects.toThrow();
    await site.larder.settled();
    expect(await site.larder.store.catalog('oci').get(`blob/${layer}`)).toBeUndefined();
    expect(sha((await site.ask(blobPath())).bytes)).toBe(layer);
  });

  test.each(['of a manifest by its digest', 'of a manifest by its tag'])('%s are refused in words', async (by) => {
    const reference = by.endsWith('digest') ? image.digest : '1';
    hub.origin.fail({ path: `/v2/library/big/manifests/${reference}`, corrupt: true, times: 5 });
    const answer = await site.ask(`/v2/docker.io/library/big/manifests/${reference}`);
    expect(answer.status).toBe(502);
    expect(answer.message).toMatch(/sha256/);
    expect(await site.larder.store.catalog('oci').get(`manifest/${image.digest}`)).toBeUndefined();
  });
});

test('a collection of unnamed bytes during a pull takes nothing away from who is reading', async () => {
  hub.origin.set(cdnPath(), { body: image.blobs.get(layer)!, pace: 4_000_000 });
  await site.ask(TAG);
  const pulling = site.ask(blobPath());
  const { store } = site.larder;
  let collections = 0;
  const done = pulling.then(() => true);
  while (!(await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 100, false))]))) {
    // the shortest grace that "larder store gc" takes for a store in use
    const now = Date.now();
    await runGc(store, await planGc(store, { olderThanSeconds: 60, now }));
    collections += 1;
  }
  expect(collections).toBeGreaterThan(3);
  expect(sha((await pulling).bytes)).toBe(layer);
  await hub.origin.goDark();
  expect(sha((await site.ask(blobPath())).bytes)).toBe(layer);
  expect(sha((await site.ask(TAG)).bytes)).toBe(image.digest);
});

async function toTheEnd(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
  while (!(await reader.read()).done);
}
