import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerTool } from '../support/container-tools.ts';
import { type ImageSite, startImageSite } from '../support/image-site.ts';
import { type RegistryTools, registryTools } from '../support/registry-tools.ts';

const COPIERS = ['skopeo', 'crane', 'regctl'] as const;

describe('tools for registries', () => {
  let site: ImageSite;
  let tools: RegistryTools;
  /** Of the Larder that is asked. */
  let host: string;

  beforeAll(async () => {
    for (const tool of [...COPIERS, 'buildah'] as const) await containerTool(tool);
    site = await startImageSite();
    tools = await registryTools(site);
    await pointAt(site.host);
  });

  afterAll(async () => {
    await site?.close();
    await tools?.remove();
  });

  const pointAt = async (where: string) => {
    host = where;
    await tools.stand(where);
  };

  const manifestBy: Record<(typeof COPIERS)[number], (name: string) => Promise<string>> = {
    skopeo: (name) => tools.run('skopeo', 'inspect', '--raw', '--tls-verify=false', `docker://${name}`),
    crane: (name) => tools.run('crane', 'manifest', '--insecure', name),
    regctl: (name) => tools.run('regctl', 'manifest', 'get', '--format', 'raw-body', name),
  };

  const copyBy: Record<(typeof COPIERS)[number], (from: string, to: string) => Promise<unknown>> = {
    skopeo: (from, to) =>
      tools.run(
        ...(['skopeo', 'copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'] as const),
        ...[`docker://${from}`, `docker://${to}`],
      ),
    crane: (from, to) => tools.run('crane', 'copy', '--insecure', from, to),
    regctl: (from, to) => tools.run('regctl', 'image', 'copy', from, to),
  };

  const storage = () => ['--storage-driver', 'vfs', '--root', tools.at('images'), '--runroot', tools.at('images-run')];
  const buildah = (...args: string[]) => tools.run('buildah', ...storage(), ...args);
  let copies = 0;

  /** What holds cold, warm, without an origin and behind the gap. */
  function reads(): void {
    test.each(COPIERS)('%s gets manifests byte for byte, by tag and by digest', async (tool) => {
      const { index, image } = site;
      expect(await manifestBy[tool](`${host}/docker.io/library/bb:1`)).toBe(index.bytes.toString());
      expect(await manifestBy[tool](`${host}/library/bb:1`)).toBe(index.bytes.toString());
      expect(await manifestBy[tool](`${host}/nvcr.io/nvidia/bb@${image.digest}`)).toBe(image.bytes.toString());
    });

    test.each(COPIERS)('%s copies an image of all platforms with its digests', async (tool) => {
      copies += 1;
      const to = `${host}/team/${tool}-${copies}:1`;
      await copyBy[tool](`${host}/docker.io/library/bb:1`, to);
      expect(await manifestBy[tool](to)).toBe(site.index.bytes.toString());
    });

    test('crane checks an image whole: sizes, digests, diff ids', async () => {
      await tools.run('crane', 'validate', '--insecure', '--remote', `${host}/nvcr.io/nvidia/bb:1`);
    });

    test('buildah pulls an image, and finds its files', async () => {
      await buildah('rmi', '--all', '--force');
      const name = (await buildah('from', '--pull-always', '--tls-verify=false', `${host}/nvcr.io/nvidia/bb:1`)).trim();
      const root = (await buildah('mount', name)).trim();
      expect(await readFile(`${root}/etc/kind`, 'utf8')).toBe('docker\n');
      await buildah('rm', name);
    });
  }

  describe('at a mirror that holds nothing yet', reads);

  describe('at the same mirror, warm', () => {
    reads();

    test('lists of tags and repositories', async () => {
      expect(await tools.run('crane', 'ls', '--insecure', `${host}/nvcr.io/nvidia/bb`)).toBe('1\n');
      expect(await tools.run('regctl', 'tag', 'ls', `${host}/team/crane-2`)).toBe('1\n');
      expect((await tools.run('crane', 'catalog', '--insecure', host)).split('\n')).toContain('team/regctl-3');
    });

    // one image each: tools remember in what form a layer is at a registry, and send no other
    test.each(['gzip', 'zstd', 'zstd:chunked'])(
      'buildah pushes what it built, its layer in %s',
      async (compression) => {
        const name = (await buildah('from', 'scratch')).trim();
        await writeFile(tools.at('note.txt'), `kept in ${compression}\n`);
        await buildah('copy', name, tools.at('note.txt'), '/note.txt');
        const image = (await buildah('commit', name)).trim();
        const to = `${host}/team/built:${compression.replace(':', '-')}`;
        const how = ['--tls-verify=false', '--compression-format', compression];
        await buildah('push', ...how, image, `docker://${to}`);
        const { layers } = JSON.parse(await manifestBy.crane(to)) as { layers: { mediaType: string }[] };
        expect(layers.map(({ mediaType }) => mediaType.split(/[+.]/).at(-1))).toEqual([compression.split(':')[0]]);
        await tools.run('crane', 'export', '--insecure', to, tools.at('built.tar'));
        expect((await readFile(tools.at('built.tar'))).includes(`kept in ${compression}\n`)).toBe(true);
      },
    );

    test.each([['--dest-no-creds'], ['--dest-creds=ci:wrong']])('a push is refused in words: %s', async (creds) => {
      const { code, stderr } = await tools.attempt('skopeo', [
        ...['copy', '--src-tls-verify=false', '--dest-tls-verify=false', creds],
        ...[`docker://${host}/nvcr.io/nvidia/bb:1`, `docker://${host}/team/refused:1`],
      ]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/unauthorized|authentication required/i);
    });

    test('what was deleted is gone', async () => {
      await tools.run('crane', 'copy', '--insecure', `${host}/nvcr.io/nvidia/bb:1`, `${host}/team/gone:1`);
      await tools.run('skopeo', 'delete', '--tls-verify=false', `docker://${host}/team/gone:1`);
      const { code, stderr } = await tools.attempt('crane', ['manifest', '--insecure', `${host}/team/gone:1`]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/MANIFEST_UNKNOWN|NAME_UNKNOWN/);
    });
  });

  describe('when the origin is dead', () => {
    beforeAll(() => site.origin.kill());
    reads();
  });

  describe('behind the gap', () => {
    beforeAll(async () => {
      await pointAt(await site.crossTheGap());
      tools.enterTheGap();
    });
    reads();

    test('what is missing is said, with how to bring it', async () => {
      const asked = ['manifest', '--insecure', `${host}/nvcr.io/nvidia/none:1`];
      const { code, stderr } = await tools.attempt('crane', asked);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/MANIFEST_UNKNOWN.*nvcr\.io\/nvidia\/none:1/s);
    });

    test('nothing tried to leave', async () => {
      expect(await site.gap.escaped()).toBe(0);
    });
  });
});
