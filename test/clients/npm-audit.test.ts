import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { advisoriesRef } from '../../services/npm/advisories.ts';
import type { NpmConfig } from '../../services/npm/config.ts';
import { keysRef } from '../../services/npm/keys.ts';
import { originsFor } from '../../services/npm/service.ts';
import type { Context } from '../../shared/service/service.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { freePort } from '../support/free-port.ts';
import { startLarder, type TestLarder } from '../support/larder.ts';
import { advisory, playAudit } from '../support/npm-audits.ts';
import { NpmOrigin, type PublishOptions } from '../support/npm-origin.ts';
import { buildPackage } from '../support/npm-packages.ts';
import { type RegistryClient, registryClient } from '../support/npm-registry-clients.ts';
import { WAYS } from '../support/npm-registry-project.ts';
import { type ClientHome, homeOf } from '../support/npm-registry-site.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';

/** yarn 1 has the address for its audits built in: they never come here. */
const AUDITS: Partial<Record<RegistryClient, string[]>> = {
  'npm-10': ['audit'],
  'npm-11': ['audit'],
  pnpm: ['audit'],
  berry: ['npm', 'audit', '--recursive', '--no-deprecations'],
  bun: ['audit'],
};
const CLIENTS = Object.entries(AUDITS) as [RegistryClient, string[]][];
const TITLE = 'Everything may be read by everybody';

let folder: { path: string; remove(): Promise<void> };
let server: OriginServer;
let origin: NpmOrigin;
let port: number;
let site: TestLarder;
let key: KeyObject;
const homes = new Map<RegistryClient, ClientHome>();

const settings = () => ({
  store: join(folder.path, 'store'),
  config: { npm: { port, origins: [{ name: 'npm', url: origin.url }] } },
});

/** Offers a version with the signature of the registry. */
function publish(options: PublishOptions): void {
  const { name, version, integrity } = buildPackage(options);
  const sig = sign('sha256', Buffer.from(`${name}@${version}:${integrity}`), key).toString('base64');
  origin.publish({ ...options, dist: { signatures: [{ keyid: 'SHA256:test', sig }] } });
}

beforeAll(async () => {
  folder = await temporaryFolder();
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  key = pair.privateKey;
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const one = { expires: null, keyid: 'SHA256:test', keytype: 'ecdsa-sha2-nistp256', scheme: 'ecdsa-sha2-nistp256' };
  server.set('/-/npm/v1/keys', { body: JSON.stringify({ keys: [{ ...one, key: spki }] }), type: 'application/json' });
  publish({ name: 'larder-open', version: '1.0.0', manifest: { description: 'reads too much', keywords: ['wide'] } });
  publish({ name: 'larder-open', version: '1.0.1' });
  publish({ name: 'larder-fine', version: '1.0.0', manifest: { description: 'reads little' } });
  playAudit(origin, { 'larder-open': [advisory(1234, '<1.0.1', { title: TITLE, severity: 'critical' })] });
  port = await freePort();
  site = await startLarder(settings());
  for (const [client] of CLIENTS) homes.set(client, await projectOf(client));
});

afterAll(async () => {
  for (const home of homes.values()) await home.remove();
  await site?.close();
  await server?.close();
  await folder?.remove();
});

/** A project that has both packages, installed. */
async function projectOf(client: RegistryClient): Promise<ClientHome> {
  const home = await homeOf(client, { url: site.url('npm') });
  const dependencies = { 'larder-open': '1.0.0', 'larder-fine': '1.0.0' };
  const text = JSON.stringify({ name: 'audited', version: '1.0.0', private: true, dependencies });
  await writeFile(join(home.path, 'project/package.json'), text);
  if (client === 'berry') await writeFile(join(home.path, 'project/yarn.lock'), '');
  await home.ok(WAYS[client].install);
  return home;
}

async function auditOf(client: RegistryClient, more: string[] = []) {
  const { code, stdout, stderr } = await homes.get(client)!.run([...AUDITS[client]!, ...more]);
  return { code, text: `${stdout}\n${stderr}` };
}

const SCRIPT = resolve(import.meta.dirname, '../fixtures/javascript/verify-signatures.mjs');

async function verifies(client: 'npm-10' | 'npm-11'): Promise<void> {
  const [, cli] = await registryClient(client);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' });
  const pacote = join(cli!, '../../node_modules/pacote');
  const specs = ['larder-open@1.0.0', 'larder-fine@1.0.0'];
  const said = await homes.get(client)!.node([SCRIPT, pacote, site.url('npm'), other.toString('base64'), ...specs]);
  expect(said).toBe(`${specs.map((spec) => `${spec} 1\n`).join('')}another key EINTEGRITYSIGNATURE\n`);
}

describe('with a registry that audits', () => {
  test.each(CLIENTS)('%s is told what is known', async (client) => {
    const { code, text } = await auditOf(client);
    expect(text).toContain(TITLE);
    expect(text).not.toMatch(/larder-fine.*critical/);
    expect(code).not.toBe(0);
  });

  test.each(['npm-10', 'npm-11'] as const)("%s's own verifier finds every signature good", verifies);
});

describe('without a network', () => {
  beforeAll(async () => {
    // what a bundle brings beside the packages
    const { mirror, config } = site.context('npm') as Context<NpmConfig>;
    const [npm] = await originsFor(config).list();
    await mirror.hold(advisoriesRef(npm!, 'larder-open', ['1.0.0', '1.0.1']));
    await mirror.hold(keysRef(npm!));
    await site.close();
    site = await startLarder({ ...settings(), mode: 'airgapped' });
    await server.goDark();
  });

  test.each(CLIENTS)('%s is told the same from what was brought', async (client) => {
    const { code, text } = await auditOf(client);
    expect(text).toContain(TITLE);
    expect(code).not.toBe(0);
  });

  test.each(['npm-10', 'npm-11'] as const)('%s says of how many packages nothing is known', async (client) => {
    const { text } = await auditOf(client);
    expect(text).toMatch(/1 of these 2 packages were checked; 1 of them with advisories of \d{4}-\d{2}-\d{2}/);
    expect(text).toMatch(/nothing is known of the other 1/);
  });

  test.each(CLIENTS)('%s is not told that all is well where nothing is known at all', async (client) => {
    const home = homes.get(client)!;
    const text = JSON.stringify({ name: 'audited', version: '1.0.0', dependencies: { 'larder-fine': '1.0.0' } });
    await writeFile(join(home.path, 'project/package.json'), text);
    await home.ok(client === 'npm-10' || client === 'npm-11' ? ['install', '--no-audit'] : WAYS[client].install);
    const audited = await auditOf(client);
    expect(audited.text).not.toMatch(/found 0 vulnerabilities|No known vulnerabilities|No vulnerabilities found/i);
    expect(audited.code).not.toBe(0);
  });

  test.each(['npm-10', 'npm-11'] as const)('an install by %s does without its audit', async (client) => {
    const home = homes.get(client)!;
    await home.ok(['install']);
  });

  test.each(['npm-10', 'npm-11'] as const)("%s's own verifier finds them good by the keys that were brought", verifies);

  test.each(['npm-10', 'npm-11', 'pnpm'] as const)(
    '%s finds what is held by its name, keywords and description',
    async (client) => {
      const home = homes.get(client)!;
      for (const word of ['larder-open', 'wide', 'too much']) {
        const found = await home.ok(['search', ...word.split(' ')]);
        expect(found).toContain('larder-open');
        expect(found).not.toContain('larder-fine');
      }
      const json = JSON.parse(await home.ok(['search', '--json', 'larder'])) as { name: string; version: string }[];
      expect(json.map(({ name, version }) => `${name}@${version}`).sort()).toEqual([
        'larder-fine@1.0.0',
        'larder-open@1.0.0',
      ]);
    },
  );
});
