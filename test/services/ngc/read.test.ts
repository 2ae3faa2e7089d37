import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askRaw, descriptionOf, type Site, startSite } from './support.ts';

const BIG = randomBytes(300_000);
const GUEST = '/v2/models/nvidia/tao/ocrnet';
const SCOPED = '/v2/org/nvidia/team/tao/models/ocrnet';
const WORDED = '/v2/models/org/nvidia/team/tao/ocrnet';
const PLUS = '0.11.1+ba20956e-l40sx1';
const FILES = { 'config.json': '{}', 'weights/a b+c#.pth': BIG, 'experiment.yaml': 'a: 1\n', empty: '' };
const METRICS = [{ name: 'm', attributes: [{ key: 'endpoints', value: "['ocrnet']" }] }];

let site: Site;

beforeAll(async () => {
  site = await startSite();
  site.ngc.add({ id: 'nvidia/tao/ocrnet', version: 'trainable_v1.0', files: { 'old.tlt': 'old' } });
  site.ngc.add({ id: 'nvidia/tao/ocrnet', version: PLUS, files: FILES, versionFields: { customMetrics: METRICS } });
  site.ngc.add({ id: 'nvidia/genmol', version: '1.0', files: { 'b c': 'spaced', 'b+c': 'plus' } });
  site.ngc.add({ kind: 'resources', id: 'nvidia/ngc-apps/ngc_cli', version: '3.1', files: { 'cli.zip': 'PK' } });
});
afterAll(() => site?.close());

describe('documents', () => {
  test('every spelling gives the same: with a key, as a guest, as a guest with the words', async () => {
    const version = encodeURIComponent(PLUS);
    for (const rest of ['', '/versions', `/versions/${version}`, `/versions/${version}/files`]) {
      const texts = await Promise.all(
        [GUEST, SCOPED, WORDED].map(async (place) => (await site.ask(place + rest)).text),
      );
      expect(texts[0]).toContain('{');
      expect(new Set(texts).size).toBe(1);
    }
  });

  test('they are JSON as NGC sent it, with a strong etag, and are never coded', async () => {
    const asked = `${GUEST}/versions/${PLUS}`;
    const answer = await site.ask(asked, { headers: { 'accept-encoding': 'gzip, zstd' } });
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('content-encoding')).toBeNull();
    const etag = answer.headers.get('etag')!;
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    const told = await fetch(`${site.ngc.url}${asked}`);
    expect(answer.text).toBe(await told.text());
    expect((await site.ask(asked, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  test('resources have words of their own', async () => {
    const { recipe, recipeVersions } = await site.json<Record<string, object[]>>(
      '/v2/resources/nvidia/ngc-apps/ngc_cli/versions',
    );
    expect(recipe).toMatchObject({ latestVersionIdStr: '3.1' });
    expect(recipeVersions).toMatchObject([{ versionId: '3.1' }]);
    const { recipeFiles } = await site.json<{ recipeFiles: object[] }>(
      '/v2/org/nvidia/team/ngc-apps/resources/ngc_cli/versions/3.1/files',
    );
    expect(recipeFiles).toMatchObject([{ path: 'cli.zip', sizeInBytes: 2 }]);
  });

  test('queries that nobody knows, slashes that are doubled or at the end, and prefixes change nothing', async () => {
    const { text } = await site.ask(`${GUEST}/versions`);
    for (const path of [
      `${GUEST}/versions/?page-size=5&sort-order=SEMVER_DESC&page-reference=x`,
      '//v2/models//nvidia/tao/ocrnet/versions',
      `/ngc${GUEST}/versions`,
      `/ngc/${GUEST}/versions/`,
    ])
      expect(await askRaw(site.url, path)).toEqual({ status: 200, text });
  });

  test('what NGC has not is a 404 in its own shape', async () => {
    for (const path of [
      '/v2/models/nvidia/nothing',
      `${GUEST}/versions/v9`,
      `${GUEST}/versions/v9/files/x`,
      '/v2/other',
    ]) {
      const answer = await site.ask(path);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.json).toMatchObject({ requestStatus: { statusCode: 'NOT_FOUND', requestId: expect.any(String) } });
    }
    const missing = await site.ask(`${GUEST}/versions/${PLUS}/files/nothing.bin`);
    expect([missing.status, descriptionOf(missing)]).toEqual([404, expect.stringContaining('nothing.bin')]);
  });

  test('names that are none, and paths that lead out, are refused', async () => {
    for (const path of [
      `${GUEST}/versions/${PLUS}/files/../../../x`,
      `${GUEST}/versions/${PLUS}/files/a%2F..%2Fx`,
      '/v2/models/nvidia/../ocrnet',
      `${WORDED}/${PLUS}/files?redirect=true&path=..%2Fx`,
      `${WORDED}/${PLUS}/files?path=%zz`,
    ])
      expect((await askRaw(site.url, path)).status).toBe(400);
  });

  test('nothing is uploaded or changed here', async () => {
    for (const [method, path] of [
      ['POST', '/v2/org/nvidia/models'],
      ['PATCH', `${SCOPED}/versions/${PLUS}`],
      ['DELETE', `${SCOPED}/versions/${PLUS}`],
      ['PUT', `${SCOPED}/versions/${PLUS}/files/x`],
    ] as const) {
      const answer = await site.ask(path, { method });
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      expect(answer.json).toMatchObject({ requestStatus: { statusCode: 'METHOD_NOT_ALLOWED' } });
    }
  });
});

describe('files', () => {
  const address = `${GUEST}/versions/${PLUS}/files/weights/a%20b%2Bc%23.pth`;
  const md5 = `"${createHash('md5').update(BIG).digest('hex')}"`;

  test('come as bytes, under NGC’s own etag and their name', async () => {
    const answer = await site.ask(address);
    expect(answer.bytes.equals(BIG)).toBe(true);
    expect(answer.headers.get('etag')).toBe(md5);
    expect(answer.headers.get('content-length')).toBe(String(BIG.length));
    expect(answer.headers.get('accept-ranges')).toBe('bytes');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="a b+c#.pth"');
  });

  test('are found by escaped slashes, a literal plus and a doubled slash', async () => {
    for (const path of ['weights%2Fa%20b+c%23.pth', 'weights//a%20b+c%23.pth'])
      expect((await askRaw(site.url, `${GUEST}/versions/${PLUS}/files/${path}`)).status).toBe(200);
  });

  test('HEAD says the same before and after they are held, and downloads nothing', async () => {
    const path = `${SCOPED}/versions/trainable_v1.0/files/old.tlt`;
    const before = site.ngc.count('old.tlt', { host: 'cdn', method: 'GET' });
    const cold = await site.ask(path, { method: 'HEAD' });
    expect(site.ngc.count('old.tlt', { host: 'cdn', method: 'GET' })).toBe(before);
    await site.ask(path);
    const warm = await site.ask(path, { method: 'HEAD' });
    for (const name of ['etag', 'content-length', 'content-disposition', 'content-type'])
      expect(warm.headers.get(name)).toBe(cold.headers.get(name));
  });

  test('go on where a client broke off', async () => {
    const part = await site.ask(address, { headers: { range: 'bytes=100000-', 'if-range': md5 } });
    expect(part.status).toBe(206);
    expect(part.bytes.equals(BIG.subarray(100_000))).toBe(true);
  });

  test('may be empty, whatever range is asked of them', async () => {
    for (const range of [undefined, 'bytes=0--1']) {
      const answer = await site.ask(`${GUEST}/versions/${PLUS}/files/empty`, { headers: range ? { range } : {} });
      expect([answer.status, answer.bytes.length, answer.headers.get('content-length')]).toEqual([200, 0, '0']);
    }
  });
});

describe('lists of addresses', () => {
  interface Urls {
    urls: string[];
    filepath: string[];
    paginationInfo: { totalPages: number };
    requestStatus: object;
  }

  test('are one page, whatever page is asked for, of addresses that lead here', async () => {
    const asked = [`${SCOPED}/${PLUS}/files`, `${WORDED}/${PLUS}/files`, `${GUEST}/${PLUS}/files`];
    for (const place of asked)
      for (const query of ['', '?page-number=0&page-size=1', '?page-number=1&page-size=500', '?page-number=7']) {
        const list = await site.json<Urls>(place + query);
        expect(list.filepath).toEqual(Object.keys(FILES));
        expect(list.paginationInfo.totalPages).toBe(1);
        expect(list.requestStatus).toEqual({ statusCode: 'SUCCESS' });
        expect(list.urls[1]).toBe(
          `${site.url}${GUEST}/versions/${encodeURIComponent(PLUS)}/files/weights/a%20b%2Bc%23.pth`,
        );
      }
    const [first] = (await site.json<Urls>(asked[0]!)).urls;
    expect(await (await fetch(first!)).text()).toBe('{}');
  });

  test('of one file know a plus of the SDK for a space, and one of README files for itself', async () => {
    const place = '/v2/org/nvidia/models/genmol/1.0/files?path=';
    expect((await site.json<Urls>(`${place}b+c`)).filepath).toEqual(['b c']);
    expect((await site.json<Urls>(`${place}b%20c`)).filepath).toEqual(['b c']);
    expect((await site.json<Urls>(`${place}b%2Bc`)).filepath).toEqual(['b+c']);
    const literal = await site.json<Urls>(`${WORDED}/${PLUS}/files?path=weights%2Fa%20b+c%23.pth`);
    expect(literal.filepath).toEqual(['weights/a b+c#.pth']);
    expect((await site.ask(`${place}nothing`)).status).toBe(404);
  });

  test('with redirect=true the file itself comes, with its name, for HEAD and parts too', async () => {
    const asked = `${WORDED}/${PLUS}/files?redirect=true&path=weights/a%20b%2Bc%23.pth`;
    const whole = await site.ask(asked);
    expect(whole.bytes.equals(BIG)).toBe(true);
    expect(whole.headers.get('content-disposition')).toContain('filename="a b+c#.pth"');
    expect((await site.ask(asked, { headers: { range: 'bytes=0-9' } })).bytes.length).toBe(10);
    const head = await site.ask(asked, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(BIG.length)]);
  });

  test('behind a prefix they have it, and behind a public address they have that', async () => {
    const list = await site.json<Urls>(`/ngc${SCOPED}/${PLUS}/files`);
    expect(list.urls[0]).toMatch(`${site.url}/ngc/v2/models/`);
    const front = await startSite({ publicUrl: 'https://larder.site/mirror/ngc' }, { ngc: site.ngc });
    const [url] = (await front.json<Urls>(`/mirror/ngc${SCOPED}/${PLUS}/files`)).urls;
    expect(url).toMatch(/^https:\/\/larder\.site\/mirror\/ngc\/v2\/models\//);
    await front.close();
  });
});

describe('who may read', () => {
  test('a key of NVIDIA’s is nobody’s here, and goes nowhere', async () => {
    const headers = { authorization: 'Bearer nvapi-somebodys' };
    expect((await site.ask(GUEST, { headers })).status).toBe(200);
    expect(site.ngc.calls().filter(({ headers: sent }) => sent.authorization !== undefined)).toEqual([]);
  });

  test('where a key is needed, addresses of files carry the leave of whoever asked for them', async () => {
    const closed = await startSite({}, { ngc: site.ngc, suite: { access: { anonymousRead: false } } });
    const refused = await closed.ask(`${SCOPED}/${PLUS}/files`);
    expect([refused.status, refused.json]).toMatchObject([401, { requestStatus: { statusCode: 'UNAUTHORIZED' } }]);
    expect((await closed.ask(GUEST, { headers: { authorization: 'Bearer nvapi-somebodys' } })).status).toBe(401);
    const key = await closed.key();
    const basic = Buffer.from(`$oauthtoken:${key}`).toString('base64');
    for (const authorization of [`Bearer ${key}`, `Basic ${basic}`, `Bearer ${key.slice('nvapi-'.length)}`])
      expect((await closed.ask(GUEST, { headers: { authorization } })).status).toBe(200);
    const wrong = `Bearer ${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
    expect((await closed.ask(GUEST, { headers: { authorization: wrong } })).status).toBe(401);

    const { urls } = await closed.json<{ urls: string[] }>(`${SCOPED}/${PLUS}/files`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const path = urls[1]!.slice(closed.url.length);
    expect((await closed.ask(path)).bytes.equals(BIG)).toBe(true);
    expect((await closed.ask(path.replace('/versions/', '/versions/x'))).status).toBe(403);
    expect((await closed.ask(path.replace(/\?.*/, ''))).status).toBe(401);
    closed.clock.now += 86_400_001;
    expect((await closed.ask(path)).status).toBe(403);
    await closed.close();
  });
});
