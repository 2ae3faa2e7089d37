import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContainerdDaemon, type ContainerdOptions, startContainerd } from '../support/containerd-daemon.ts';
import { type ImageSite, SAID, startImageSite } from '../support/image-site.ts';
import { largeLayer } from '../support/images.ts';

const PART = 1 << 20;

const CONTAINERDS: Record<string, ContainerdOptions> = {
  'containerd 1.6, of Debian': {},
  'containerd 2': { newest: true },
  'containerd 2 with layers in parts': { newest: true, partBytes: PART },
};

describe.each(Object.entries(CONTAINERDS))('%s', (_, options) => {
  let site: ImageSite;
  /** Of the daemon that is asked, where the Larder is for it, and what its hosts.toml say. */
  let daemon: ContainerdDaemon;
  let host: string;
  let hosts: string;

  const begin = async (wrap?: ContainerdOptions['wrap']) => {
    daemon = await startContainerd({ ...options, wrap });
    hosts = await daemon.hostsDir(`http://${host}`, ['docker.io', 'nvcr.io']);
  };

  beforeAll(async () => {
    site = await startImageSite({ large: await largeLayer(12 * PART + 123) });
    host = site.host;
    await begin();
  });

  afterAll(async () => {
    await daemon?.close();
    await site?.close();
  });

  /** Runs its client, which must do it. */
  async function ctr(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await daemon.ctr(...args);
    expect(`${args.slice(0, 2)} ended with ${code}: ${code === 0 ? '' : stderr.slice(-2000)}`).toBe(
      `${args.slice(0, 2)} ended with 0: `,
    );
    return stdout;
  }

  /** Pulls without anything from before, and gives the digest of what it then has. */
  async function pull(name: string, ...how: string[]): Promise<string | undefined> {
    const held = (await ctr('images', 'ls', '--quiet')).split('\n').filter(Boolean);
    if (held.length) await ctr('images', 'rm', '--sync', ...held);
    await ctr('images', 'pull', ...how, name);
    return /sha256:[0-9a-f]{64}/.exec(await ctr('images', 'ls', `name==${name}`))?.[0];
  }

  const byHosts = () => ['--hosts-dir', hosts];

  /** What a container says. On a busy machine ctr may end well and have missed what one said that ended at once. */
  async function run(name: string): Promise<string> {
    for (let tries = 0; tries < 5; tries += 1) {
      const said = (await ctr('run', '--rm', name, `larder-${randomUUID()}`)).trim();
      if (said !== '') return said;
    }
    return '';
  }

  /** What holds cold, warm, without an origin and behind the gap. */
  function pullsAndRuns(): void {
    test('pulls images by their own names, by way of hosts.toml, and runs them', async () => {
      expect(await pull('nvcr.io/nvidia/bb:1', ...byHosts())).toBe(site.image.digest);
      expect(await run('nvcr.io/nvidia/bb:1')).toBe(SAID);
      expect(await pull('docker.io/library/bb:1', ...byHosts())).toBe(site.index.digest);
      expect(await run('docker.io/library/bb:1')).toBe(SAID);
    });

    test('pulls an image by its full name behind the name of the mirror', async () => {
      expect(await pull(`${host}/nvcr.io/nvidia/bb:1`, '--plain-http')).toBe(site.image.digest);
      expect(await run(`${host}/nvcr.io/nvidia/bb:1`)).toBe(SAID);
    });

    test('pulls an image by its digest', async () => {
      const name = `nvcr.io/nvidia/bb@${site.image.digest}`;
      expect(await pull(name, ...byHosts())).toBe(site.image.digest);
    });
  }

  describe('through a mirror that holds nothing yet', () => {
    pullsAndRuns();

    test('pulls a large layer', async () => {
      expect(await pull('docker.io/library/large:1', ...byHosts())).toBeDefined();
      const starts = [...daemon.log().matchAll(/header\.range="bytes=(\d+)-/g)].map((match) => Number(match[1]));
      if (options.partBytes)
        expect(new Set(starts)).toEqual(new Set(Array.from({ length: 13 }, (_one, at) => at * PART)));
    });
  });

  describe('through the same mirror, warm', pullsAndRuns);

  describe('as a registry to push to', () => {
    const push = (...how: string[]) => daemon.ctr('images', 'push', '--plain-http', ...how, `${host}/team/bb:2`);

    test('is not let in without a token, nor with a wrong one', async () => {
      await pull('nvcr.io/nvidia/bb:1', ...byHosts());
      await ctr('images', 'tag', 'nvcr.io/nvidia/bb:1', `${host}/team/bb:2`);
      for (const how of [[], ['--user', 'ci:wrong']]) {
        const { code, stderr } = await push(...how);
        expect(code).not.toBe(0);
        expect(stderr).toMatch(/unauthorized|401|authorization failed/i);
      }
    });

    test('takes what is pushed with a token, and gives it', async () => {
      await ctr('images', 'push', '--plain-http', '--user', `ci:${site.token}`, `${host}/team/bb:2`);
      expect(await pull(`${host}/team/bb:2`, '--plain-http')).toBe(site.image.digest);
      expect(await run(`${host}/team/bb:2`)).toBe(SAID);
    });
  });

  test('says what is missing when an image is not there', async () => {
    const { code, stderr } = await daemon.ctr('images', 'pull', ...byHosts(), 'nvcr.io/nvidia/nothing:1');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/nvcr.io\/nvidia\/nothing:1: not found/);
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

    test('pulls a large layer', async () => {
      expect(await pull('docker.io/library/large:1', ...byHosts())).toBeDefined();
    });

    test('pulls what was pushed before, and pushes more', async () => {
      expect(await pull(`${host}/team/bb:2`, '--plain-http')).toBe(site.image.digest);
      await ctr('images', 'tag', `${host}/team/bb:2`, `${host}/team/later:1`);
      await ctr('images', 'push', '--plain-http', '--user', `ci:${site.token}`, `${host}/team/later:1`);
      expect(await pull(`${host}/team/later:1`, '--plain-http')).toBe(site.image.digest);
    });

    test('says what is missing, and asks nobody else', async () => {
      const { code, stderr } = await daemon.ctr('images', 'pull', ...byHosts(), 'nvcr.io/nvidia/nothing:1');
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/nvcr.io\/nvidia\/nothing:1: not found/);
    });

    test('nothing tried to leave', async () => {
      expect(await site.gap.escaped()).toBe(0);
    });
  });
});
