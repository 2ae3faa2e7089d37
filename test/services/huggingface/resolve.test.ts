import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Site, startSite } from './support.ts';

const BIG = randomBytes(3_000_000);
const TOKEN = 'hf_the-token-of-the-site';
let site: Site;

beforeAll(async () => {
  site = await startSite({ token: TOKEN }, { token: TOKEN });
  site.hub.add({
    id: 'acme/tiny',
    files: {
      'config.json': '{"a":1}',
      'empty.txt': '',
      'sub/dir/f.txt': 'hello',
      'weird name #1+%.txt': 'x',
      'big.bin': BIG,
    },
    tags: ['v1'],
  });
  site.hub.add({ id: 'acme/tiny', files: { 'config.json': '{"a":2}' }, branch: 'refs/pr/1' });
  site.hub.add({ id: 'acme/tiny', files: { 'd/0.parquet': BIG.subarray(0, 5000) }, branch: 'refs/convert/parquet' });
  site.hub.add({ id: 'gpt-new/gpt2', files: { 'config.json': '{}' } });
  site.hub.rename('gpt2', 'gpt-new/gpt2');
  site.hub.add({ id: 'acme/ds', type: 'datasets', files: { 'data/x.csv': 'a,b\n' } });
  site.hub.add({ id: 'acme/app', type: 'spaces', files: { 'app.py': 'print(1)' } });
});
afterAll(() => site.close());

const file = (path: string, rev = 'main') => `/acme/tiny/resolve/${rev}/${path}`;

describe('a file', () => {
  test('comes itself, never by a redirect, with every field that a client needs, on HEAD as on GET', async () => {
    const { sha } = site.hub.repo('acme/tiny');
    for (const method of ['HEAD', 'GET']) {
      const answer = await site.ask(file('big.bin'), { method });
      const field = (name: string) => answer.headers.get(name);
      expect(answer.status).toBe(200);
      expect(field('x-repo-commit')).toBe(sha);
      expect(field('etag')).toMatch(/^"[0-9a-f]{64}"$/);
      expect(field('x-linked-etag')).toBe(field('etag'));
      expect([field('content-length'), field('x-linked-size')]).toEqual(['3000000', '3000000']);
      expect(field('accept-ranges')).toBe('bytes');
      expect(field('content-encoding')).toBeNull();
      expect(field('access-control-allow-origin')).toBe('*');
    }
    const small = await site.ask(file('config.json'));
    expect(small.text).toBe('{"a":1}');
    expect(small.headers.get('etag')).toMatch(/^"[0-9a-f]{40}"$/);
  });

  test('shows no sign of Xet', async () => {
    const { headers } = await site.ask(file('big.bin'), { method: 'HEAD' });
    expect([...headers.keys()].filter((name) => /xet/.test(name))).toEqual([]);
    expect(headers.get('link')).toBeNull();
    for (const path of [
      '/api/models/acme/tiny?blobs=true',
      '/api/models/acme/tiny/tree/main?recursive=true&expand=true',
    ])
      expect((await site.ask(path)).text).not.toMatch(/xet/i);
  });

  test('answers ranges, and clamps those that are too long', async () => {
    const part = await site.ask(file('big.bin'), { headers: { range: 'bytes=2999990-4000000' } });
    expect([part.status, part.headers.get('content-range'), part.bytes.equals(BIG.subarray(2999990))]).toEqual([
      206,
      'bytes 2999990-2999999/3000000',
      true,
    ]);
    const behind = await site.ask(file('big.bin'), { headers: { range: 'bytes=3000000-' } });
    expect([behind.status, behind.headers.get('content-range')]).toEqual([416, 'bytes */3000000']);
  });

  test('of no bytes answers a range in the one form that every client takes', async () => {
    const answer = await site.ask(file('empty.txt'), { headers: { range: 'bytes=0-0' } });
    expect([answer.status, answer.headers.get('content-length'), answer.headers.get('content-range')]).toEqual([
      200,
      '0',
      'bytes */0',
    ]);
    expect((await site.ask(file('empty.txt'))).headers.get('content-range')).toBeNull();
  });

  test.each([
    ['a commit', () => site.hub.repo('acme/tiny').sha, '{"a":1}'],
    ['a short commit', () => site.hub.repo('acme/tiny').sha.slice(0, 8), '{"a":1}'],
    ['a tag', () => 'v1', '{"a":1}'],
    ['HEAD', () => 'HEAD', '{"a":1}'],
    ['a pull request', () => 'refs/pr/1', '{"a":2}'],
    ['a pull request, escaped', () => 'refs%2Fpr%2F1', '{"a":2}'],
  ])('is found at %s', async (_what, rev, text) => {
    expect((await site.ask(file('config.json', rev()))).text).toBe(text);
  });

  test('is found at a conversion, in a dataset, in a space, under an odd name, and whatever is asked beside it', async () => {
    expect((await site.ask(file('d/0.parquet', 'refs/convert/parquet'))).bytes.length).toBe(5000);
    expect((await site.ask('/datasets/acme/ds/resolve/main/data/x.csv')).text).toBe('a,b\n');
    expect((await site.ask('/spaces/acme/app/resolve/main/app.py')).text).toBe('print(1)');
    expect((await site.ask(`${file('weird%20name%20%231%2B%25.txt')}?download=true`)).text).toBe('x');
  });

  test('of a commit may be kept for ever, of a branch not', async () => {
    const { sha } = site.hub.repo('acme/tiny');
    expect((await site.ask(file('config.json', sha))).headers.get('cache-control')).toMatch(/immutable/);
    expect((await site.ask(file('config.json'))).headers.get('cache-control')).toBe('no-cache');
  });

  test('as it stands in git is its pointer, when it is large', async () => {
    expect((await site.ask('/acme/tiny/raw/main/big.bin')).text).toMatch(
      /^version https:\/\/git-lfs.*\noid sha256:[0-9a-f]{64}\nsize 3000000\n$/,
    );
    expect((await site.ask('/acme/tiny/raw/main/config.json')).text).toBe('{"a":1}');
    expect((await site.ask('/acme/tiny/raw/main/nope', { method: 'HEAD' })).status).toBe(404);
  });
});

describe('what is not there', () => {
  const codeOf = async (path: string, method = 'GET') => {
    const { status, headers } = await site.ask(path, { method });
    return [status, headers.get('x-error-code'), headers.get('x-repo-commit')?.length];
  };

  test('is told apart: a file, a revision, a repo', async () => {
    for (const method of ['GET', 'HEAD']) {
      expect(await codeOf(file('nope'), method)).toEqual([404, 'EntryNotFound', 40]);
      expect(await codeOf(file('sub'), method)).toEqual([404, 'EntryNotFound', 40]);
      expect(await codeOf(file('config.json', 'nope'), method)).toEqual([404, 'RevisionNotFound', undefined]);
      expect(await codeOf('/acme/nope/resolve/main/x', method)).toEqual([404, 'RepoNotFound', undefined]);
      expect(await codeOf('/acme/nope/resolve/v9/x', method)).toEqual([404, 'RepoNotFound', undefined]);
    }
  });

  test('costs no question to the hub when the tree is known', async () => {
    await site.ask(file('config.json'));
    const before = site.hub.calls().length;
    for (const name of ['added_tokens.json', 'chat_template.jinja', 'special_tokens_map.json'])
      expect((await site.ask(file(name), { method: 'HEAD' })).status).toBe(404);
    expect(site.hub.calls().length).toBe(before);
  });
});

describe('a cold repo', () => {
  test('costs the hub two questions for any number of HEADs', async () => {
    site.hub.add({
      id: 'acme/many',
      files: Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}.txt`, `${index}`])),
    });
    const statuses = await Promise.all(
      Array.from(
        { length: 50 },
        async (_, index) => (await site.ask(`/acme/many/resolve/main/f${index}.txt`, { method: 'HEAD' })).status,
      ),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(site.hub.count('acme/many')).toBe(2);
  });

  test('gives one byte of a file without fetching the rest', async () => {
    const bytes = randomBytes(3_000_000);
    site.hub.add({ id: 'acme/probe', files: { 'big.bin': bytes } });
    const answer = await site.ask('/acme/probe/resolve/main/big.bin', {
      headers: { range: 'bytes=0-0', accept: 'application/vnd.xet-fileinfo+json, */*' },
    });
    expect([answer.status, answer.headers.get('content-range'), answer.bytes[0]]).toEqual([
      206,
      'bytes 0-0/3000000',
      bytes[0],
    ]);
    const asked = site.hub.calls('/acme/probe/resolve/').map(({ headers }) => headers.range);
    expect(asked).toEqual(['bytes=0-0']);
    expect(site.hub.calls('/acme/probe/').every(({ headers }) => !/xet/.test(headers.accept ?? ''))).toBe(true);
  });

  test('that is small is fetched once, although a client begins with one byte of it', async () => {
    const text = 'x'.repeat(500);
    site.hub.add({ id: 'acme/little', files: { 'config.json': text } });
    const path = '/acme/little/resolve/main/config.json';
    expect((await site.ask(path, { headers: { range: 'bytes=0-0' } })).text).toBe('x');
    expect((await site.ask(path)).text).toBe(text);
    expect(site.hub.count('/resolve-cache/models/acme/little')).toBe(1);
  });

  test('that moved is found under its old name and the new one, and no client is sent anywhere', async () => {
    const answer = await site.ask('/gpt2/resolve/main/config.json');
    expect([answer.status, answer.text]).toEqual([200, '{}']);
    expect(await site.json('/api/models/gpt2')).toMatchObject({ id: 'gpt-new/gpt2' });
    expect((await site.ask('/gpt-new/gpt2/resolve/main/config.json')).status).toBe(200);
  });

  test("whose tree takes long is answered from the hub's own headers", async () => {
    site.hub.add({ id: 'acme/slow', files: { 'big.bin': BIG, 'a.txt': 'a' } });
    site.hub.fail({ path: '/api/models/acme/slow/tree', stallAfter: 0, times: 1 });
    const started = Date.now();
    const [big, small] = await Promise.all(
      ['big.bin', 'a.txt'].map((name) => site.ask(`/acme/slow/resolve/main/${name}`, { method: 'HEAD' })),
    );
    expect(Date.now() - started).toBeLessThan(15_000);
    expect([big!.status, big!.headers.get('content-length'), big!.headers.get('etag')?.length]).toEqual([
      200,
      '3000000',
      66,
    ]);
    expect([small!.status, small!.headers.get('content-length'), small!.headers.get('etag')?.length]).toEqual([
      200,
      '1',
      42,
    ]);
  });
});

describe("the site's token", () => {
  test('opens gated repos for the site, goes to the hub, and never to its file host', async () => {
    site.hub.add({ id: 'acme/gated', files: { 'big.bin': randomBytes(3_000_000), 'a.txt': 'gated' }, gated: 'auto' });
    expect((await site.ask('/acme/gated/resolve/main/big.bin')).status).toBe(200);
    expect(site.hub.calls('/acme/gated/resolve')[0]!.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(site.hub.calls('/lfs/').every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test("a client's own never goes upstream", async () => {
    site.hub.add({ id: 'acme/own', files: { 'a.txt': 'own' } });
    const headers = await site.writer();
    expect((await site.ask('/acme/own/resolve/main/a.txt', { headers })).status).toBe(200);
    for (const call of site.hub.calls('acme/own')) expect(call.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });
});

test("without a token the hub's refusal of a gated repo is passed on in its own words", async () => {
  const other = await startSite({}, { hub: site.hub });
  for (const method of ['HEAD', 'GET']) {
    const answer = await other.ask('/acme/gated/resolve/main/a.txt', { method });
    expect([answer.status, answer.headers.get('x-error-code')]).toEqual([401, 'GatedRepo']);
    expect(answer.headers.get('x-error-message')).toMatch(/^Access to model acme\/gated is restricted/);
  }
  expect((await other.ask('/api/models/acme/gated')).status).toBe(200);
  const check = await other.ask('/api/models/acme/gated/auth-check');
  expect([check.status, check.headers.get('x-error-code')]).toEqual([401, 'GatedRepo']);
  await other.close();
});

describe('one load', () => {
  test('sees one commit although the branch moves, and the next one sees the new', async () => {
    site.hub.add({ id: 'acme/moving', files: { 'a.txt': '1', 'b.txt': '1' } });
    const ask = async (name: string, agent: string) =>
      (await site.ask(`/acme/moving/resolve/main/${name}`, { headers: { 'user-agent': agent } })).text;
    expect(await ask('a.txt', 'the load')).toBe('1');
    site.hub.add({ id: 'acme/moving', files: { 'a.txt': '2', 'b.txt': '2' } });
    // the branch is stale after five minutes; the load goes on all the while
    for (let seconds = 0; seconds <= 300; seconds += 25) {
      site.clock.now += 25_000;
      expect(await ask('a.txt', 'the load')).toBe('1');
    }
    // somebody new is given what is stale while the hub is asked behind it, and the one after that what is new
    await ask('a.txt', 'another');
    await expect.poll(() => ask('a.txt', `one more ${Math.random()}`)).toBe('2');
    expect(await ask('b.txt', 'the load')).toBe('1');
    site.clock.now += 31_000;
    expect(await ask('b.txt', 'the load')).toBe('2');
  });
});
