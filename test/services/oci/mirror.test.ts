import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ImageRegistry, startImageRegistry } from '../../support/image-registry.ts';
import { artifactOf, type BuiltImage, imageOf, indexOf, largeLayer, layerOf } from '../../support/images.ts';
import { type Site, startSite } from './support.ts';

let hub: ImageRegistry;
let nvcr: ImageRegistry;
let site: Site;
let busybox: BuiltImage;
let tao: BuiltImage;
let arm: BuiltImage;
let index: BuiltImage;
let signature: BuiltImage;

beforeAll(async () => {
  hub = await startImageRegistry({ login: { kind: 'bearer' }, redirects: true });
  nvcr = await startImageRegistry({
    login: { kind: 'scope-in-realm', needed: { username: '$oauthtoken', password: 'ngc-key' } },
  });
  busybox = await imageOf({ docker: true, layers: [await layerOf({ hello: 'a' }, { docker: true })] });
  arm = await imageOf({ platform: { os: 'linux', architecture: 'arm64' } });
  tao = await imageOf({ layers: [await largeLayer(3_000_000)] });
  index = indexOf([tao, arm]);
  signature = artifactOf(tao, 'application/vnd.example.signature', 'signed');
  hub.add('library/busybox', '1', busybox);
  hub.add('library/busybox', '2.0.1', busybox);
  nvcr.add('nvidia/tao', '5', index);
  nvcr.add('nvidia/tao', undefined, signature);
  site = await startSite({ 'docker.io': hub, 'nvcr.io': { at: nvcr, more: { password: 'ngc-key' } } });
});
afterAll(async () => {
  await site?.close();
  await hub?.close();
  await nvcr?.close();
});

const layerIn = (image: BuiltImage) => [...image.blobs.keys()].at(-1)!;

describe('an image is found', () => {
  const forms = [
    ['with its host in front of its name', '/v2/docker.io/library/busybox/manifests/1'],
    ['without "library", which nobody types', '/v2/docker.io/busybox/manifests/1'],
    ['by ns, as containerd has it', '/v2/library/busybox/manifests/1?ns=docker.io'],
    ['by both, as dockerd has it', '/v2/docker.io/library/busybox/manifests/1?ns=docker.io'],
    ['with its host in front of /v2/, as dockerd has mirrors with a path', '/docker.io/v2/library/busybox/manifests/1'],
    ['bare, which means docker.io', '/v2/library/busybox/manifests/1'],
    ['bare and short', '/v2/busybox/manifests/1'],
    ['by another name of its registry', '/v2/index.docker.io/library/busybox/manifests/1'],
  ] as const;
  test.each(forms)('%s', async (_form, path) => {
    const answer = await site.ask(path);
    expect(answer.status).toBe(200);
    expect(answer.bytes).toEqual(busybox.bytes);
    expect(answer.headers.get('docker-content-digest')).toBe(busybox.digest);
    expect(answer.headers.get('content-type')).toBe(busybox.mediaType);
    expect(answer.headers.get('content-encoding')).toBeNull();
  });

  test('and all of these forms asked its registry once', () => {
    expect(hub.asked('GET').filter((one) => one.includes('/manifests/1') && !one.includes('?'))).toHaveLength(2);
  });

  test('and who used ns is told that it counted', async () => {
    const answer = await site.ask('/v2/library/busybox/manifests/1?ns=docker.io');
    expect(answer.headers.get('oci-namespace')).toBe('docker.io');
  });

  test('but a host that is not on the list is never asked', async () => {
    const answer = await site.ask(`/v2/library/busybox/manifests/1?ns=${hub.host}`);
    expect(answer).toMatchObject({ status: 404, code: 'NAME_UNKNOWN' });
    expect(answer.message).toContain('docker.io, nvcr.io');
  });
});

describe('tags', () => {
  test('a HEAD says what a GET says, and is enough to know the tag when the registry is gone', async () => {
    hub.add('library/headed', '1', busybox);
    const head = await site.ask('/v2/docker.io/library/headed/manifests/1', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(busybox.size));
    expect(head.headers.get('docker-content-digest')).toBe(busybox.digest);
    await hub.origin.goDark();
    site.clock.now += 2 * 86_400_000;
    const held = await site.ask('/v2/docker.io/library/headed/manifests/1');
    expect(held.bytes).toEqual(busybox.bytes);
    await hub.origin.comeBack();
    site.clock.now += 60_000;
  });

  test('are looked at again with a HEAD, which is no pull', async () => {
    hub.add('library/again', '1', busybox);
    await site.ask('/v2/docker.io/library/again/manifests/1');
    const gets = hub.asked('GET').filter((one) => one.includes('again')).length;
    site.clock.now += 61_000;
    await site.ask('/v2/docker.io/library/again/manifests/1');
    await site.larder.settled();
    expect(hub.asked('HEAD').filter((one) => one.includes('again'))).toHaveLength(1);
    expect(hub.asked('GET').filter((one) => one.includes('again'))).toHaveLength(gets);
  });

  test('that moved are fetched, given to the next who asks, and the old image stays by its digest', async () => {
    const other = await imageOf({ annotations: { version: '2' } });
    hub.add('library/moves', 'latest', busybox);
    const path = '/v2/docker.io/library/moves/manifests/latest';
    await site.ask(path);
    hub.add('library/moves', 'latest', other);
    site.clock.now += 61_000;
    expect((await site.ask(path)).bytes).toEqual(busybox.bytes);
    await site.larder.settled();
    expect((await site.ask(path)).bytes).toEqual(other.bytes);
    expect((await site.ask(`/v2/docker.io/library/moves/manifests/${busybox.digest}`)).status).toBe(200);
  });

  test('of versions are believed longer than others', async () => {
    await site.ask('/v2/docker.io/library/busybox/manifests/2.0.1');
    const before = hub.asked().length;
    site.clock.now += 600_000;
    await site.ask('/v2/docker.io/library/busybox/manifests/2.0.1');
    await site.larder.settled();
    expect(hub.asked().length).toBe(before);
  });

  test.each([429, 500, 401, 403])('are given as they were when the registry answers %s', async (status) => {
    hub.add('library/stale', 's', busybox);
    const path = '/v2/docker.io/library/stale/manifests/s';
    await site.ask(path);
    hub.origin.fail({ path: '/v2/library/stale/manifests/s', status, times: 2 });
    site.clock.now += 2 * 86_400_000;
    expect((await site.ask(path)).bytes).toEqual(busybox.bytes);
    await site.larder.settled();
    site.clock.now += 600_000;
  });

  test('are listed as their registry lists them, page by page', async () => {
    expect((await site.ask('/v2/docker.io/library/busybox/tags/list')).json).toEqual({
      name: 'docker.io/library/busybox',
      tags: ['1', '2.0.1'],
    });
    const page = await site.ask('/v2/docker.io/library/busybox/tags/list?n=1');
    expect(page.json).toMatchObject({ tags: ['1'] });
    expect(page.headers.get('link')).toBe('</v2/docker.io/library/busybox/tags/list?n=1&last=1>; rel="next"');
  });

  test('that nobody has are not there, and that is asked once', async () => {
    const path = '/v2/docker.io/library/busybox/manifests/none';
    expect(await site.ask(path)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
    const before = hub.asked().length;
    expect((await site.ask(path)).status).toBe(404);
    expect(hub.asked().length).toBe(before);
  });
});

describe('digests', () => {
  test('of a manifest are asked for once and for ever', async () => {
    const path = `/v2/nvcr.io/nvidia/tao/manifests/${arm.digest}`;
    expect((await site.ask(path)).bytes).toEqual(arm.bytes);
    const before = nvcr.asked().length;
    site.clock.now += 365 * 86_400_000;
    expect((await site.ask(path)).headers.get('x-larder-served')).toBe('hit');
    expect(nvcr.asked().length).toBe(before);
  });

  test('a layer that two images share is fetched once', async () => {
    const shared = await layerOf({ shared: 'layer' });
    hub.add('library/one', '1', await imageOf({ layers: [shared] }));
    hub.add('library/two', '1', await imageOf({ layers: [shared], annotations: { other: 'image' } }));
    const digest = layerIn(await imageOf({ layers: [shared] }));
    for (const name of ['one', 'two'])
      expect((await site.ask(`/v2/docker.io/library/${name}/blobs/${digest}`)).bytes).toEqual(shared.bytes);
    expect(hub.asked('GET').filter((one) => one.includes(digest))).toHaveLength(2); // the first without a token
  });

  test('that are none are refused in words', async () => {
    expect(await site.ask('/v2/docker.io/library/busybox/blobs/sha256:abc')).toMatchObject({
      status: 400,
      code: 'DIGEST_INVALID',
    });
  });
});

describe('blobs', () => {
  test('come from where their registry sends for them, without its token going there', async () => {
    const digest = layerIn(busybox);
    const answer = await site.ask(`/v2/docker.io/library/busybox/blobs/${digest}`);
    expect(answer.bytes).toEqual(busybox.blobs.get(digest));
    const calls = hub.origin.calls(`/cdn/${digest}`);
    expect(calls).toHaveLength(1);
    expect(calls[0]!.headers.authorization).toBeUndefined();
  });

  test('are given in ranges, one or several, and past their end not', async () => {
    const digest = layerIn(tao);
    const bytes = tao.blobs.get(digest)!;
    const path = `/v2/nvcr.io/nvidia/tao/blobs/${digest}`;
    const range = (value: string) => site.ask(path, { headers: { range: value } });
    const cold = await range('bytes=2000000-2000099');
    expect(cold.status).toBe(206);
    expect(cold.bytes).toEqual(bytes.subarray(2_000_000, 2_000_100));
    await site.larder.settled();
    expect((await range('bytes=100-')).bytes).toEqual(bytes.subarray(100));
    const several = await range('bytes=0-9,100-109');
    expect(several.headers.get('content-type')).toMatch(/^multipart\/byteranges; boundary=/);
    expect(several.text).toContain(
      `content-range: bytes 100-109/${bytes.length}`.replace('content-range', 'Content-Range'),
    );
    expect((await range(`bytes=${bytes.length}-`)).status).toBe(416);
  });

  test('carry a Location for ollama, which goes nowhere without one', async () => {
    const path = `/v2/docker.io/library/busybox/blobs/${layerIn(busybox)}`;
    const answer = await site.ask(path, { headers: { 'user-agent': 'ollama/0.12 (linux)' } });
    expect(answer.headers.get('location')).toBe(path);
    expect((await site.ask(path)).headers.get('location')).toBeNull();
  });
});

describe('what refers to an image', () => {
  test('is listed as its registry lists it', async () => {
    const answer = await site.ask(`/v2/nvcr.io/nvidia/tao/referrers/${tao.digest}`);
    expect(answer.headers.get('content-type')).toBe('application/vnd.oci.image.index.v1+json');
    expect((answer.json as { manifests: object[] }).manifests).toMatchObject([
      { digest: signature.digest, artifactType: signature.artifactType, annotations: signature.annotations },
    ]);
    const other = await site.ask(`/v2/nvcr.io/nvidia/tao/referrers/${tao.digest}?artifactType=text/none`);
    expect(other.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(other.json).toMatchObject({ manifests: [] });
  });

  test('is found in the tag that stands in for the list where the registry has none', async () => {
    const plain = await startImageRegistry({ withoutReferrers: true });
    const image = await imageOf();
    const bill = artifactOf(image, 'application/spdx+json', '{}');
    plain.add('team/app', '1', image);
    plain.add('team/app', image.digest.replace(':', '-'), indexOf([bill]));
    const own = await startSite({ 'quay.io': plain });
    const answer = await own.ask(`/v2/quay.io/team/app/referrers/${image.digest}`);
    expect((answer.json as { manifests: object[] }).manifests).toMatchObject([{ digest: bill.digest }]);
    await own.close();
    await plain.close();
  });
});

describe('tokens of registries', () => {
  test('are asked for by scope, one for all who ask', () => {
    const scopes = hub.tokenCalls().map(({ query }) => query.get('scope'));
    expect(scopes).toContain('repository:library/busybox:pull');
    expect(hub.tokenCalls().every(({ query }) => query.get('service') === 'registry.test')).toBe(true);
  });

  test('are had with the key alone where the scope stands in the realm', () => {
    const [call] = nvcr.tokenCalls();
    expect(call!.query.get('scope')).toBe('repository:nvidia/tao:pull');
    expect(call!.authorization).toBe(`Basic ${Buffer.from('$oauthtoken:ngc-key').toString('base64')}`);
  });

  test('that are refused end in words that say which setting is missing', async () => {
    const shut = await startImageRegistry({ login: { kind: 'bearer', needed: { username: 'u', password: 'p' } } });
    const own = await startSite({ 'quay.io': shut });
    const answer = await own.ask('/v2/quay.io/team/app/manifests/1');
    expect(answer).toMatchObject({ status: 403, code: 'DENIED' });
    await own.close();
    await shut.close();
  });
});

test('what a registry still grants is a gauge', async () => {
  hub.headers['ratelimit-limit'] = '100;w=21600';
  hub.headers['ratelimit-remaining'] = '73;w=21600';
  hub.add('library/limited', '1', busybox);
  await site.ask('/v2/docker.io/library/limited/manifests/1');
  const metrics = await (await fetch(`${site.larder.adminUrl}/metrics`)).text();
  expect(metrics).toContain('larder_oci_rate_limit_remaining{registry="docker.io"} 73');
});
