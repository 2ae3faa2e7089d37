import { randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { service } from '../../services/ngc/service.ts';
import { Tokens } from '../../shared/http/tokens.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { cargoProgram, hasCargo } from '../support/cargo-clients.ts';
import { client } from '../support/clients.ts';
import { sha256 } from '../support/hub-sites.ts';
import { startLarder, type TestLarder } from '../support/larder.ts';
import { type NgcOrigin, startNgc } from '../support/ngc-origin.ts';
import { checksumsOf } from '../support/nim-models.ts';
import { clientHome, runCommand } from '../support/python-clients.ts';
import { filesIn } from '../support/s3-site.ts';

if (!hasCargo) console.warn('skipped: cargo is not on the PATH, so ModelExpress cannot be built');

const FILES = { 'config.json': '{}', 'rank0.engine': randomBytes(3_000_000), 'sub dir/a+b.bin': 'deep' };
const VERSION = '0.11.1+ba20956e-l40sx1';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let ngc: NgcOrigin;
let larder: TestLarder;
let program: string;
let secret: string;

beforeAll(async () => {
  if (!hasCargo) return;
  folder = await temporaryFolder();
  program = await cargoProgram('modelexpress', 'modelexpress-ngc', async () => {
    const protoc = join(folder.path, 'protoc');
    await writeFile(protoc, `#!/bin/sh\nexec ${await client('protoc')}/python -m grpc_tools.protoc "$@"\n`);
    await chmod(protoc, 0o755);
    return { PROTOC: protoc };
  });
  ngc = await startNgc({ accounts: [{ key: 'nvapi-site', orgs: ['nim'] }], cdnName: 'localhost' });
  const files = { ...FILES, 'checksums.blake3': await checksumsOf(FILES) };
  for (const version of [VERSION, 'gated'])
    ngc.add({
      id: 'nim/meta/llama',
      version,
      files,
      access: 'keyed',
      ...(version === 'gated' ? { refusesUrls: 400 } : {}),
    });
  await start('connected');
  secret = (
    await new Tokens(larder.store.objects, { now: Date.now }).create({
      name: 'mx',
      actions: ['read'],
      services: ['ngc'],
    })
  ).secret;
});
afterAll(async () => {
  await larder?.close();
  await ngc?.close();
  await folder?.remove();
});

async function start(mode: 'connected' | 'airgapped'): Promise<void> {
  await larder?.close();
  larder = await startLarder({
    ...{ mode, services: [service], store: join(folder.path, 'store') },
    config: {
      access: { anonymousRead: false },
      ngc: {
        ...{ origin: ngc.url, authOrigin: ngc.authUrl, fileHosts: [new URL(ngc.cdnUrl).host] },
        ...{ apiKey: 'nvapi-site', org: 'nim' },
      },
    },
  });
}

/** Downloads a version into a cache of its own. @returns sha256 of its files by path */
async function download(version: string, key: string, prefix = '') {
  const home = await clientHome();
  const base = larder.url('ngc') + prefix;
  const env = { ...home.env, NGC_API_ENDPOINT: base, NGC_AUTH_ENDPOINT: base, NGC_API_KEY: key };
  const ran = await runCommand(program, [`nim/meta/llama/${version}`, join(home.path, 'mx')], { env });
  const files = ran.code === 0 ? await filesIn(ran.stdout.trim()) : {};
  await home.remove();
  return { ...ran, files };
}

async function expected() {
  const all = { ...FILES, 'checksums.blake3': await checksumsOf(FILES) };
  return Object.fromEntries(Object.entries(all).map(([path, bytes]) => [path, sha256(Buffer.from(bytes))]));
}

const KEYS: [name: string, key: () => string][] = [
  ['said as it is', () => `nvapi-${secret}`],
  ['of the older kind, for a token', () => secret],
];

describe.skipIf(!hasCargo)('ModelExpress, in the crate that NVIDIA publishes', () => {
  for (const [place, mode] of [
    ['cold', undefined],
    ['warm', undefined],
    ['behind the gap', 'airgapped'],
  ] as const)
    test.each(KEYS)(`downloads a version with a key %s: ${place}`, async (_name, key) => {
      if (mode) {
        await larder.settled();
        await start(mode);
      }
      for (const prefix of ['', '/ngc']) {
        const { code, stderr, files } = await download(VERSION, key(), prefix);
        expect([code, stderr]).toEqual([0, '']);
        expect(files).toEqual(await expected());
      }
    });

  test('hears no where its key is nobody’s', async () => {
    const { code, stderr } = await download(VERSION, 'nvapi-of-nobody');
    expect([code, stderr]).toEqual([1, expect.stringContaining('401')]);
  });

  test('gets what NGC gives no list of addresses of', async () => {
    await start('connected');
    expect((await download('gated', `nvapi-${secret}`)).files).toEqual(await expected());
  });
});
