import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { type ContainerTool, containerTool } from '../support/container-tools.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type BuiltImage, imageOf } from '../support/images.ts';
import { runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';
import { makeCertificate } from '../support/tls.ts';
import { startTlsFront, type TlsFront } from '../support/tls-front.ts';

const CERTS = 'certs.d';

describe('behind a front that speaks TLS, by the address of the settings', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let origin: DockerRegistry;
  let front: TlsFront;
  let site: SpawnedLarder;
  let image: BuiltImage;
  let host: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const certificate = await makeCertificate(folder.path);
    front = await startTlsFront(certificate);
    host = new URL(front.url).host;
    origin = await startDockerRegistry();
    image = await imageOf();
    await origin.put('team/app', '1', image);
    const store = join(folder.path, 'store');
    const { stdout } = await larder(['token', 'create', 'ci', '--write', '--service', 'oci', '--store', store]);
    const registries = JSON.stringify([{ name: 'quay.io', url: origin.endpoint }]);
    site = await spawnLarder({ store, env: { LARDER_OCI_REGISTRIES: registries, LARDER_OCI_PUBLIC_URL: front.url } });
    front.passTo(site.urls.oci!);
    const auth = Buffer.from(`ci:${stdout.trim()}`).toString('base64');
    await writeFile(join(folder.path, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }));
    await mkdir(join(folder.path, CERTS));
    await writeFile(join(folder.path, CERTS, 'ca.crt'), certificate.cert);
    env = {
      PATH: process.env.PATH,
      HOME: folder.path,
      DOCKER_CONFIG: folder.path,
      REGISTRY_AUTH_FILE: join(folder.path, 'config.json'),
      SSL_CERT_FILE: join(folder.path, CERTS, 'ca.crt'),
    };
  });

  afterAll(async () => {
    await site?.stop();
    await origin?.close();
    await front?.close();
    await folder?.remove();
  });

  async function run(tool: ContainerTool, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCommand(await containerTool(tool), args, { env, timeout: 60_000 });
    expect(`${tool} ${args[0]}: ${code}${code === 0 ? '' : ` ${stderr.slice(-2000)}`}`).toBe(`${tool} ${args[0]}: 0`);
    return stdout;
  }

  test('clients are sent for tokens, and with their uploads, to that address and no other', async () => {
    const { headers } = await fetch(`${site.urls.oci}/v2/`);
    expect(headers.get('www-authenticate')).toContain(`realm="${front.url}/token"`);
  });

  test('crane pulls what is mirrored, pushes, and finds what it pushed', async () => {
    await run('crane', 'validate', '--remote', `${host}/quay.io/team/app:1`);
    await run('crane', 'copy', `${host}/quay.io/team/app:1`, `${host}/own/app:1`);
    expect(await run('crane', 'manifest', `${host}/own/app:1`)).toBe(image.bytes.toString());
  });

  test('skopeo does so, too', async () => {
    const certs = join(folder.path, CERTS);
    const ways = ['--src-cert-dir', certs, '--dest-cert-dir', certs];
    await run('skopeo', 'copy', ...ways, `docker://${host}/quay.io/team/app:1`, `docker://${host}/own/other:1`);
    const to = join(folder.path, 'copied');
    await run('skopeo', 'copy', '--src-cert-dir', certs, `docker://${host}/own/other:1`, `dir:${to}`);
    expect(await readFile(join(to, 'manifest.json'), 'utf8')).toBe(image.bytes.toString());
  });
});
