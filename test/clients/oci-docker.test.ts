import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { type DockerDaemon, type DockerOptions, startDocker } from '../support/docker-daemon.ts';
import { type ImageSite, SAID, startImageSite } from '../support/image-site.ts';

const DOCKERS: Record<string, DockerOptions> = {
  'docker 20, of Debian': {},
  'docker 29 with its own store': { newest: true },
  "docker 29 with containerd's store": { newest: true, containerdStore: true },
};

describe.each(Object.entries(DOCKERS))('%s', (_, options) => {
  let site: ImageSite;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  /** Of the daemon that is asked, and where the Larder is for it. */
  let daemon: DockerDaemon;
  let host: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    site = await startImageSite();
    host = site.host;
    await begin();
  });

  const begin = async (wrap?: DockerOptions['wrap']) => {
    const mirror = `http://${host}`;
    const hosts = options.containerdStore ? { mirror, names: ['nvcr.io'] } : undefined;
    daemon = await startDocker({ ...options, mirrors: [mirror], hosts, wrap });
  };

  afterAll(async () => {
    await daemon?.close();
    await site?.close();
    await folder?.remove();
  });

  /** Runs docker, which must do it. */
  async function docker(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await daemon.docker(...args);
    expect(`${args[0]} ended with ${code}: ${code === 0 ? '' : stderr + stdout}`).toBe(`${args[0]} ended with 0: `);
    return stdout;
  }

  /** Pulls without anything from before, and gives the digest that docker names. */
  async function pull(name: string): Promise<string | undefined> {
    const held = (await docker('images', '--quiet', '--no-trunc')).split('\n').filter(Boolean);
    if (held.length) await docker('rmi', '--force', ...new Set(held));
    return /Digest: (\S+)/.exec(await docker('pull', name))?.[1];
  }

  const run = async (name: string) => (await docker('run', '--rm', '--network=none', name)).trim();

  /** What holds cold, warm, without an origin and behind the gap. */
  function pullsAndRuns(): void {
    test('pulls an image by its full name behind the name of the mirror, and runs it', async () => {
      expect(await pull(`${host}/docker.io/library/bb:1`)).toBe(site.index.digest);
      expect(await run(`${host}/docker.io/library/bb:1`)).toBe(SAID);
      expect(await pull(`${host}/nvcr.io/nvidia/bb:1`)).toBe(site.image.digest);
      expect(await run(`${host}/nvcr.io/nvidia/bb:1`)).toBe(SAID);
    });

    test('pulls an image by a bare name, by way of registry-mirrors, and runs it', async () => {
      expect(await pull('bb:1')).toBe(site.index.digest);
      expect(await run('bb:1')).toBe(SAID);
    });

    if (options.containerdStore)
      test('pulls an image by its own name, by way of hosts.toml, and runs it', async () => {
        expect(await pull('nvcr.io/nvidia/bb:1')).toBe(site.image.digest);
        expect(await run('nvcr.io/nvidia/bb:1')).toBe(SAID);
      });

    test('pulls an image by its digest', async () => {
      expect(await pull(`${host}/nvcr.io/nvidia/bb@${site.image.digest}`)).toBe(site.image.digest);
    });
  }

  describe('through a mirror that holds nothing yet', pullsAndRuns);
  describe('through the same mirror, warm', pullsAndRuns);

  if (options.newest)
    test('pulls an image by a bare name when registry-mirrors has a path', async () => {
      const other = await startDocker({ ...options, mirrors: [`http://${host}/docker.io`] });
      const { code, stdout, stderr } = await other.docker('pull', 'bb:1');
      await other.close();
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(site.index.digest);
    });

  test('finds images by a part of their names, and pulls all tags of one', async () => {
    expect(await docker('search', `${host}/bb`)).toContain('nvcr.io/nvidia/bb');
    await docker('pull', '--all-tags', `${host}/nvcr.io/nvidia/bb`);
  });

  describe('as a registry to push to', () => {
    test('is told to log in before it pushes', async () => {
      await pull(`${host}/nvcr.io/nvidia/bb:1`);
      await docker('tag', `${host}/nvcr.io/nvidia/bb:1`, `${host}/team/bb:2`);
      const { code, stderr } = await daemon.docker('push', `${host}/team/bb:2`);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/this needs a token/);
    });

    test('is not let in with a wrong token', async () => {
      const { code, stderr } = await daemon.docker('login', '--username', 'ci', '--password', 'wrong', host);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/unauthorized|401/i);
    });

    test('logs in, pushes, and pulls what it pushed', async () => {
      expect(await docker('login', '--username', 'ci', '--password', site.token, host)).toContain('Login Succeeded');
      await docker('push', `${host}/team/bb:2`);
      await pull(`${host}/team/bb:2`);
      expect(await run(`${host}/team/bb:2`)).toBe(SAID);
    });

    test('pushes the one platform that it has of an image for several', async () => {
      await pull('bb:1');
      await docker('tag', 'bb:1', `${host}/team/one-of-several:1`);
      await docker('push', `${host}/team/one-of-several:1`);
      await pull(`${host}/team/one-of-several:1`);
      expect(await run(`${host}/team/one-of-several:1`)).toBe(SAID);
    });

    test('pushes an image that came out of a file', async () => {
      const file = join(folder.path, 'saved.tar');
      await pull(`${host}/team/bb:2`);
      await docker('tag', `${host}/team/bb:2`, `${host}/team/loaded:1`);
      await docker('save', '--output', file, `${host}/team/loaded:1`);
      await docker('rmi', '--force', `${host}/team/bb:2`, `${host}/team/loaded:1`);
      await docker('load', '--input', file);
      await docker('push', `${host}/team/loaded:1`);
      await pull(`${host}/team/loaded:1`);
      expect(await run(`${host}/team/loaded:1`)).toBe(SAID);
    });
  });

  test('says what is missing when an image is not there', async () => {
    const { code, stderr } = await daemon.docker('pull', `${host}/docker.io/library/nothing:1`);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/not found|manifest unknown/i);
  });

  describe('when the origin is dead', () => {
    beforeAll(() => site.origin.kill());
    pullsAndRuns();
  });

  describe('behind the gap', () => {
    beforeAll(async () => {
      await daemon.close();
      host = await site.crossTheGap();
      await begin(site.inside);
    });
    pullsAndRuns();

    test('pulls what was pushed before, and pushes more', async () => {
      await pull(`${host}/team/bb:2`);
      await docker('login', '--username', 'ci', '--password', site.token, host);
      await docker('tag', `${host}/team/bb:2`, `${host}/team/later:1`);
      await docker('push', `${host}/team/later:1`);
      await pull(`${host}/team/later:1`);
      expect(await run(`${host}/team/later:1`)).toBe(SAID);
    });

    test('says how to seed what is missing', async () => {
      const { code, stderr } = await daemon.docker('pull', `${host}/docker.io/library/nothing:1`);
      expect(code).not.toBe(0);
      // containerd asks with HEAD, and has no words to show
      expect(stderr).toMatch(options.containerdStore ? /nothing:1: not found/ : /seed it with a bundle/);
    });

    test('nothing tried to leave', async () => {
      expect(await site.gap.escaped()).toBe(0);
    });
  });
});
