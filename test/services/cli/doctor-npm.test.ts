import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Tokens } from '../../../shared/http/tokens.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { larder, startLarder, type TestLarder } from '../../support/larder.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let folder: { path: string; remove(): Promise<void> };
let server: OriginServer;
let site: TestLarder;

beforeAll(async () => {
  folder = await temporaryFolder();
  server = await startOriginServer();
  const origin = new NpmOrigin(server);
  for (const name of ['left-pad', '@types/node']) origin.publish({ name, version: '1.3.0' });
  site = await startLarder({
    config: { npm: { origins: [{ name: 'npm', url: origin.url }] }, access: { anonymousRead: false } },
  });
  const tokens = new Tokens(site.store.objects, { now: Date.now });
  const { secret } = await tokens.create({ name: 'doctor', actions: ['read'], services: ['npm'] });
  await writeFile(join(folder.path, 'token'), `${secret}\n`);
});

afterAll(async () => {
  await site?.close();
  await server?.close();
  await folder?.remove();
});

/** A lock of these packages, whose addresses lead to a host. */
async function lockOf(names: string[], host = 'https://elsewhere.example'): Promise<string> {
  const packages = Object.fromEntries(
    names.map((name) => [
      `node_modules/${name}`,
      { version: '1.3.0', resolved: `${host}/${name}/-/${name.split('/').at(-1)}-1.3.0.tgz`, integrity: 'sha512-AAAA' },
    ]),
  );
  const path = join(folder.path, 'package-lock.json');
  await writeFile(
    path,
    JSON.stringify({ name: 'x', lockfileVersion: 3, packages: { '': { name: 'x' }, ...packages } }),
  );
  return path;
}

/** An npm that says this is its registry. */
async function npmSaying(registry: string): Promise<string> {
  const path = join(folder.path, 'bin', `npm-${registry.length}`);
  await mkdir(join(folder.path, 'bin'), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho '${registry}'\n`);
  await chmod(path, 0o755);
  return path;
}

async function doctor(args: string[], npm: string) {
  const all = ['--json', 'doctor', 'npm', ...args];
  const ran = await larder(all, { env: { LARDER_NPM_NPM: npm } });
  const findings = ran.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { check: string; state: string; message: string });
  const text = findings.map(({ check, state }) => `${check} ${state}`);
  return { code: ran.code, text, said: (check: string) => findings.find((one) => one.check === check)?.message };
}

describe('larder doctor npm', () => {
  test('finds nothing wrong where npm asks here and all of a lock is to be had', async () => {
    const url = site.url('npm');
    const args = ['--url', url, '--token-file', join(folder.path, 'token'), '--lockfile'];
    const found = await doctor([...args, await lockOf(['left-pad', '@types/node'], url)], await npmSaying(`${url}/`));
    expect(found.text).toEqual(['connect good', 'setting good', 'addresses good', 'packages good']);
    expect(found.code).toBe(0);
  }, 60_000);

  test('names what is missing, where else a lock leads, and what npm asks instead, without its secrets', async () => {
    const args = ['--url', site.url('npm'), '--token-file', join(folder.path, 'token'), '--lockfile'];
    const npm = await npmSaying('https://ada:secret@elsewhere.example/');
    const found = await doctor([...args, await lockOf(['left-pad', 'gone'])], npm);
    expect(found.text).toEqual(['connect good', 'setting wrong', 'addresses unknown', 'packages wrong']);
    expect(found.said('setting')).toMatch(/^npm here asks elsewhere\.example: npm config set registry /);
    expect(found.said('packages')).toMatch(/^1 of 2 packages .*: gone@1\.3\.0\. Carry them/);
    expect(found.said('addresses')).toMatch(/elsewhere\.example: npm asks here instead with replace-registry-host/);
    expect(found.code).toBe(3);
  }, 60_000);

  test('says when nobody is there, and when a token is missing', async () => {
    const npm = await npmSaying('http://127.0.0.1:1/');
    const nobody = await doctor(['--url', 'http://127.0.0.1:1'], npm);
    expect(nobody.text).toEqual(['connect wrong', 'setting good']);
    const refused = await doctor(['--url', site.url('npm')], npm);
    expect(refused.text).toEqual(['connect good', 'token wrong', 'setting wrong']);
  }, 60_000);
});
