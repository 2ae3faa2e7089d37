import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { makeCertificate } from '../../support/tls.ts';
import { descriptionOf, type Site, startSite } from './support.ts';

const BIG = randomBytes(300_000);
const ACCOUNTS = [
  { key: 'nvapi-site', orgs: ['acme'] },
  { key: 'b2xkZXI', orgs: ['acme'], teams: { acme: ['vision'] } },
];
const SECRET = '/v2/org/acme/models/secret';

let site: Site | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

const start = async (...given: Parameters<typeof startSite>) => {
  site = await startSite(given[0], { accounts: ACCOUNTS, ...given[1] });
  site.ngc.add({ id: 'acme/secret', version: 'v1', files: { 'a.bin': BIG }, access: 'private' });
  site.ngc.add({ id: 'acme/open', version: 'v1', files: { 'a.bin': BIG } });
  return site;
};

describe('who asks NGC', () => {
  test('without a key it is a guest, at the addresses of guests, and learns that others may have more', async () => {
    const { ask, ngc } = await start();
    expect((await ask('/v2/org/acme/models/open/versions/v1/files/a.bin')).bytes.equals(BIG)).toBe(true);
    const refused = await ask(`${SECRET}/versions/v1/files/a.bin`);
    expect(refused.status).toBe(401);
    expect(descriptionOf(refused)).toContain('ngc.apiKey');
    const paths = ngc.calls('', 'api').map(({ path }) => path);
    expect(paths.every((path) => path.startsWith('/v2/models/'))).toBe(true);
    expect(ngc.calls('', 'authn')).toEqual([]);
  });

  test('a key of today is said as it is, to NGC itself and not to its hosts of files', async () => {
    const { ask, ngc } = await start({ apiKey: 'nvapi-site' });
    expect((await ask('/v2/models/acme/secret/versions/v1/files/a.bin')).bytes.equals(BIG)).toBe(true);
    const said = ngc.calls('', 'api').map(({ headers }) => headers.authorization);
    expect(new Set(said)).toEqual(new Set(['Bearer nvapi-site']));
    expect(ngc.calls('', 'cdn').map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('an older key is exchanged for a token, once, for the org and team that it is of', async () => {
    const { path: folder, remove } = await temporaryFolder();
    await writeFile(join(folder, 'key'), 'b2xkZXI\n');
    const config = { apiKeyFile: join(folder, 'key'), org: 'acme', team: 'vision' };
    const { ask, ngc } = await start(config);
    const answers = await Promise.all(['', '/versions', '/versions/v1'].map((rest) => ask(SECRET + rest)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const [asked, ...more] = ngc.calls('/token', 'authn');
    expect(more).toEqual([]);
    expect(asked!.path).toBe('/token?service=ngc&scope=group%2Fngc%3Aacme&scope=group%2Fngc%3Aacme%2Fvision');
    expect(asked!.headers.authorization).toBe(`Basic ${Buffer.from('$oauthtoken:b2xkZXI').toString('base64')}`);
    await remove();
  });

  test('a token that ends before its time is asked for again', async () => {
    const { ask, ngc } = await start({ apiKey: 'b2xkZXI' });
    expect((await ask(SECRET)).status).toBe(200);
    ngc.expireTokens();
    expect((await ask(`${SECRET}/versions/v1/files/a.bin`)).bytes.equals(BIG)).toBe(true);
    expect(ngc.count('/token', { host: 'authn' })).toBe(2);
  });

  test('a key that nobody knows is told as that, and takes nothing away that is held', async () => {
    const first = await start({ apiKey: 'nvapi-site' });
    expect((await first.ask(SECRET)).status).toBe(200);
    await first.larder.settled();
    for (const apiKey of ['nvapi-wrong', 'wrong']) {
      const other = await startSite({ apiKey }, { ngc: first.ngc, accounts: ACCOUNTS });
      const refused = await other.ask(SECRET);
      expect([refused.status, descriptionOf(refused)]).toEqual([401, expect.stringMatching(/key/)]);
      expect(refused.text).not.toContain(apiKey);
      await other.close();
    }
    // the key is taken away at NGC, and what is said of the model has long been old
    first.ngc.fail({ path: '/secret', status: 401, times: 9 });
    first.clock.now += 10 * 86_400_000;
    expect((await first.ask(SECRET)).status).toBe(200);
  });
});

describe('authorities of the site', () => {
  test('are trusted where caFile names them: by the catalog, its tokens and its files', async () => {
    const { path: folder, remove } = await temporaryFolder();
    const tls = await makeCertificate(folder);
    const { ask } = await start({ apiKey: 'b2xkZXI', caFile: join(folder, 'cert.pem') }, { tls });
    expect((await ask(`${SECRET}/versions/v1/files/a.bin`)).bytes.equals(BIG)).toBe(true);
    const untold = await startSite({ apiKey: 'b2xkZXI' }, { ngc: site!.ngc });
    expect((await untold.ask(SECRET)).status).toBe(502);
    await untold.close();
    await remove();
  });
});

describe('what NGC refuses', () => {
  test.each([403, 412, 451] as const)('%d is passed on in its shape, and asked for once', async (status) => {
    const { ask, ngc } = await start({ apiKey: 'nvapi-site' });
    ngc.add({ id: 'acme/held', version: 'v1', files: { x: 'x' }, refuses: status, refusesAll: true });
    for (const rest of ['', '/versions/v1', '/versions/v1/files', '/versions/v1/files/x', '/v1/files']) {
      const answer = await ask(`/v2/org/acme/models/held${rest}`);
      expect(answer.status).toBe(status);
      expect(answer.json).toMatchObject({
        requestStatus: { statusDescription: expect.stringContaining(`(${status})`) },
      });
    }
    ngc.add({ id: 'acme/files', version: 'v1', files: { x: 'x' }, refuses: status });
    expect((await ask('/v2/org/acme/models/files/versions/v1')).status).toBe(200);
    expect((await ask('/v2/org/acme/models/files/versions/v1/files/x')).status).toBe(status);
    // never around it: no list of addresses was asked for
    expect(ngc.count('/v1/files?path=')).toBe(0);
    expect(ngc.calls('', 'cdn')).toEqual([]);
  });

  test('what is refused is not what the next ones get: others are asked for as before', async () => {
    const { ask, ngc } = await start({ apiKey: 'nvapi-site' });
    ngc.add({ id: 'acme/held', version: 'v1', files: { x: 'x' }, refuses: 412, refusesAll: true });
    for (let count = 0; count < 8; count += 1) await ask('/v2/org/acme/models/held');
    expect((await ask(SECRET)).status).toBe(200);
  });
});

describe('hosts of files', () => {
  const FILE = '/v2/models/acme/open/versions/v1/files/a.bin';

  test('a refusal of theirs is a failure, not a word of NGC’s, and another address is asked for', async () => {
    const { ask, ngc } = await start();
    ngc.fail({ path: 'a.bin', host: 'cdn', status: 403 });
    expect((await ask(FILE)).bytes.equals(BIG)).toBe(true);
    expect(ngc.count('/v2/models/org/acme/open/v1/files?path=a.bin', { host: 'api' })).toBe(1);
  });

  test.each([403, 404])('one that goes on refusing with %d is told as that', async (status) => {
    const { ask, ngc } = await start();
    ngc.fail({ path: 'a.bin', host: 'cdn', status, times: 9 });
    const answer = await ask(FILE);
    expect([answer.status, descriptionOf(answer)]).toEqual([
      502,
      expect.stringMatching(new RegExp(`file host .*${status}`)),
    ]);
    ngc.expireUrls();
  });

  test('a download that breaks off goes on by a new address', async () => {
    const { ask, ngc } = await start();
    const bytes = randomBytes(6_000_000);
    ngc.add({ id: 'acme/large', version: 'v1', files: { 'l.bin': bytes } });
    ngc.fail({ path: 'l.bin', host: 'cdn', cutAfter: 5_000_000 });
    expect((await ask('/v2/models/acme/large/versions/v1/files/l.bin')).bytes.equals(bytes)).toBe(true);
    expect(ngc.calls('l.bin', 'cdn').at(-1)!.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test('hosts that are not NGC’s are not dialled', async () => {
    const suite = { upstream: { retries: 2 } };
    const { ask, ngc } = await start({ fileHosts: ['*.ngc.nvidia.com'] }, { cdnName: 'localhost', suite });
    for (let count = 0; count < 6; count += 1) {
      const answer = await ask(FILE);
      expect([answer.status, descriptionOf(answer)]).toEqual([502, expect.stringContaining('localhost')]);
    }
    // which is no illness of NGC's: nothing is asked twice, and all else is asked as before
    expect(ngc.count('/files/a.bin', { host: 'api' })).toBe(6);
    expect((await ask('/v2/models/acme/open/versions')).status).toBe(200);
    expect(ngc.calls('', 'cdn')).toEqual([]);
  });

  test('a list of addresses that is refused stops nobody: files are asked for one by one', async () => {
    const { ask, ngc } = await start();
    ngc.add({ id: 'nim/genmol', version: '1', files: { x: 'x' }, refusesUrls: 400 });
    expect((await ask('/v2/org/nim/models/genmol/1/files')).status).toBe(200);
    expect((await ask('/v2/org/nim/models/genmol/versions/1/files/x')).text).toBe('x');
  });
});

describe('what NGC promises', () => {
  const fileOf = (id: string) => `/v2/models/${id}/versions/v1/files/x`;

  test('sizes and hashes that the bytes do not keep are told, and nothing of them is kept', async () => {
    const { ask, ngc, larder } = await start();
    ngc.add({ id: 'acme/size', version: 'v1', files: { x: BIG }, lies: { x: { size: 7 } } });
    ngc.add({ id: 'acme/hash', version: 'v1', files: { x: BIG }, lies: { x: { sha256: '0'.repeat(64) } } });
    const size = await ask(fileOf('acme/size'));
    expect([size.status, descriptionOf(size)]).toEqual([502, expect.stringMatching(/has 7 bytes.*300000/)]);
    await expect(ask(fileOf('acme/hash'))).rejects.toThrow();
    await larder.settled();
    const keys = await larder.context('ngc').catalog.keys('file/');
    expect(keys).toEqual([]);
  });

  test('where it promises no hash the size alone is held to', async () => {
    const { ask, ngc } = await start();
    ngc.add({ id: 'acme/old', version: 'v1', files: { x: BIG }, lies: { x: { noSha256: true } } });
    expect((await ask(fileOf('acme/old'))).bytes.equals(BIG)).toBe(true);
  });

  test.each([
    ['a path that leads out', { path: '../../etc/x' }, '../../etc/x'],
    ['an absolute path', { path: '/etc/x' }, '/etc/x'],
    ['a size below nothing', { size: -1 }, '-1'],
  ])('%s spoils the list, by name', async (_what, lie, shown) => {
    const { ask, ngc } = await start();
    ngc.add({ id: 'acme/spoiled', version: 'v1', files: { x: 'x' }, lies: { x: lie } });
    const answer = await ask('/v2/models/acme/spoiled/v1/files');
    expect([answer.status, descriptionOf(answer)]).toEqual([502, expect.stringContaining(shown)]);
  });
});

describe('documents of NGC', () => {
  let origin: OriginServer;
  const PLACE = '/v2/models/acme/x';
  const page = (info: string, elements: string) => `{"modelFiles":[${elements}],"paginationInfo":${info}}`;

  test('lists of many pages come as one, every element as it was written', async () => {
    const files = Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`f${index}`, String(index)]));
    const { json, ngc } = await start({}, { pageSize: 2 });
    ngc.add({ id: 'acme/many', version: 'v1', files });
    for (const version of ['v2', 'v3', 'v4']) ngc.add({ id: 'acme/many', version, files: { x: 'x' } });
    const list = await json<{ modelFiles: { path: string }[]; paginationInfo: object }>(
      '/v2/models/acme/many/versions/v1/files',
    );
    expect(list.modelFiles.map(({ path }) => path)).toEqual(Object.keys(files));
    expect(list.paginationInfo).toEqual({ index: 0, size: 1000, totalPages: 1, totalResults: 7 });
    const { modelVersions } = await json<{ modelVersions: object[] }>('/v2/models/acme/many/versions');
    expect(modelVersions).toMatchObject(['v4', 'v3', 'v2', 'v1'].map((versionId) => ({ versionId })));
  });

  test('pages by number are taken too, and numbers and escapes stay as they came', async () => {
    origin = await startOriginServer();
    const type = 'application/json';
    const version = `{"model":{},"modelVersion":{"versionId":"v1","status":"UPLOAD_COMPLETE","accuracyReached":0.90}}`;
    origin.set(`${PLACE}/versions/v1`, { body: version, type });
    const list = `${PLACE}/versions/v1/files?page-size=1000`;
    const [one, two] = ['{"path":"\\u00e9","sizeInBytes":1.0}', '{"path":"b","sizeInBytes":2e0}'];
    origin.set(list, { body: page('{"size":1,"totalPages":2,"totalResults":2}', one), type });
    origin.set(`${list}&page-number=1`, { body: page('{"size":1,"totalPages":2,"totalResults":2}', two), type });
    const { ask } = await start({ origin: origin.url });
    expect((await ask(`${PLACE}/versions/v1`)).text).toBe(version);
    const info = '{"index":0,"size":1000,"totalPages":1,"totalResults":2}';
    expect((await ask(`${PLACE}/versions/v1/files`)).text).toBe(page(info, `${one},${two}`));
    await origin.close();
  });

  test('what is no document of NGC’s is not kept: a proxy’s page, another shape', async () => {
    origin = await startOriginServer();
    const { ask, clock } = await start({ origin: origin.url });
    for (const body of ['<html>log in</html>', '[]', '{"model":[]}', '{"other":{}}', 'null']) {
      origin.set(PLACE, { body, type: 'application/json' });
      expect((await ask(PLACE)).status).toBe(502);
      // as often as this, the origin would be left alone for a while
      clock.now += 16_000;
    }
    origin.set(PLACE, { body: '{"model":{"name":"x"}}', type: 'application/json' });
    expect((await ask(PLACE)).status).toBe(200);
    await origin.close();
  });

  test('a version that is still being uploaded is looked at again, one that is complete is not', async () => {
    const { json, ask, ngc, clock } = await start();
    const files = { a: 'a' };
    ngc.add({ id: 'acme/new', version: 'v1', files, versionFields: { status: 'UPLOAD_PENDING' } });
    const list = '/v2/models/acme/new/versions/v1/files';
    expect((await json<{ modelFiles: object[] }>(list)).modelFiles).toHaveLength(1);
    ngc.add({ id: 'acme/new', version: 'v1', files: { ...files, b: 'b' } });
    clock.now += 61_000;
    expect((await json<{ modelFiles: object[] }>(list)).modelFiles).toHaveLength(2);
    const asked = ngc.count('/versions/v1');
    clock.now += 30 * 86_400_000;
    expect((await ask(list)).status).toBe(200);
    expect(ngc.count('/versions/v1')).toBe(asked);
  });

  test('a list of versions is fresh for minutes, then given while NGC is asked, and stays when NGC is out', async () => {
    const { json, ngc, clock, larder } = await start();
    const versions = async () =>
      (await json<{ modelVersions: object[] }>('/v2/models/acme/open/versions')).modelVersions.length;
    expect(await versions()).toBe(1);
    ngc.add({ id: 'acme/open', version: 'v2', files: { x: 'x' } });
    expect(await versions()).toBe(1);
    clock.now += 301_000;
    expect(await versions()).toBe(1);
    await larder.settled();
    expect(await versions()).toBe(2);
    await ngc.goDark();
    clock.now += 10 * 86_400_000;
    expect(await versions()).toBe(2);
  });
});

describe('names that stay here', () => {
  test.each([
    [{ private: ['acme/*'] }, /ngc\.private/],
    [{ deny: ['*/secret'] }, /ngc\.deny/],
    [{ allow: ['nvidia/*'] }, /ngc\.allow/],
  ])('%j', async (config, words) => {
    const { ask, ngc } = await start({ apiKey: 'nvapi-site', ...config });
    for (const rest of ['', '/versions', '/versions/v1', '/versions/v1/files/a.bin', '/v1/files']) {
      const answer = await ask(`${SECRET}${rest}`);
      expect([answer.status, descriptionOf(answer)]).toEqual([403, expect.stringMatching(words)]);
    }
    expect(ngc.calls()).toEqual([]);
  });
});
