import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerTool } from '../support/container-tools.ts';
import { type ImageSite, startImageSite } from '../support/image-site.ts';
import { type RegistryTools, registryTools } from '../support/registry-tools.ts';

const CARD = 'vnd.test.card';
const VERSION = '1.2.3+larder';

/** What is no image: charts, files, signatures. Once from an origin, and once of this house. */
describe('artifacts', () => {
  let site: ImageSite;
  let tools: RegistryTools;
  /** Of the Larder that is asked. */
  let host: string;

  beforeAll(async () => {
    for (const tool of ['oras', 'helm', 'cosign'] as const) await containerTool(tool);
    site = await startImageSite();
    tools = await registryTools(site);
    host = site.host;
    await tools.stand(host);
    await prepare();
    // the origin plays docker.io and nvcr.io
    await publish(new URL(site.origin.endpoint).host);
  });

  afterAll(async () => {
    await site?.close();
    await tools?.remove();
  });

  async function prepare(): Promise<void> {
    await writeFile(tools.at('weights.bin'), 'weights');
    await writeFile(tools.at('card.md'), '# card');
    await mkdir(tools.at('demo/templates'), { recursive: true });
    await writeFile(tools.at('demo/Chart.yaml'), `apiVersion: v2\nname: demo\nversion: ${VERSION}\n`);
    await tools.run('helm', 'package', 'demo');
    await tools.run('cosign', 'generate-key-pair');
  }

  /** A model with a card that belongs to it, a chart, and a signature of an image that is there. */
  async function publish(base: string, image = `${base}/nvidia/bb`): Promise<void> {
    await tools.run('oras', 'push', '--plain-http', `${base}/team/model:1`, 'weights.bin:application/vnd.test.weights');
    const card = ['--artifact-type', `application/${CARD}`, `${base}/team/model:1`, 'card.md'];
    await tools.run('oras', 'attach', '--plain-http', ...card);
    await tools.run('helm', 'push', '--plain-http', `demo-${VERSION}.tgz`, `oci://${base}/charts`);
    const offline = ['--use-signing-config=false', '--tlog-upload=false', '--allow-http-registry', '--yes'];
    await tools.run('cosign', 'sign', '--key', 'cosign.key', ...offline, `${image}@${site.image.digest}`);
  }

  /** @param at of where they are found behind the host: a registry's name, or nothing */
  function found(at: string): void {
    const base = () => (at ? `${host}/${at}` : host);

    test('oras fetches the files, and finds what belongs to them', async () => {
      await rm(tools.at('pulled'), { recursive: true, force: true });
      await tools.run('oras', 'pull', '--plain-http', '--output', tools.at('pulled'), `${base()}/team/model:1`);
      expect(await readFile(tools.at('pulled/weights.bin'), 'utf8')).toBe('weights');
      const listed = await tools.run('oras', 'discover', '--plain-http', '--format', 'json', `${base()}/team/model:1`);
      const [, digest] = /@(sha256:[0-9a-f]{64})"[^@]*"application\/vnd\.test\.card"/.exec(listed) ?? [];
      expect(digest).toBeDefined();
      await tools.run('oras', 'pull', '--plain-http', '-o', tools.at('pulled'), `${base()}/team/model@${digest}`);
      expect(await readFile(tools.at('pulled/card.md'), 'utf8')).toBe('# card');
    });

    test('helm fetches the chart', async () => {
      const name = tools.at(`fetched/demo-${VERSION}.tgz`);
      await rm(name, { force: true });
      await mkdir(tools.at('fetched'), { recursive: true });
      const which = [`oci://${base()}/charts/demo`, '--version', VERSION];
      await tools.run('helm', 'pull', '--plain-http', ...which, '--destination', tools.at('fetched'));
      expect((await readFile(name)).equals(await readFile(tools.at(`demo-${VERSION}.tgz`)))).toBe(true);
    });

    test('cosign verifies the signature', async () => {
      const image = `${at ? base() : `${host}/nvcr.io`}/nvidia/bb@${site.image.digest}`;
      const offline = ['--insecure-ignore-tlog', '--allow-http-registry'];
      expect(await tools.run('cosign', 'verify', '--key', 'cosign.pub', ...offline, image)).toContain(
        site.image.digest,
      );
    });
  }

  describe('of an origin, cold', () => found('nvcr.io'));
  describe('of an origin, warm', () => found('nvcr.io'));

  test('are published here with the same commands', () => publish(host, `${host}/nvcr.io/nvidia/bb`));
  describe('of this house', () => found(''));

  describe('when the origin is dead', () => {
    beforeAll(() => site.origin.kill());
    describe('its own', () => found('nvcr.io'));
    describe('those of this house', () => found(''));
  });

  describe('behind the gap', () => {
    beforeAll(async () => {
      host = await site.crossTheGap();
      await tools.stand(host);
      tools.enterTheGap();
    });
    describe("an origin's", () => found('nvcr.io'));
    describe('those of this house', () => found(''));

    test('nothing tried to leave', async () => {
      expect(await site.gap.escaped()).toBe(0);
    });
  });
});
