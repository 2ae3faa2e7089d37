import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { containerTool } from '../support/container-tools.ts';
import { type ImageSite, SAID, startImageSite } from '../support/image-site.ts';
import { runCommand } from '../support/python-clients.ts';
import { larder } from '../support/spawn-larder.ts';

describe('podman', () => {
  let site: ImageSite;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let host: string;
  let gapped = false;

  beforeAll(async () => {
    folder = await temporaryFolder();
    site = await startImageSite();
    // no login yet; the file must be there
    await writeFile(at('auth.json'), '{}');
    await pointAt(site.host);
  });

  afterAll(async () => {
    await site?.close();
    await folder?.remove();
  });

  const at = (name: string) => join(folder.path, name);

  /** As a site is told to set it up: names stay what they are, and the mirror is where they are looked for. */
  async function pointAt(where: string): Promise<void> {
    host = where;
    const { stdout } = await larder(['snippets', 'podman'], { env: { LARDER_OCI_PUBLIC_URL: `http://${host}` } });
    await writeFile(at('registries.conf'), stdout);
  }

  function attempt(...args: string[]) {
    const places = ['--root', at('storage'), '--runroot', at('run'), '--storage-driver', 'vfs'];
    const ways = ['--runtime', 'runc', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'];
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: folder.path,
      CONTAINERS_REGISTRIES_CONF: at('registries.conf'),
      REGISTRY_AUTH_FILE: at('auth.json'),
    };
    return containerTool('podman').then((program) => {
      const words = [...places, ...ways, ...args];
      const [command, all] = gapped ? site.inside(program, words) : [program, words];
      return runCommand(command, all, { env, timeout: 60_000 });
    });
  }

  async function podman(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await attempt(...args);
    expect(`${args[0]} ended with ${code}: ${code === 0 ? '' : stderr + stdout}`).toBe(`${args[0]} ended with 0: `);
    return stdout;
  }

  /** Pulls without anything from before, and gives the digest of what came. */
  async function pull(name: string): Promise<string> {
    await podman('rmi', '--all', '--force');
    await podman('pull', '--quiet', name);
    return (await podman('image', 'inspect', '--format', '{{.Digest}}', name)).trim();
  }

  const run = async (name: string) => {
    const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];
    return (await podman('run', '--rm', '--network=none', ...limits, name)).trim();
  };

  /** What holds cold, warm, without an origin and behind the gap. */
  function pullsAndRuns(): void {
    test('pulls an image by its own name, by way of registries.conf, and runs it', async () => {
      expect([site.index.digest, site.index.manifests[0]!.digest]).toContain(await pull('docker.io/library/bb:1'));
      expect(await run('docker.io/library/bb:1')).toBe(SAID);
      expect(await pull('nvcr.io/nvidia/bb:1')).toBe(site.image.digest);
      expect(await run('nvcr.io/nvidia/bb:1')).toBe(SAID);
    });

    test('pulls by a short name, and by a digest', async () => {
      await pull('bb:1');
      expect(await run('bb:1')).toBe(SAID);
      expect(await pull(`nvcr.io/nvidia/bb@${site.image.digest}`)).toBe(site.image.digest);
    });
  }

  describe('through a mirror that holds nothing yet', pullsAndRuns);
  describe('through the same mirror, warm', pullsAndRuns);

  test('finds images by a part of their names', async () => {
    expect(await podman('search', `${host}/bb`)).toContain('nvcr.io/nvidia/bb');
  });

  test('is not let in with a wrong token', async () => {
    const { code, stderr } = await attempt('login', '--username', 'ci', '--password', 'wrong', host);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/invalid username\/password/);
  });

  test('logs in, pushes, and pulls what it pushed', async () => {
    await pull('nvcr.io/nvidia/bb:1');
    await podman('login', '--username', 'ci', '--password', site.token, host);
    await podman('push', 'nvcr.io/nvidia/bb:1', `${host}/team/bb:2`);
    await pull(`${host}/team/bb:2`);
    expect(await run(`${host}/team/bb:2`)).toBe(SAID);
  });

  describe('when the origin is dead', () => {
    beforeAll(() => site.origin.kill());
    pullsAndRuns();
  });

  describe('behind the gap', () => {
    beforeAll(async () => {
      await pointAt(await site.crossTheGap());
      gapped = true;
    });
    pullsAndRuns();

    test('runs what was pushed before', async () => {
      await pull(`${host}/team/bb:2`);
      expect(await run(`${host}/team/bb:2`)).toBe(SAID);
    });

    test('says how to seed what is missing', async () => {
      const { code, stderr } = await attempt('pull', 'nvcr.io/nvidia/nothing:1');
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/seed it with a bundle/);
    });

    test('nothing tried to leave', async () => {
      expect(await site.gap.escaped()).toBe(0);
    });
  });
});
