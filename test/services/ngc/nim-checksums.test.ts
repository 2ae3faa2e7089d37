import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../services/ngc/artifact.ts';
import { readFolder } from '../../../services/ngc/folder.ts';
import { addVersion } from '../../../services/ngc/local-versions.ts';
import { parseChecksums } from '../../../services/ngc/nim/checksums.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { checksumsOf, holdModel } from '../../support/nim-models.ts';
import { type Site, startSite } from './support.ts';

const A = 'a'.repeat(64);
const B = 'B'.repeat(64);

describe('a list of checksums', () => {
  test('is read as b3sum and NGC write it', () => {
    const text = `${A}  config.json\r\n${B} *./sub/with  two spaces.bin\n\n  ${A}  a b.txt  \n`;
    expect([...parseChecksums(text, 'x')]).toEqual([
      ['config.json', A],
      ['sub/with  two spaces.bin', B.toLowerCase()],
      ['a b.txt', A],
    ]);
  });

  test.each([
    ['', /checksums\.blake3 of x: it is empty/],
    ['{"urls":[]}', /line 1 is not a hash and a path: \{"urls/],
    [`${A}  ok\n${A.slice(1)}  short\n`, /line 2 is not/],
    [`${A}  ../up\n`, /line 1 is not/],
    [`${A}  /etc/passwd\n`, /line 1 is not/],
    [`${A}  a\n${B}  a\n`, /it names "a" twice/],
  ])('is refused whole when it is %j', (text, words) => {
    expect(() => parseChecksums(text, 'x')).toThrow(words);
  });
});

describe('a file that is fetched', () => {
  const MODEL = '/v2/models/nim/meta/llama/versions/hf/files';
  const WEIGHTS = randomBytes(200_000);
  let site: Site;

  beforeEach(async () => {
    site = await startSite();
  });
  afterEach(() => site.close());

  async function offer(files: Record<string, Buffer | string>, sums?: string, lies = {}) {
    const all = { ...files, 'checksums.blake3': sums ?? (await checksumsOf(files)) };
    site.ngc.add({ id: 'nim/meta/llama', version: 'hf', files: all, lies });
  }
  const silent = { 'model.bin': { noSha256: true }, 'config.json': { noSha256: true } };
  const isKept = async () => {
    await site.larder.settled();
    return (await site.larder.store.catalog('ngc').get('file/models/nim/meta/llama:hf?model.bin')) !== undefined;
  };

  test('is held to its checksum where the list of files says no sha256', async () => {
    await offer({ 'model.bin': WEIGHTS, 'config.json': '{}' }, undefined, silent);
    expect((await site.ask(`${MODEL}/model.bin`)).bytes.equals(WEIGHTS)).toBe(true);
    expect((await site.ask(`${MODEL}/config.json`)).text).toBe('{}');
    expect(site.ngc.count('checksums.blake3', { host: 'cdn', method: 'GET' })).toBe(1);
    expect(await isKept()).toBe(true);
  });

  test('is not kept, and never whole, when it is something else', async () => {
    const right = { 'model.bin': WEIGHTS, 'config.json': '{}' };
    await offer({ 'model.bin': Buffer.alloc(200_000), 'config.json': '[]' }, await checksumsOf(right), silent);
    for (const path of ['model.bin', 'config.json']) await expect(site.ask(`${MODEL}/${path}`)).rejects.toThrow();
    expect(await isKept()).toBe(false);
    const said = site.larder.log().map(({ err }) => (err as { message?: string } | undefined)?.message ?? '');
    expect(
      said.filter((message) => /blake3 [0-9a-f]{64} was promised and [0-9a-f]{64} arrived/.test(message)),
    ).not.toEqual([]);
  });

  test('is held to it also where no list of files may be seen', async () => {
    await offer(
      { 'model.bin': WEIGHTS, 'config.json': '[]' },
      await checksumsOf({ 'model.bin': WEIGHTS, 'config.json': '{}' }),
    );
    site.ngc.fail({ path: '/files?page-size', status: 400, times: 99 });
    expect((await site.ask(`${MODEL}/model.bin`)).bytes.equals(WEIGHTS)).toBe(true);
    await expect(site.ask(`${MODEL}/config.json`)).rejects.toThrow();
  });

  test('costs no second question where the list says its sha256, or it is held', async () => {
    await offer({ 'model.bin': WEIGHTS, 'config.json': '{}' }, undefined, { 'config.json': { noSha256: true } });
    await site.ask(`${MODEL}/model.bin`);
    expect(site.ngc.count('checksums.blake3')).toBe(0);
    await site.ask(`${MODEL}/config.json`);
    await site.larder.settled();
    const { length } = site.ngc.calls();
    for (const path of ['model.bin', 'config.json']) expect((await site.ask(`${MODEL}/${path}`)).status).toBe(200);
    expect(site.ngc.calls()).toHaveLength(length);
  });

  test('comes without a promise, and the log says so, when the checksums cannot be read', async () => {
    await offer({ 'model.bin': WEIGHTS, 'config.json': '{}' }, 'nonsense', silent);
    expect((await site.ask(`${MODEL}/config.json`)).text).toBe('{}');
    expect(site.larder.log()).toContainEqual(expect.objectContaining({ event: 'ngc-no-checksums' }));
  });
});

describe('a folder that is added', () => {
  const HF = parseTarget('models', 'nim/meta/llama:hf');
  const WEIGHTS = randomBytes(2_000_000);
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let store: Store;

  beforeEach(async () => {
    folder = await temporaryFolder();
    store = await openStore(join(folder.path, 'store'), { now: Date.now });
  });
  afterEach(async () => {
    await store.close();
    await folder.remove();
  });

  async function add(files: Record<string, string | Buffer>) {
    const dir = await mkdtemp(join(folder.path, 'dir-'));
    for (const [path, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), bytes);
    }
    const place = { catalog: store.catalog('ngc'), blobs: store.blobs, now: Date.now };
    return addVersion(place, { ...HF, files: await readFolder(dir) });
  }
  const names = () => store.catalog('ngc').keys();

  test('is held to the checksums that it brings', async () => {
    const files = { 'config.json': '{}', 'sub/model.bin': WEIGHTS };
    const sums = await checksumsOf(files);
    for (const [path, other] of [
      ['config.json', '[]'],
      ['sub/model.bin', Buffer.alloc(2_000_000)],
    ] as const)
      await expect(add({ ...files, 'checksums.blake3': sums, [path]: other })).rejects.toThrow(
        new RegExp(`"${path}" is damaged or another one: blake3 [0-9a-f]{64} was promised and .*Nothing was added`),
      );
    await expect(add({ 'config.json': '{}', 'checksums.blake3': sums })).rejects.toThrow(
      /checksums\.blake3 of .*: it names "sub\/model\.bin", which is not there\. Nothing was added/,
    );
    await expect(add({ ...files, 'checksums.blake3': 'nonsense' })).rejects.toThrow(/line 1 is not a hash and a path/);
    expect(await names()).toEqual([]);
    expect(await add({ ...files, 'checksums.blake3': sums })).toMatchObject({ files: 3 });
    expect(await names()).toContain('file/models/nim/meta/llama:hf?checksums.blake3');
  });

  test('that is a part of a version of NGC is held to the checksums that are here', async () => {
    const sums = await checksumsOf({ 'model.bin': 'other', 'config.json': '{}' });
    const files = { 'model.bin': WEIGHTS, 'config.json': '{}', 'checksums.blake3': sums };
    await holdModel(store, 'nim/meta/llama:hf', files);
    await expect(add({ 'model.bin': WEIGHTS })).rejects.toThrow(/"model\.bin" is damaged or another one: blake3/);
    expect(await add({ 'config.json': '{}' })).toMatchObject({ files: 1 });
  });
});
