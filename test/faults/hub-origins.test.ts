import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Site, startSite } from '../services/huggingface/support.ts';

const BIG = randomBytes(20_000_000);
let site: Site;

beforeEach(async () => {
  site = await startSite();
  site.hub.add({ id: 'acme/tiny', files: { 'big.bin': BIG, 'a.txt': 'small and checked' } });
});
afterEach(() => site.close());

const BIG_FILE = '/acme/tiny/resolve/main/big.bin';
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('a file host that fails', () => {
  test('and breaks off is gone on with by Range, and no client notices', async () => {
    site.hub.fail({ path: '/lfs/', cutAfter: 7_000_000, times: 2 });
    const answer = await site.ask(BIG_FILE);
    expect(sha256(answer.bytes)).toBe(sha256(BIG));
    await site.larder.settled();
    const ranges = site.hub.calls('/lfs/').map(({ headers }) => headers.range);
    expect([ranges.length, ranges[0]]).toEqual([3, undefined]);
    expect(ranges.slice(1).every((range) => /^bytes=\d{6,}-$/.test(range ?? ''))).toBe(true);
  });

  test('and refuses an address that has grown old is asked by a new one', async () => {
    site.hub.fail({ path: '/lfs/', cutAfter: 7_000_000 });
    site.hub.fail({ path: '/lfs/', status: 403 });
    expect(sha256((await site.ask(BIG_FILE)).bytes)).toBe(sha256(BIG));
  });

  test('and sends other bytes is not believed: no client sees a whole file, and nothing is kept', async () => {
    site.hub.fail({ path: '/lfs/', corrupt: true });
    await expect(site.ask(BIG_FILE)).rejects.toThrow();
    await site.larder.settled();
    expect((await site.larder.store.catalog('huggingface').keys('lfs/')).length).toBe(0);
    expect(sha256((await site.ask(BIG_FILE)).bytes)).toBe(sha256(BIG));
  });
});

test('a small file whose bytes are not those of its git id is never kept', async () => {
  site.hub.fail({ path: '/resolve-cache/', corrupt: true });
  const refused = await site.ask('/acme/tiny/resolve/main/a.txt').catch(() => undefined);
  expect(refused?.text ?? '').not.toContain('small and check');
  await site.larder.settled();
  expect((await site.larder.store.catalog('huggingface').keys('git/')).length).toBe(0);
  expect((await site.ask('/acme/tiny/resolve/main/a.txt')).text).toBe('small and checked');
});

describe('a hub that says "not so fast"', () => {
  test('is left alone by all clients, who are told how long', async () => {
    site.hub.fail({ path: '/api/models/acme/tiny', status: 429, headers: { ratelimit: '"api";r=0;t=55' }, times: 1 });
    const first = await site.ask('/api/models/acme/tiny');
    expect([first.status, Number(first.headers.get('retry-after'))]).toEqual([429, 55]);
    const before = site.hub.calls().length;
    const others = await Promise.all([site.ask('/api/models/acme/other'), site.ask('/acme/tiny/resolve/main/a.txt')]);
    expect(others.map(({ status }) => status)).toEqual([429, 429]);
    expect(site.hub.calls().length).toBe(before);
    site.clock.now += 56_000;
    expect((await site.ask('/api/models/acme/tiny')).status).toBe(200);
  });

  test('is not missed by those who ask for what is held', async () => {
    await site.ask('/acme/tiny/resolve/main/a.txt');
    site.clock.now += 3 * 86_400_000;
    site.hub.fail({ path: '/api/', status: 429, headers: { 'retry-after': '30' }, times: 5 });
    expect((await site.ask('/acme/tiny/resolve/main/a.txt')).status).toBe(200);
  });
});

test('a hub that is down is neither "not found" nor an end for what is held', async () => {
  await site.ask('/acme/tiny/resolve/main/a.txt');
  await site.hub.goDark();
  site.clock.now += 3 * 86_400_000;
  expect((await site.ask('/acme/tiny/resolve/main/a.txt')).text).toBe('small and checked');
  const other = await site.ask('/api/models/acme/other');
  expect([other.status, other.headers.get('x-error-code')]).toEqual([502, null]);
  await site.hub.comeBack();
});

test('a tree that breaks off between two pages is fetched again, and never kept in part', async () => {
  const paged = await startSite({}, { pageSize: 2 });
  paged.hub.add({
    id: 'acme/pages',
    files: Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`f${index}`, `${index}`])),
  });
  paged.hub.fail({ path: 'cursor=4', cutAfter: 10, times: 1 });
  expect((await paged.json<object[]>('/api/models/acme/pages/tree/main')).length).toBe(9);
  await paged.close();
});

describe('a cold large file', () => {
  test('is fetched once for 32 clients', async () => {
    site.hub.pace = 20_000_000;
    const answers = await Promise.all(Array.from({ length: 32 }, () => site.ask(BIG_FILE)));
    expect(answers.every(({ bytes }) => bytes.length === BIG.length)).toBe(true);
    expect(site.hub.count('/lfs/')).toBe(1);
  });

  test('gives a range far ahead at once, and does not wait for what comes before', async () => {
    site.hub.pace = 2_000_000;
    const whole = fetch(site.url + BIG_FILE);
    const started = Date.now();
    const part = await site.ask(BIG_FILE, { headers: { range: 'bytes=19000000-19000999' } });
    // by its turn it would come after nine and a half
    expect(Date.now() - started).toBeLessThan(8000);
    expect(part.bytes.equals(BIG.subarray(19_000_000, 19_001_000))).toBe(true);
    await (await whole).body!.cancel();
  });

  test('serves a hundred ranges beside a GET that nobody reads, in bounded memory', async () => {
    const large = Buffer.concat(Array.from({ length: 10 }, () => randomBytes(20_000_000)));
    site.hub.add({ id: 'acme/large', files: { 'big.bin': large } });
    const path = '/acme/large/resolve/main/big.bin';
    const unread = await fetch(site.url + path);
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 20);
    const size = 2_000_000;
    const sums = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const answer = await fetch(site.url + path, {
          headers: { range: `bytes=${index * size}-${(index + 1) * size - 1}` },
        });
        if (answer.status !== 206) throw new Error(`${answer.status} ${await answer.text()}`);
        const hash = createHash('sha256');
        for await (const chunk of answer.body!) hash.update(chunk);
        return hash.digest('hex');
      }),
    );
    clearInterval(watch);
    expect(sums.every((sum, index) => sum === sha256(large.subarray(index * size, (index + 1) * size)))).toBe(true);
    await unread.body!.cancel();
    // server, hub and clients are all in this process, and so are the 200 MB: what matters is that 100 readers add little
    expect((most - before) / 1e6).toBeLessThan(600);
  });

  test('larger than a part comes part by part, and is gone on with inside of one', async () => {
    const parts = await startSite({ partBytes: 3_000_000 }, { hub: site.hub });
    site.hub.fail({ path: '/lfs/', cutAfter: 1_000_000, times: 1 });
    expect(sha256((await parts.ask(BIG_FILE)).bytes)).toBe(sha256(BIG));
    await parts.larder.settled();
    const ranges = site.hub.calls('/lfs/').map(({ headers }) => headers.range);
    expect(ranges.length).toBeGreaterThanOrEqual(7);
    expect(ranges.every((range) => /^bytes=\d+-\d+$/.test(range ?? ''))).toBe(true);
    await parts.close();
  });
});
