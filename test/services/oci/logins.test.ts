import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { type ImageRegistry, type Login, startImageRegistry } from '../../support/image-registry.ts';
import { type BuiltImage, imageOf } from '../../support/images.ts';
import { type Site, startSite } from './support.ts';

const ACCOUNT = { username: 'mirror', password: 'pa:ss word' };
const BASIC = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString('base64');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let image: BuiltImage;
let started: { close(): Promise<void> }[];

beforeEach(async () => {
  folder = await temporaryFolder();
  image = await imageOf();
  started = [];
});
afterEach(async () => {
  for (const one of started.reverse()) await one.close();
  await folder.remove();
});

async function registryWith(login: Login): Promise<ImageRegistry> {
  const registry = await startImageRegistry({ login, redirects: true });
  started.push(registry);
  registry.add('team/app', '1', image);
  return registry;
}

async function siteFor(...[registries, options]: Parameters<typeof startSite>): Promise<Site> {
  const site = await startSite(registries, options);
  started.push(site);
  return site;
}

async function dockerConfig(auths: object): Promise<{ config: { dockerConfig: string } }> {
  const path = join(folder.path, 'config.json');
  await writeFile(path, JSON.stringify({ auths, credsStore: 'desktop' }));
  return { config: { dockerConfig: path } };
}

/** The image comes whole, and no host of blobs was told who asks. */
async function expectPulled(site: Site, registry: ImageRegistry, name: string): Promise<void> {
  expect((await site.ask(`/v2/${name}/manifests/1`)).bytes).toEqual(image.bytes);
  for (const [digest, bytes] of image.blobs) {
    expect((await site.ask(`/v2/${name}/blobs/${digest}`)).bytes.equals(bytes)).toBe(true);
    const [call] = registry.origin.calls(`/cdn/${digest}`);
    expect(call!.headers.authorization).toBeUndefined();
  }
}

describe('what the site says to a registry', () => {
  const NEEDED: Record<string, Login> = {
    'that takes it with each request': { kind: 'basic', needed: ACCOUNT },
    'that sends for a token': { kind: 'bearer', needed: ACCOUNT },
    'that has the scope in its realm': { kind: 'scope-in-realm', needed: ACCOUNT },
  };

  describe.each(Object.entries(NEEDED))('%s', (_, login) => {
    test('stands in the settings', async () => {
      const registry = await registryWith(login);
      const site = await siteFor({ 'quay.io': { at: registry, more: ACCOUNT } });
      await expectPulled(site, registry, 'quay.io/team/app');
    });

    test('stands in a file that the settings name', async () => {
      const passwordFile = join(folder.path, 'password');
      await writeFile(passwordFile, `${ACCOUNT.password}\n`);
      const registry = await registryWith(login);
      const more = { username: ACCOUNT.username, passwordFile };
      const site = await siteFor({ 'quay.io': { at: registry, more } });
      await expectPulled(site, registry, 'quay.io/team/app');
    });

    test.each([
      ['by its name', 'quay.io', { 'quay.io': { auth: BASIC } }],
      ['in two fields', 'quay.io', { 'https://quay.io/v2/': ACCOUNT }],
      ['as Docker Hub is called there', 'docker.io', { 'https://index.docker.io/v1/': { auth: BASIC } }],
    ])("stands in docker's config.json, %s", async (_how, name, auths) => {
      const registry = await registryWith(login);
      const site = await siteFor({ [name]: registry }, await dockerConfig(auths));
      await expectPulled(site, registry, `${name}/team/app`);
    });
  });

  test("is exchanged for tokens where docker's config.json has an identity token", async () => {
    const registry = await registryWith({ kind: 'bearer', needed: ACCOUNT });
    const site = await siteFor(
      { 'quay.io': registry },
      await dockerConfig({ 'quay.io': { identitytoken: 'refresh-1' } }),
    );
    await expectPulled(site, registry, 'quay.io/team/app');
    const [call] = registry.tokenCalls();
    const form = new URLSearchParams(call!.form);
    expect(Object.fromEntries(form)).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-1',
      service: 'registry.test',
      scope: 'repository:team/app:pull',
    });
  });

  test('is not said to another registry', async () => {
    const quay = await registryWith({ kind: 'bearer', needed: ACCOUNT });
    const other = await registryWith({ kind: 'bearer' });
    const site = await siteFor({ 'quay.io': { at: quay, more: ACCOUNT }, 'ghcr.io': other });
    await expectPulled(site, other, 'ghcr.io/team/app');
    expect(other.tokenCalls().map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('is nowhere in what clients and logs are told when it is wrong', async () => {
    const registry = await registryWith({ kind: 'bearer', needed: { ...ACCOUNT, password: 'another' } });
    const site = await siteFor({ 'quay.io': { at: registry, more: ACCOUNT } });
    const answer = await site.ask('/v2/quay.io/team/app/manifests/1');
    expect(answer).toMatchObject({ status: 403, code: 'DENIED' });
    expect(answer.message).toMatch(/check the credentials/);
    const said = answer.text + JSON.stringify(site.larder.log());
    for (const secret of [ACCOUNT.password, BASIC]) expect(said).not.toContain(secret);
  });

  test('that cannot be read stops the start, and names the setting and no path', async () => {
    const passwordFile = join(folder.path, 'none');
    const registry = await registryWith({ kind: 'none' });
    const broken = startSite({ 'quay.io': { at: registry, more: { passwordFile } } });
    await expect(broken).rejects.toThrow(/passwordFile of quay\.io in oci\.registries/);
    await expect(broken).rejects.not.toThrow(folder.path);
  });
});
