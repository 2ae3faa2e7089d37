import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ImageRegistry, startImageRegistry } from '../../support/image-registry.ts';
import { type BuiltImage, imageOf, indexOf, layerOf } from '../../support/images.ts';
import { larder } from '../../support/larder.ts';

const PARTS = ['controller', 'webhook', 'cainjector', 'acmesolver', 'startupapicheck'];
let folder: string;
let quay: ImageRegistry;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larder-preset-'));
  quay = await startImageRegistry();
  for (const part of PARTS) quay.add(`jetstack/cert-manager-${part}`, 'v1.17.0', await forTwoPlatforms(part));
});

afterEach(async () => {
  await quay.close();
  await rm(folder, { recursive: true, force: true });
});

async function forTwoPlatforms(own: string): Promise<BuiltImage> {
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
  const layers = platforms.map(({ architecture }) => layerOf({ own: `${own} ${architecture}` }));
  return indexOf(
    await Promise.all(platforms.map(async (platform, at) => imageOf({ platform, layers: [await layers[at]!] }))),
  );
}

const create = (...args: string[]) =>
  larder(['bundle', 'create', '--preset', 'cert-manager-1.17', ...args, '--store', join(folder, 'store')], {
    env: { LARDER_OCI_REGISTRIES: JSON.stringify([{ name: 'quay.io', url: quay.url, authHosts: [quay.authHost] }]) },
    timeout: 60_000,
  });

test('a preset becomes a bundle without a manifest being written', async () => {
  const created = await create(join(folder, 'bundle'));
  expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/bundle: 5 items/) });
  // indexes keep their bytes, and of their images one platform each comes along: index, image, config, layer;
  // and one list of what refers to them, which is empty
  expect(created.stdout).toMatch(/5 items, 21 blobs/);
  const site = join(folder, 'site');
  expect(await larder(['bundle', 'import', join(folder, 'bundle'), '--store', site])).toMatchObject({ code: 0 });
});

test('a preset and a manifest become one bundle', async () => {
  quay.add('site/own', '1', await forTwoPlatforms('own'));
  const manifest = join(folder, 'own.yaml');
  const head = 'format: larder-manifest/1\nname: own\ndefaults: { platforms: { oci: [linux/amd64] } }\n';
  await writeFile(manifest, `${head}items:\n  - oci: quay.io/site/own:1\n`);
  expect(await create(manifest, join(folder, 'bundle'))).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/bundle: 6 items/),
  });
});

test('a preset of which something is missing is no bundle, unless that is wanted', async () => {
  await quay.close();
  quay = await startImageRegistry();
  for (const part of PARTS.slice(1)) quay.add(`jetstack/cert-manager-${part}`, 'v1.17.0', await forTwoPlatforms(part));
  const missing = /missing: .*quay\.io\/jetstack\/cert-manager-controller/;
  expect((await create(join(folder, 'whole'))).code).not.toBe(0);
  const partial = await create('--allow-partial', join(folder, 'partial'));
  expect(partial).toMatchObject({ code: 3, stdout: expect.stringMatching(missing) });
});
