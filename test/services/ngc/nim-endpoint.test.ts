import { createHash } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../services/ngc/artifact.ts';
import { checkCache } from '../../../services/ngc/nim/check-cache.ts';
import { exportCache } from '../../../services/ngc/nim/export-cache.ts';
import { service } from '../../../services/ngc/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { type NgcOrigin, startNgc } from '../../support/ngc-origin.ts';
import { type NimWish, playNim } from '../../support/nim-client.ts';
import { checksumsOf } from '../../support/nim-models.ts';
import { type Certificate, makeCertificate } from '../../support/tls.ts';

const MODEL = { org: 'nim', team: 'meta', model: 'llama-3.1-8b-instruct', version: '0.11.1+ba20956e-l40sx1' };
const FILES = { 'config.json': '{}', 'rank0.engine': 'engine', 'sub dir/a+b.bin': 'deep' };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let tls: Certificate;
let ngc: NgcOrigin;
let larder: TestLarder | undefined;

beforeAll(async () => {
  folder = await temporaryFolder();
  tls = await makeCertificate(folder.path);
  ngc = await startNgc({ accounts: [{ key: 'nvapi-site', orgs: ['nim'] }], cdnName: 'localhost' });
  const files = { ...FILES, 'checksums.blake3': await checksumsOf(FILES) };
  const id = `${MODEL.org}/${MODEL.team}/${MODEL.model}`;
  ngc.add({ id, version: MODEL.version, files, access: 'keyed' });
  ngc.add({ id, version: 'gated', files, access: 'keyed', refusesUrls: 400 });
  ngc.add({ id: 'nim/genmol', version: '2.0.0', files: { 'm.tar': 'tar' }, access: 'keyed' });
});
afterEach(async () => {
  await larder?.close();
  larder = undefined;
});
afterAll(async () => {
  await ngc.close();
  await folder.remove();
});

async function start(more: Record<string, unknown> = {}, own: Record<string, unknown> = {}): Promise<TestLarder> {
  larder = await startLarder({
    services: [service],
    config: {
      tls: { certFile: join(folder.path, 'cert.pem'), keyFile: join(folder.path, 'key.pem') },
      upstream: { retries: 0 },
      ngc: {
        tlsPort: 0,
        ...{ origin: ngc.url, authOrigin: ngc.authUrl, fileHosts: [new URL(ngc.cdnUrl).host] },
        ...{ apiKey: 'nvapi-site', org: 'nim', ...own },
      },
      ...more,
    },
  });
  return larder;
}

function wishFor(scheme: 'http' | 'https', prefix = '', key = 'nvapi-anything'): NimWish {
  const url = scheme === 'https' ? larder!.tlsUrl('ngc') : larder!.url('ngc');
  return { api: new URL(url).host + prefix, scheme, key, ca: tls.cert, ...MODEL };
}

async function keyOf(suite: TestLarder): Promise<string> {
  const tokens = new Tokens(suite.store.objects, { now: Date.now });
  return (await tokens.create({ name: 'nim', actions: ['read'], services: ['ngc'] })).secret;
}

const places: [scheme: 'http' | 'https', prefix: string][] = [
  ['http', ''],
  ['https', ''],
  ['http', '/ngc'],
  ['https', '/ngc'],
];

describe('a NIM with NGC_API_ENDPOINT', () => {
  test.each(places)('gets its files by %s at the path "%s"', async (scheme, prefix) => {
    await start();
    const fetched = await playNim(wishFor(scheme, prefix));
    expect(fetched.orgName).toBe('nim');
    expect(fetched.files).toEqual({ ...FILES, 'checksums.blake3': await checksumsOf(FILES) });
    // by which it names them
    expect(fetched.etags['config.json']).toBe(`"${createHash('md5').update('{}').digest('hex')}"`);
    expect(
      (await playNim({ ...wishFor(scheme, prefix), team: undefined, model: 'genmol', version: '2.0.0' })).files,
    ).toEqual({
      'm.tar': 'tar',
    });
  });

  test('gets them at the path of the public address', async () => {
    await start({}, { publicUrl: 'https://larder.site/mirrors/nim' });
    const url = new URL(larder!.url('ngc'));
    // as a proxy before it passes requests on: with the path, or without
    for (const prefix of ['/mirrors/nim', '']) {
      const answer = await fetch(`${url.origin}${prefix}/v2/org/nim/models/genmol/2.0.0/files`);
      const { urls } = (await answer.json()) as { urls: string[] };
      expect(urls).toEqual(['https://larder.site/mirrors/nim/v2/models/nim/genmol/versions/2.0.0/files/m.tar']);
    }
  });

  test('gets them with a key of the older kind, by way of a token, and from a mirror that knows its callers', async () => {
    const suite = await start({ access: { anonymousRead: false } });
    const secret = await keyOf(suite);
    for (const key of [`nvapi-${secret}`, secret])
      for (const [scheme, prefix] of places)
        expect(Object.keys((await playNim(wishFor(scheme, prefix, key))).files)).toHaveLength(4);
    await expect(playNim(wishFor('http', '', 'nvapi-of-nobody'))).rejects.toThrow(/^401 .*get-caller-info/);
    expect(
      ngc
        .calls('')
        .flatMap(({ headers }) => headers.authorization ?? [])
        .join(),
    ).not.toContain(secret);
  });

  test('gets them with the network gone, and never half of them', async () => {
    const store = join(folder.path, 'store');
    const first = await startLarder({ services: [service], store, config: await settings() });
    larder = first;
    await playNim(wishFor('http'));
    await first.settled();
    await first.close();
    larder = await startLarder({ services: [service], store, mode: 'airgapped', config: await settings() });
    const { length } = ngc.calls();
    expect((await playNim(wishFor('http'))).files).toMatchObject(FILES);
    await expect(playNim({ ...wishFor('http'), version: 'gated' })).rejects.toThrow(/^404 .*gated/);
    expect(ngc.calls()).toHaveLength(length);
  });

  async function settings() {
    return {
      upstream: { retries: 0 },
      ngc: { origin: ngc.url, authOrigin: ngc.authUrl, fileHosts: [new URL(ngc.cdnUrl).host], apiKey: 'nvapi-site' },
    };
  }

  test('gets them where NGC refuses the list of addresses, or every list', async () => {
    await start();
    expect((await playNim({ ...wishFor('http'), version: 'gated' })).files).toMatchObject(FILES);
    await larder!.close();
    await start();
    ngc.fail({ path: '/files?page-size', status: 400, times: 9 });
    expect((await playNim({ ...wishFor('http'), version: 'gated' })).files).toMatchObject(FILES);
  });
});

test('what was fetched becomes a cache whose blobs have the names that NGC gave them, of uploads in parts too', async () => {
  const files = { 'rank0.engine': Buffer.alloc(2_500_000, 'e'), 'config.json': '{}' };
  const sums = await checksumsOf(files);
  ngc.add({
    id: 'nim/parts',
    version: '1',
    files: { ...files, 'checksums.blake3': sums },
    partSize: 1_000_000,
    access: 'keyed',
  });
  await start();
  const { etags } = await playNim({ ...wishFor('http'), team: undefined, model: 'parts', version: '1' });
  expect(etags['rank0.engine']).toMatch(/^"[0-9a-f]{32}-3"$/);
  await larder!.settled();
  const { store } = larder!;
  const cache = join(folder.path, 'cache');
  await exportCache({ catalog: store.catalog('ngc'), blobs: store.blobs }, cache, [
    parseTarget('models', 'nim/parts:1'),
  ]);
  const links = join(cache, 'ngc/hub/models--nim--parts/snapshots/1');
  expect(await readlink(join(links, 'rank0.engine'))).toBe(`../../blobs/${etags['rank0.engine']!.slice(1, -1)}`);
  expect(await checkCache(cache)).toMatchObject({ problems: [], versions: [{ files: 3, checked: 3 }] });
});

describe('ModelExpress', () => {
  /** The calls of `providers/ngc.rs` (ai-dynamo/modelexpress), whose endpoints have a scheme: pages are counted from 1. */
  async function playModelExpress(base: string, version: string, { isRefused = false } = {}) {
    const scope = `${base}/v2/org/${MODEL.org}/team/${MODEL.team}/models/${MODEL.model}`;
    const headers = { authorization: 'Bearer nvapi-x' };
    const listed = await fetch(`${scope}/${version}/files?page-size=500&page-number=1`, { headers });
    if (!isRefused) {
      expect(listed.status).toBe(200);
      const { paginationInfo, urls, filepath } = (await listed.json()) as {
        paginationInfo: { totalPages: number };
        urls: string[];
        filepath: string[];
      };
      expect(paginationInfo.totalPages).toBe(1);
      return Promise.all(urls.map(async (url, index) => [filepath[index]!, await (await fetch(url)).text()]));
    }
    const sums = await fetch(`${scope}/versions/${version}/files/checksums.blake3`, { headers });
    const paths = (await sums.text()).split('\n').flatMap((line) => line.split('  ')[1]?.trim() ?? []);
    return Promise.all(
      paths.map(async (path) => {
        const answer = await fetch(`${scope}/versions/${version}/files/${path}`, { headers });
        expect(answer.status).toBe(200);
        return [path, await answer.text()];
      }),
    );
  }

  test('gets all files, in its own order and with its own fall-back', async () => {
    await start();
    const url = larder!.url('ngc');
    for (const base of [url, `${url}/ngc`])
      expect(Object.fromEntries(await playModelExpress(base, MODEL.version))).toMatchObject(FILES);
    expect(Object.fromEntries(await playModelExpress(url, 'gated'))).toMatchObject(FILES);
    // after a 400 or 401 it goes by the checksums, and takes each file with its key
    expect(Object.fromEntries(await playModelExpress(url, MODEL.version, { isRefused: true }))).toEqual(FILES);
  });
});
