import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { type ImageRegistry, startImageRegistry } from '../../support/image-registry.ts';
import { artifactOf, type BuiltImage, imageOf, indexOf, largeLayer } from '../../support/images.ts';
import { larder } from '../../support/larder.ts';
import { type Site, startSite } from './support.ts';

let folder: { path: string; remove(): Promise<void> };
let hub: ImageRegistry;
let nvcr: ImageRegistry;
let site: Site;
let busybox: BuiltImage;
let amd: BuiltImage;
let arm: BuiltImage;
let index: BuiltImage;
let bill: BuiltImage;
let inspected: string;
/** What the registries had been asked when the bundle was there. */
let asked: number;

const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder();
  hub = await startImageRegistry({ login: { kind: 'bearer' } });
  nvcr = await startImageRegistry();
  busybox = await imageOf({ docker: true });
  amd = await imageOf({ layers: [await largeLayer(500_000)] });
  arm = await imageOf({ platform: { os: 'linux', architecture: 'arm64' }, layers: [await largeLayer(400_000, 'arm')] });
  index = indexOf([amd, arm]);
  bill = artifactOf(amd, 'application/spdx+json', '{"packages":[]}');
  hub.add('library/busybox', '1', busybox);
  nvcr.add('nvidia/tao', '5', index);
  nvcr.add('nvidia/tao', undefined, bill);
  nvcr.add('nvidia/tao', `${index.digest.replace(':', '-')}.sig`, await imageOf({ annotations: { signs: 'it' } }));
  const items = [{ oci: 'busybox:1' }, { oci: 'nvcr.io/nvidia/tao:5', platforms: ['linux/amd64'] }];
  await writeFile(at('bundle.yaml'), `format: larder-manifest/1\nname: images\nitems: ${JSON.stringify(items)}\n`);
  const registries = [
    { name: 'docker.io', url: hub.url, authHosts: [hub.authHost] },
    { name: 'nvcr.io', url: nvcr.url },
  ];
  const env = { LARDER_OCI_REGISTRIES: JSON.stringify(registries) };
  const created = await larder(['bundle', 'create', at('bundle.yaml'), at('bundle'), '--store', at('connected')], {
    env,
  });
  expect(created).toMatchObject({ code: 0 });
  inspected = (await larder(['--json', 'bundle', 'inspect', at('bundle')])).stdout;
  expect(await larder(['bundle', 'import', at('bundle'), '--store', at('site')])).toMatchObject({ code: 0 });
  asked = hub.asked().length + nvcr.asked().length;
  site = await startSite({ 'docker.io': hub, 'nvcr.io': nvcr }, { mode: 'airgapped', store: at('site') });
});
afterAll(async () => {
  await site?.close();
  await hub?.close();
  await nvcr?.close();
  await folder?.remove();
});

const blobsOf = (image: BuiltImage) => [...image.blobs.keys()];

describe('from a bundle alone', () => {
  test.each([
    '/v2/docker.io/library/busybox/manifests/1',
    '/v2/library/busybox/manifests/1?ns=docker.io',
    '/docker.io/v2/library/busybox/manifests/1',
    '/v2/busybox/manifests/1',
  ])('%s is the image, byte for byte', async (path) => {
    const answer = await site.ask(path);
    expect(answer.status).toBe(200);
    expect(answer.bytes).toEqual(busybox.bytes);
    expect(answer.headers.get('content-type')).toBe(busybox.mediaType);
  });

  test('its blobs are there, and the index keeps the bytes that its digest is of', async () => {
    for (const digest of blobsOf(busybox))
      expect((await site.ask(`/v2/docker.io/library/busybox/blobs/${digest}`)).bytes).toEqual(
        busybox.blobs.get(digest),
      );
    const found = await site.ask('/v2/nvcr.io/nvidia/tao/manifests/5');
    expect(found.headers.get('docker-content-digest')).toBe(index.digest);
    expect(found.bytes).toEqual(index.bytes);
    for (const digest of blobsOf(amd))
      expect((await site.ask(`/v2/nvcr.io/nvidia/tao/blobs/${digest}`)).status).toBe(200);
  });

  test('what refers to the image came along, and so did what lies beside it in a tag', async () => {
    const listed = await site.ask(`/v2/nvcr.io/nvidia/tao/referrers/${amd.digest}`);
    expect(listed.json).toMatchObject({ manifests: [{ digest: bill.digest }] });
    expect((await site.ask(`/v2/nvcr.io/nvidia/tao/manifests/${bill.digest}`)).bytes).toEqual(bill.bytes);
    const signature = `/v2/nvcr.io/nvidia/tao/manifests/${index.digest.replace(':', '-')}.sig`;
    expect((await site.ask(signature)).status).toBe(200);
  });

  test('lists tell what is held', async () => {
    expect((await site.ask('/v2/_catalog')).json).toEqual({
      repositories: ['docker.io/library/busybox', 'nvcr.io/nvidia/tao'],
    });
    expect((await site.ask('/v2/docker.io/busybox/tags/list')).json).toMatchObject({ tags: ['1'] });
    expect((await site.ask('/v1/search?q=tao')).json).toMatchObject({ results: [{ name: 'nvcr.io/nvidia/tao' }] });
  });

  test('no registry was asked for anything', () => {
    expect(hub.asked().length + nvcr.asked().length).toBe(asked);
  });

  test('the bundle says what it took and what it left', () => {
    expect(inspected).toContain('nvcr.io/nvidia/tao');
    expect(inspected).toContain('linux/arm64');
  });
});

describe('what is missing', () => {
  test('of an index is named by its platform, and wanted so', async () => {
    const answer = await site.ask(`/v2/nvcr.io/nvidia/tao/manifests/${arm.digest}`);
    expect(answer).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
    expect(answer.message).toContain('the platform linux/arm64 of nvcr.io/nvidia/tao');
  });

  test('altogether is told with how to seed it', async () => {
    const answer = await site.ask('/v2/nvcr.io/nvidia/pytorch/manifests/25.01');
    expect(answer).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
    expect(answer.message).toContain('{"oci":"nvcr.io/nvidia/pytorch:25.01"}');
    expect(answer.message).toContain('list of wants');
  });

  test('is the next manifest', async () => {
    const { stdout } = await larder(['wants', 'export', '--store', at('site')]);
    expect(stdout).toContain('nvcr.io/nvidia/pytorch:25.01');
    expect(stdout).toContain('linux/arm64');
  });
});
