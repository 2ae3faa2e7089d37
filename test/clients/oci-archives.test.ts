import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { containerTool } from '../support/container-tools.ts';
import { type DockerDaemon, type DockerOptions, startDocker } from '../support/docker-daemon.ts';
import { type ImageSite, SAID, startImageSite } from '../support/image-site.ts';
import { runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

const DOCKERS: Record<string, DockerOptions> = {
  'docker 20, of Debian': {},
  'docker 29 with its own store': { newest: true },
  "docker 29 with containerd's store": { newest: true, containerdStore: true },
};

/** As skopeo writes them. */
const TRANSPORTS = ['docker-archive', 'oci-archive', 'oci'];

describe('images that were saved', () => {
  let site: ImageSite;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  /** Holds what was imported, and nothing else. */
  let store: string;
  let inside: SpawnedLarder | undefined;
  let daemon: DockerDaemon | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder();
    store = join(folder.path, 'inside');
    site = await startImageSite();
  });

  afterAll(async () => {
    await daemon?.close();
    await inside?.stop();
    await site?.close();
    await folder?.remove();
  });

  const at = (name: string) => join(folder.path, name);

  async function must(program: string, args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCommand(program, args, { env: process.env, timeout: 60_000 });
    expect(`${args[0]} ended with ${code}: ${code === 0 ? '' : stderr + stdout}`).toBe(`${args[0]} ended with 0: `);
    return stdout;
  }

  async function oci(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await larder(['oci', ...args, '--store', store]);
    expect(`${code} ${stderr}`).toBe(`0 ${stderr}`);
    return stdout;
  }

  async function docker(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await daemon!.docker(...args);
    expect(`${args[0]} ended with ${code}: ${code === 0 ? '' : stderr + stdout}`).toBe(`${args[0]} ended with 0: `);
    return stdout;
  }

  describe.each(Object.entries(DOCKERS))('by %s', (kind, options) => {
    beforeAll(async () => {
      daemon = await startDocker({ ...options, mirrors: [`http://${site.host}`] });
    });
    afterAll(() => daemon?.close());

    test('come in, as they are or compressed', async () => {
      const name = `${site.host}/nvcr.io/nvidia/bb:1`;
      await docker('pull', name);
      await docker('save', '--output', at(`${kind}.tar`), name);
      const as = `nvcr.io/saved/${kind.replaceAll(/[^a-z0-9]+/g, '-')}:1`;
      const digest = (await oci('import', at(`${kind}.tar`), '--as', as)).split(/\s+/)[1];
      // only containerd's store has the manifest that was pulled
      if (options.containerdStore) expect(digest).toBe(site.image.digest);
      await must('gzip', ['--keep', at(`${kind}.tar`)]);
      expect(await oci('import', at(`${kind}.tar.gz`), '--as', as)).toContain(`${as}  ${digest}\n`);
    });

    test('by the name that they were saved with', async () => {
      const name = 'docker.io/library/bb:1';
      await docker('pull', 'bb:1');
      await docker('save', '--output', at('named.tar'), 'bb:1');
      expect(await oci('import', at('named.tar'))).toMatch(new RegExp(`^${name} {2}sha256:`));
    });
  });

  test.each(TRANSPORTS)('by skopeo as %s come in', async (transport) => {
    const skopeo = await containerTool('skopeo');
    const to = `${transport}:${at(transport)}:nvcr.io/saved/by-skopeo-${transport}:1`;
    const from = `docker://${site.host}/nvcr.io/nvidia/bb:1`;
    await must(skopeo, ['copy', '--src-tls-verify=false', from, to]);
    expect(await oci('import', at(transport))).toMatch(/^nvcr\.io\/saved\/by-skopeo-/);
  });

  test('are pulled and run in a site without a network, whatever saved them', async () => {
    inside = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true' } });
    const host = new URL(inside.urls.oci!).host;
    daemon = await startDocker({});
    const answer = await fetch(`${inside.urls.oci}/v2/_catalog`);
    const { repositories } = (await answer.json()) as { repositories: string[] };
    const saved = repositories.filter((name) => name.startsWith('nvcr.io/saved/'));
    expect(saved).toHaveLength(Object.keys(DOCKERS).length + TRANSPORTS.length);
    for (const name of saved) {
      await docker('pull', `${host}/${name}:1`);
      expect([name, (await docker('run', '--rm', '--network=none', `${host}/${name}:1`)).trim()]).toEqual([name, SAID]);
    }
  });

  test('and exported are a layout that skopeo reads', async () => {
    await inside?.stop();
    // the last that came by this name, from containerd's store, is the index that was pulled
    const name = 'docker.io/library/bb:1';
    await oci('export', name, '--to', at('exported'));
    await oci('export', name, '--to', at('exported.tar'));
    const skopeo = await containerTool('skopeo');
    for (const from of [`oci:${at('exported')}:1`, `oci-archive:${at('exported.tar')}:1`]) {
      const raw = await must(skopeo, ['inspect', '--raw', from]);
      expect(raw).toBe(site.index.bytes.toString());
    }
  });
});
