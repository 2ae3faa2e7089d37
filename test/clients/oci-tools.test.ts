import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { type ContainerTool, containerTool } from '../support/container-tools.ts';
import { type ImageSite, startImageSite } from '../support/image-site.ts';
import { runCommand } from '../support/python-clients.ts';

const COPIERS = ['skopeo', 'crane', 'regctl'] as const;
const ALL: ContainerTool[] = [...COPIERS, 'buildah', 'oras', 'helm', 'cosign'];

describe('tools for registries', () => {
  let site: ImageSite;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let env: NodeJS.ProcessEnv;
  /** Of the Larder that is asked. */
  let host: string;
  /** Whether tools run in the gap, too. */
  let gapped = false;

  beforeAll(async () => {
    for (const tool of ALL) await containerTool(tool);
    folder = await temporaryFolder();
    site = await startImageSite();
    await stand(site.host);
  });

  afterAll(async () => {
    await site?.close();
    await folder?.remove();
  });

  const at = (name: string) => join(folder.path, name);

  /** Says who we are to the Larder at this place, in the file that all of them read. */
  async function stand(where: string): Promise<void> {
    host = where;
    const docker = at('.docker');
    await mkdir(docker, { recursive: true });
    const auth = Buffer.from(`ci:${site.token}`).toString('base64');
    await writeFile(join(docker, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }));
    const regctl = { hosts: { [host]: { tls: 'disabled', user: 'ci', pass: site.token } } };
    await writeFile(at('regctl.json'), JSON.stringify(regctl));
    env = {
      PATH: process.env.PATH,
      HOME: folder.path,
      DOCKER_CONFIG: docker,
      REGISTRY_AUTH_FILE: join(docker, 'config.json'),
      REGCTL_CONFIG: at('regctl.json'),
      HELM_REGISTRY_CONFIG: join(docker, 'config.json'),
      COSIGN_PASSWORD: '',
      STORAGE_DRIVER: 'vfs',
    };
  }

  async function attempt(tool: ContainerTool, args: readonly string[], cwd = folder.path) {
    const program = await containerTool(tool);
    const [command, all] = gapped ? site.inside(program, args) : [program, [...args]];
    return runCommand(command, all, { env, cwd, timeout: 60_000 });
  }

  async function run(tool: ContainerTool, args: readonly string[], cwd?: string): Promise<string> {
    const { code, stdout, stderr } = await attempt(tool, args, cwd);
    expect(`${tool} ${args[0]}: ${code}${code === 0 ? '' : ` ${stderr.slice(-2000)}`}`).toBe(`${tool} ${args[0]}: 0`);
    return stdout;
  }

  const manifestBy: Record<(typeof COPIERS)[number], (name: string) => Promise<string>> = {
    skopeo: (name) => run('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`]),
    crane: (name) => run('crane', ['manifest', '--insecure', name]),
    regctl: (name) => run('regctl', ['manifest', 'get', '--format', 'raw-body', name]),
  };

  const copyBy: Record<(typeof COPIERS)[number], (from: string, to: string) => Promise<unknown>> = {
    skopeo: (from, to) =>
      run('skopeo', [
        ...['copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[`docker://${from}`, `docker://${to}`],
      ]),
    crane: (from, to) => run('crane', ['copy', '--insecure', from, to]),
    regctl: (from, to) => run('regctl', ['image', 'copy', from, to]),
  };

  /** What holds cold, warm, without an origin and behind the gap. */
  function reads(): void {
    test.each(COPIERS)('%s gets manifests byte for byte, by tag and by digest', async (tool) => {
      const { index, image } = site;
      expect(await manifestBy[tool](`${host}/docker.io/library/bb:1`)).toBe(index.bytes.toString());
      expect(await manifestBy[tool](`${host}/library/bb:1`)).toBe(index.bytes.toString());
      expect(await manifestBy[tool](`${host}/nvcr.io/nvidia/bb@${image.digest}`)).toBe(image.bytes.toString());
    });

    test.each(COPIERS)('%s copies an image of all platforms with its digests', async (tool) => {
      const to = `${host}/team/${tool}${gapped ? '-inside' : ''}:1`;
      await copyBy[tool](`${host}/docker.io/library/bb:1`, to);
      expect(await manifestBy[tool](to)).toBe(site.index.bytes.toString());
    });

    test('crane checks an image whole: sizes, digests, diff ids', async () => {
      await run('crane', ['validate', '--insecure', '--remote', `${host}/nvcr.io/nvidia/bb:1`]);
    });
  }

  describe('at a mirror that holds nothing yet', reads);

  describe('at the same mirror, warm', () => {
    reads();

    test('lists of tags and repositories', async () => {
      expect(await run('crane', ['ls', '--insecure', `${host}/nvcr.io/nvidia/bb`])).toBe('1\n');
      expect(await run('regctl', ['tag', 'ls', `${host}/team/crane`])).toBe('1\n');
      expect((await run('crane', ['catalog', '--insecure', host])).split('\n')).toContain('team/regctl');
    });

    // one image each: tools remember in what form a layer is at a registry, and send no other
    test.each(['gzip', 'zstd', 'zstd:chunked'])(
      'buildah pushes what it built, its layer in %s',
      async (compression) => {
        const storage = ['--root', at('containers'), '--runroot', at('containers-run')];
        const name = (await run('buildah', [...storage, 'from', 'scratch'])).trim();
        await writeFile(at('note.txt'), `kept in ${compression}\n`);
        await run('buildah', [...storage, 'copy', name, at('note.txt'), '/note.txt']);
        const image = (await run('buildah', [...storage, 'commit', name])).trim();
        const to = `${host}/team/built:${compression.replace(':', '-')}`;
        const how = ['--tls-verify=false', '--compression-format', compression];
        await run('buildah', [...storage, 'push', ...how, image, `docker://${to}`]);
        const { layers } = JSON.parse(await manifestBy.crane(to)) as { layers: { mediaType: string }[] };
        expect(layers.map(({ mediaType }) => mediaType.split(/[+.]/).at(-1))).toEqual([compression.split(':')[0]]);
        await run('crane', ['export', '--insecure', to, at('built.tar')]);
        expect((await readFile(at('built.tar'))).includes(`kept in ${compression}\n`)).toBe(true);
      },
    );

    test.each([['--dest-no-creds'], ['--dest-creds=ci:wrong']])('a push is refused in words: %s', async (creds) => {
      const { code, stderr } = await attempt('skopeo', [
        ...['copy', '--src-tls-verify=false', '--dest-tls-verify=false', creds],
        ...[`docker://${host}/nvcr.io/nvidia/bb:1`, `docker://${host}/team/refused:1`],
      ]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/unauthorized|authentication required/i);
    });

    test('what was deleted is gone', async () => {
      await run('crane', ['copy', '--insecure', `${host}/nvcr.io/nvidia/bb:1`, `${host}/team/gone:1`]);
      await run('skopeo', ['delete', '--tls-verify=false', `docker://${host}/team/gone:1`]);
      const { code, stderr } = await attempt('crane', ['manifest', '--insecure', `${host}/team/gone:1`]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/MANIFEST_UNKNOWN|NAME_UNKNOWN/);
    });
  });

  /** What is no image: pushed once, read wherever. */
  describe('artifacts', () => {
    test('oras pushes files, attaches more, and finds and fetches both', async () => {
      await writeFile(at('weights.bin'), 'weights');
      await writeFile(at('card.md'), '# card');
      const name = `${host}/team/model:1`;
      await run('oras', ['push', '--plain-http', name, 'weights.bin:application/vnd.test.weights']);
      await run('oras', ['attach', '--plain-http', '--artifact-type', 'application/vnd.test.card', name, 'card.md']);
      expect(await run('oras', ['discover', '--plain-http', '--format', 'json', name])).toContain('vnd.test.card');
      await run('oras', ['pull', '--plain-http', '--output', at('pulled'), name]);
      expect(await readFile(at('pulled/weights.bin'), 'utf8')).toBe('weights');
    });

    test('helm pushes a chart', async () => {
      await mkdir(at('demo/templates'), { recursive: true });
      await writeFile(at('demo/Chart.yaml'), 'apiVersion: v2\nname: demo\nversion: 1.2.3+larder\n');
      await run('helm', ['package', 'demo']);
      await run('helm', ['push', '--plain-http', 'demo-1.2.3+larder.tgz', `oci://${host}/charts`]);
    });

    test('cosign signs an image of an origin here, and verifies it', async () => {
      await run('cosign', ['generate-key-pair']);
      const image = `${host}/nvcr.io/nvidia/bb@${site.image.digest}`;
      const offline = ['--use-signing-config=false', '--tlog-upload=false', '--allow-http-registry', '--yes'];
      await run('cosign', ['sign', '--key', 'cosign.key', ...offline, image]);
      expect(await verified(image)).toContain(site.image.digest);
    });

    const verified = (image: string) =>
      run('cosign', ['verify', '--key', 'cosign.pub', '--insecure-ignore-tlog', '--allow-http-registry', image]);

    const readsArtifacts = () => {
      test('are fetched, found and verified', async () => {
        const chart = ['pull', '--plain-http', `oci://${host}/charts/demo`, '--version', '1.2.3+larder'];
        await run('helm', [...chart, '--destination', folder.path]);
        expect((await readFile(at('demo-1.2.3+larder.tgz'))).length).toBeGreaterThan(0);
        expect(await run('oras', ['discover', '--plain-http', '--format', 'json', `${host}/team/model:1`])).toContain(
          'vnd.test.card',
        );
        expect(await verified(`${host}/nvcr.io/nvidia/bb@${site.image.digest}`)).toContain(site.image.digest);
      });
    };

    readsArtifacts();

    describe('when the origin is dead', () => {
      beforeAll(() => site.origin.kill());
      reads();
      readsArtifacts();
    });

    describe('behind the gap', () => {
      beforeAll(async () => {
        await stand(await site.crossTheGap());
        gapped = true;
      });
      reads();
      readsArtifacts();

      test('what is missing is said, with how to bring it', async () => {
        const { code, stderr } = await attempt('crane', ['manifest', '--insecure', `${host}/nvcr.io/nvidia/none:1`]);
        expect(code).not.toBe(0);
        expect(stderr).toMatch(/MANIFEST_UNKNOWN.*nvcr\.io\/nvidia\/none:1/s);
      });

      test('nothing tried to leave', async () => {
        expect(await site.gap.escaped()).toBe(0);
      });
    });
  });
});
