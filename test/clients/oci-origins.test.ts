import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { type ContainerTool, containerTool } from '../support/container-tools.ts';
import { startCraneRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type ImageSite, type ImageSiteOptions, startImageSite } from '../support/image-site.ts';
import type { BuiltImage } from '../support/images.ts';
import { runCommand } from '../support/python-clients.ts';
import { type Account, startTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

const ACCOUNT: Account = { username: 'mirror', password: 'origin-secret' };
const BASIC = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString('base64');
/** The account, as `htpasswd -B` writes it. */
const HTPASSWD = 'mirror:$2b$04$VXcJOaDo1jD/MDXZxUUWqu72An27OyD96wF8FSo8z5D9kKm397p4G\n';

type Origin = (folder: string) => Promise<{ origin: ImageSiteOptions['origin']; issuer?: TokenIssuer }>;

/** docker-registry, which asks for tokens of somebody else. */
async function withTokens(folder: string) {
  const issuer = await startTokenIssuer(folder, ACCOUNT);
  const registry = await startDockerRegistry(issuer.auth);
  const headersFor = (repository: string) => ({
    authorization: `Bearer ${issuer.tokenFor(`repository:${repository}:pull,push`)}`,
  });
  return { origin: { registry, headersFor }, issuer };
}

const ORIGINS: Record<string, Origin> = {
  "go-containerregistry's registry": async () => ({ origin: { registry: await startCraneRegistry() } }),
  'docker-registry with passwords': async (folder) => {
    const path = join(folder, 'htpasswd');
    await writeFile(path, HTPASSWD);
    const registry = await startDockerRegistry({ htpasswd: { realm: 'test', path } });
    return { origin: { registry, headersFor: () => ({ authorization: `Basic ${BASIC}` }), settings: ACCOUNT } };
  },
  'docker-registry with tokens, for credentials of the settings': async (folder) => {
    const { origin, issuer } = await withTokens(folder);
    return { origin: { ...origin, settings: { ...ACCOUNT, authHosts: [issuer.host] } }, issuer };
  },
  "docker-registry with tokens, for credentials of docker's config.json": async (folder) => {
    const { origin, issuer } = await withTokens(folder);
    const path = join(folder, 'config.json');
    // as docker login writes it
    const auths = { 'https://index.docker.io/v1/': { auth: BASIC }, 'nvcr.io': { auth: BASIC } };
    await writeFile(path, JSON.stringify({ auths }));
    const settings = { authHosts: [issuer.host] };
    return { origin: { ...origin, settings, env: { LARDER_OCI_DOCKER_CONFIG: path } }, issuer };
  },
};

describe.each(Object.entries(ORIGINS))('in front of %s', (_, start) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let site: ImageSite;
  let issuer: TokenIssuer | undefined;
  let host: string;
  let gapped = false;
  let copies = 0;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const played = await start(folder.path);
    issuer = played.issuer;
    site = await startImageSite({ origin: played.origin });
    host = site.host;
  });

  afterAll(async () => {
    await site?.close();
    await issuer?.close();
    await folder?.remove();
  });

  async function run(tool: ContainerTool, ...args: string[]): Promise<string> {
    const program = await containerTool(tool);
    const [command, all] = gapped ? site.inside(program, args) : [program, args];
    const env = { PATH: process.env.PATH, HOME: folder.path };
    const { code, stdout, stderr } = await runCommand(command, all, { env, timeout: 60_000 });
    expect(`${tool} ${args[0]}: ${code}${code === 0 ? '' : ` ${stderr.slice(-2000)}`}`).toBe(`${tool} ${args[0]}: 0`);
    return stdout;
  }

  /** Fetches an image whole, and looks at what came. */
  async function expectCopied(name: string, image: BuiltImage): Promise<void> {
    copies += 1;
    const to = join(folder.path, `copy-${copies}`);
    await mkdir(to);
    await run('skopeo', 'copy', '--all', '--src-tls-verify=false', `docker://${host}/${name}`, `dir:${to}`);
    expect(await readFile(join(to, 'manifest.json'), 'utf8')).toBe(image.bytes.toString());
    for (const [digest, bytes] of image.blobs)
      expect((await readFile(join(to, digest.replace('sha256:', '')))).equals(bytes)).toBe(true);
  }

  function reads(): void {
    test('skopeo copies images whole, byte for byte', async () => {
      await expectCopied('docker.io/library/bb:1', site.index);
      await expectCopied('nvcr.io/nvidia/bb:1', site.image);
    });

    test('crane finds them whole: sizes, digests, diff ids', async () => {
      await run('crane', 'validate', '--insecure', '--remote', `${host}/nvcr.io/nvidia/bb:1`);
      expect(await run('crane', 'ls', '--insecure', `${host}/nvcr.io/nvidia/bb`)).toBe('1\n');
    });
  }

  describe('cold', reads);
  describe('warm', reads);

  test('its secrets are asked for one repository at a time, and are told to nobody', async () => {
    if (issuer) expect(issuer.scopes()).not.toEqual([]);
    for (const scope of issuer?.scopes() ?? []) expect(scope).toMatch(/^repository:(library|nvidia)\/bb:pull$/);
    expect(site.log()).not.toContain(ACCOUNT.password);
    expect(site.log()).not.toContain(BASIC);
  });

  describe('when it is dead', () => {
    beforeAll(() => site.origin.kill());
    reads();
  });

  describe('behind the gap', () => {
    beforeAll(async () => {
      host = await site.crossTheGap();
      gapped = true;
    });
    reads();

    test('nothing tried to leave', async () => {
      expect(await site.gap.escaped()).toBe(0);
    });
  });
});
