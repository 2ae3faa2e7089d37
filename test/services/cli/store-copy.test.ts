import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { blobPath } from '../../../shared/storage/paths.ts';
import { keep, storeIn, temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';
import { KEY, type Site, startSite } from '../s3/support.ts';

// each test starts the command several times
vi.setConfig({ testTimeout: 90_000 });

let folder: { path: string; remove(): Promise<void> };
let from: string;
let to: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  [from, to] = [join(folder.path, 'from'), join(folder.path, 'to')];
  const store = await storeIn(folder.path, 'from');
  for (const name of ['a', 'b', 'c']) await keep(store, 'pypi', `file/${name}`, Buffer.from(`bytes of ${name}`));
  await store.close();
});
afterEach(() => folder.remove());

const copy = (...args: string[]) => larder(['store', 'copy', ...args], { timeout: 60_000 });

describe('larder store copy', () => {
  test('copies a store, counts, and finds nothing to do the second time', async () => {
    const first = await copy(from, to);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toMatch(/^blobs +3 copied \(30 B\), 0 were there\nnames +3 copied, 0 were there\n/);
    expect(first.stdout).toContain('all that the source holds is at the target\n');
    expect(first.stderr).toMatch(/^compare .*\nblobs .* \d+\.\d s\nnames .*\nrecords .*\n$/);
    expect((await copy(from, to)).stdout).toContain('blobs    0 copied (0 B), 3 were there');
    expect(await larder(['store', 'verify', '--store', to])).toMatchObject({ code: 0 });
  });

  test('tells its steps and its outcome as JSON lines', async () => {
    const { stdout, stderr } = await copy(from, to, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, blobs: { copied: 3 }, names: { copied: 3 }, corrupt: [] });
    const events = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; step: string });
    const done = events.filter(({ event }) => event === 'done').map(({ step }) => step);
    expect(done).toEqual(['compare', 'blobs', 'names', 'records']);
  });

  test('names what is damaged, copies the rest, and ends with exit status 3', async () => {
    const store = await storeIn(folder.path, 'from');
    const { digest } = (await store.catalog('pypi').get('file/b'))!;
    await store.close();
    await writeFile(join(from, blobPath(digest)), 'other bytes');
    const ran = await copy(from, to);
    expect(ran.code).toBe(3);
    expect(ran.stdout).toContain(`damaged, not copied: ${digest}: `);
    expect(ran.stdout).toContain('(pypi file/b)');
    expect(ran.stdout).toContain('names    2 copied');
    expect(await larder(['store', 'verify', '--store', to])).toMatchObject({ code: 0 });
  });

  test('refuses a store into itself, and a source that is none, with exit status 2', async () => {
    const itself = await copy(from, `${from}/`);
    expect([itself.code, itself.stderr]).toEqual([2, expect.stringContaining('are the same store')]);
    const typo = await copy(`${from}x`, to);
    expect([typo.code, typo.stderr]).toEqual([2, expect.stringContaining('there is no store at')]);
    await expect(access(to)).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await copy(from)).code).toBe(2);
    expect((await copy(from, 's3://no_bucket')).code).toBe(2);
  });

  test('refuses a target of another format, and leaves it as it is', async () => {
    const target = await temporaryFolder();
    await writeFile(join(target.path, 'larder-store.json'), '{"format":"larder-store/9"}');
    const ran = await copy(from, target.path);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(`${target.path}: this Larder reads stores of`)]);
    await expect(access(join(target.path, 'blobs'))).rejects.toMatchObject({ code: 'ENOENT' });
    await target.remove();
  });
});

describe('between engines that have keys of their own', () => {
  const OTHER = { accessKeyId: 'other', secretAccessKey: 'other-secret' };
  let one: Site;
  let other: Site;

  beforeAll(async () => {
    [one, other] = [await startSite(), await startSite({ keys: [OTHER] })];
    await one.s3.send(new CreateBucketCommand({ Bucket: 'store' }));
    await other.client({ credentials: OTHER }).send(new CreateBucketCommand({ Bucket: 'store' }));
  });
  afterAll(async () => {
    await one?.close();
    await other?.close();
  });

  test('keys come from the settings, or from files as they are made', async () => {
    const [first, second] = [one, other].map(({ url }) => `s3://store/site?endpoint=${url}`) as [string, string];
    const env = { LARDER_STORE_ACCESS_KEY: KEY.accessKeyId, LARDER_STORE_SECRET_KEY: KEY.secretAccessKey };
    expect(await larder(['store', 'copy', from, first], { env })).toMatchObject({ code: 0 });
    // two lines, as "larder token create --s3" prints them
    const keys = join(folder.path, 'other-keys');
    await writeFile(keys, `${OTHER.accessKeyId}\n${OTHER.secretAccessKey}\n`);
    const ran = await larder(['store', 'copy', first, second, '--to-keys', keys], { env });
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining('blobs    3 copied')]);
    expect(await copy(second, to, '--from-keys', keys)).toMatchObject({ code: 0 });
    const refused = await larder(['store', 'copy', second, to], { env });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('refuses our keys')]);
    expect(ran.stdout + ran.stderr + refused.stderr).not.toContain('secret');
  });

  test.each([
    ['one line', 'other\n'],
    ['nothing', ''],
  ])('a file with %s is no key', async (_name, text) => {
    const keys = join(folder.path, 'keys');
    await writeFile(keys, text);
    const ran = await copy(from, to, '--to-keys', keys);
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(/--to-keys: .* holds two lines/)]);
  });
});
