import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../services/ngc/artifact.ts';
import { fileKey } from '../../../services/ngc/keys.ts';
import { checkCache } from '../../../services/ngc/nim/check-cache.ts';
import { exportCache } from '../../../services/ngc/nim/export-cache.ts';
import { digestOf, hexOf } from '../../../shared/model/digest.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { createTelemetry } from '../../../shared/telemetry/telemetry.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';
import { checksumsOf, holdModel } from '../../support/nim-models.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store;
let cache: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  const { log } = createTelemetry({ level: 'silent' });
  store = await openStore(join(folder.path, 'store'), { now: Date.now, log });
  cache = join(folder.path, 'cache');
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const md5 = (bytes: Buffer | string) => createHash('md5').update(bytes).digest('hex');
const HF = 'nim/meta/llama-3_1-8b-instruct:hf-8c22764-b';
const TRT = 'nim/meta/llama-3_1-8b-instruct:0.11.1+ba20956e-l40sx1-bf16';
const MODEL = 'ngc/hub/models--nim--meta--llama-3_1-8b-instruct';

async function hold(id: string, files: Record<string, Buffer | string>, options: Parameters<typeof holdModel>[3] = {}) {
  const all = { ...files, 'checksums.blake3': await checksumsOf(files) };
  await holdModel(store, id, all, options);
  return all;
}

function make(ids: string[], options: Parameters<typeof exportCache>[3] = {}, to = cache) {
  const versions = ids.map((id) => parseTarget('models', id));
  return exportCache({ catalog: store.catalog('ngc'), blobs: store.blobs }, to, versions, options);
}

/** As a NIM finds a file: the ref's text is the snapshot's name (it is made as the hub's cache is). */
async function found(id: string, path: string): Promise<Buffer> {
  const { artifact, version } = parseTarget('models', id);
  const model = join(cache, 'ngc/hub', `models--${artifact.org}--${artifact.team}--${artifact.name}`);
  const snapshot = await readFile(join(model, 'refs', version), 'utf8');
  return readFile(join(model, 'snapshots', snapshot, path));
}

async function tree(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).sort();
}

describe('an export', () => {
  test('is laid out as a NIM lays it out itself: blobs by their ETags, links that lead there, a ref for each version', async () => {
    const engine = randomBytes(3_000_000);
    const etag = `"${md5('parts')}-1655"`;
    const files = await hold(TRT, { 'config.json': '{}', 'rank0.engine': engine }, { etags: { 'rank0.engine': etag } });
    await hold(HF, { 'config.json': '{}', 'sub/dir/model.safetensors': 'weights' });
    const done = await make([TRT, HF]);
    expect(done.versions).toMatchObject([
      { files: 3, checked: 2 },
      { files: 3, checked: 2 },
    ]);
    const trt = TRT.split(':')[1]!;
    expect(await readFile(join(cache, MODEL, 'refs', trt), 'utf8')).toBe(trt);
    const links = join(cache, MODEL, 'snapshots', trt);
    expect(await readlink(join(links, 'rank0.engine'))).toBe(`../../blobs/${md5('parts')}-1655`);
    expect(await readlink(join(links, 'config.json'))).toBe(`../../blobs/${md5('{}')}`);
    expect(await readlink(join(cache, MODEL, 'snapshots/hf-8c22764-b/sub/dir/model.safetensors'))).toBe(
      `../../../../blobs/${md5('weights')}`,
    );
    for (const [path, bytes] of Object.entries(files)) expect(await found(TRT, path)).toEqual(Buffer.from(bytes));
    expect((await found(HF, 'sub/dir/model.safetensors')).toString()).toBe('weights');
    // what both versions have is there once
    expect(await readdir(join(cache, MODEL, 'blobs'))).toHaveLength(5);
    expect(await readdir(join(cache, 'ngc/hub'))).toEqual(['models--nim--meta--llama-3_1-8b-instruct', 'tmp']);
    expect(await tree(join(cache, 'ngc/hub/tmp'))).toEqual([]);
    expect(await checkCache(cache)).toMatchObject({ problems: [], versions: [{ files: 3 }, { files: 3 }] });
  });

  test('can be read by everybody whatever the umask is, and written to when that is wished', async () => {
    const before = process.umask(0o077);
    try {
      await hold(HF, { 'a/b.bin': 'bytes' });
      await make([HF]);
      await make([HF], { writable: true }, join(folder.path, 'open'));
    } finally {
      process.umask(before);
    }
    const modes = async (root: string) => {
      const found = new Set<string>();
      for (const path of await tree(root)) {
        const { mode } = await stat(join(root, path));
        found.add(((await stat(join(root, path))).isDirectory() ? 'd' : '-') + (mode & 0o777).toString(8));
      }
      return [...found].sort();
    };
    expect(await modes(cache)).toEqual(['-644', 'd755']);
    expect(await modes(join(folder.path, 'open'))).toEqual(['-666', 'd777']);
  });

  test('is repeated without copying, adds versions to a cache that is there, and mends what was damaged', async () => {
    await hold(HF, { 'config.json': '{}', 'model.bin': 'weights' });
    expect(await make([HF])).toMatchObject({ copied: 3 });
    expect(await make([HF])).toMatchObject({ copied: 0, bytes: 0 });
    await hold(TRT, { 'config.json': '{}', 'rank0.engine': 'engine' });
    expect(await make([HF, TRT])).toMatchObject({ copied: 2 });
    await chmod(join(cache, MODEL, 'blobs', md5('weights')), 0o644);
    await writeFile(join(cache, MODEL, 'blobs', md5('weights')), 'wights!');
    expect(await make([HF])).toMatchObject({ copied: 1 });
    expect((await found(HF, 'model.bin')).toString()).toBe('weights');
    expect((await checkCache(cache)).problems).toEqual([]);
  });

  test('leaves alone what else is in the cache', async () => {
    await hold(HF, { 'config.json': '{}' });
    await mkdir(join(cache, 'huggingface/hub'), { recursive: true });
    await chmod(cache, 0o700);
    await writeFile(join(cache, 'huggingface/hub/x'), 'other');
    await make([HF]);
    expect(await readFile(join(cache, 'huggingface/hub/x'), 'utf8')).toBe('other');
    expect((await stat(cache)).mode & 0o777).toBe(0o700);
  });

  test('of a file without an ETag calls it by its sha256, and never lets two files share a name', async () => {
    await hold(
      HF,
      { 'a.bin': 'one', 'b.bin': 'two', 'c.bin': 'three' },
      {
        etags: { 'a.bin': undefined, 'b.bin': '"same"', 'c.bin': '"same"', 'checksums.blake3': '"../../escape"' },
      },
    );
    await make([HF]);
    const sha256 = (text: string) => hexOf(digestOf(text));
    const names = await readdir(join(cache, MODEL, 'blobs'));
    expect(names).toHaveLength(4);
    expect(names).toEqual(expect.arrayContaining([sha256('one'), 'same', sha256('three')]));
    expect((await found(HF, 'c.bin')).toString()).toBe('three');
  });

  test('of a model without a team leaves the team out', async () => {
    await hold('nvidia/genmol:2.0.0', { 'm.tar': 'tar' });
    await make(['nvidia/genmol:2.0.0']);
    expect(await readFile(join(cache, 'ngc/hub/models--nvidia--genmol/snapshots/2.0.0/m.tar'), 'utf8')).toBe('tar');
  });

  test('goes by the checksums where NGC gave no list of files', async () => {
    await hold(HF, { 'config.json': '{}', 'model.bin': 'weights' }, { unlisted: true });
    expect((await make([HF])).versions).toMatchObject([{ files: 3, checked: 2 }]);
  });
});

describe('an export that cannot be right', () => {
  test('says what is not held before it makes anything', async () => {
    const files = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`f${index}`, `${index}`]));
    await hold(HF, files);
    for (const path of Object.keys(files).slice(1))
      await store.catalog('ngc').delete(fileKey(parseTarget('models', HF), path));
    await expect(make([HF])).rejects.toThrow(
      /is not whole here, it lacks f1, f2, f3, f4, f5 and 3 more; bring it by .*ngc: nim\/meta/,
    );
    await expect(make(['nim/meta/other:1'])).rejects.toThrow(/model nim\/meta\/other:1 is not held/);
    expect(await readdir(folder.path)).toEqual(['store']);
  });

  test('is not finished when a file is not what checksums.blake3 says', async () => {
    await hold(TRT, { 'config.json': '{}' });
    const sums = await checksumsOf({ 'config.json': '{}', 'model.bin': 'right' });
    await holdModel(store, HF, { 'config.json': '{}', 'model.bin': 'wrong', 'checksums.blake3': sums });
    await expect(make([HF])).rejects.toThrow(
      /hf-8c22764-b: "model\.bin" is not what its checksums\.blake3 says: [0-9a-f]{64} was promised/,
    );
    expect(await readdir(folder.path)).toEqual(['cache.partial', 'store']);
    expect(await tree(join(`${cache}.partial`, MODEL, 'refs'))).toEqual([]);
    expect(await tree(join(`${cache}.partial`, MODEL, 'snapshots'))).toEqual([]);
    // a cache that is there keeps what it had
    await make([TRT]);
    await expect(make([HF])).rejects.toThrow(/is not what its/);
    expect(await readdir(join(cache, MODEL, 'refs'))).toEqual([TRT.split(':')[1]]);
    expect(await tree(join(cache, 'ngc/hub/tmp'))).toEqual([]);
  });

  test('is not begun when checksums.blake3 is no list, or names a file that the version has not', async () => {
    await holdModel(store, HF, { 'a.bin': 'a', 'checksums.blake3': 'nonsense\n' });
    await expect(make([HF])).rejects.toThrow(
      /checksums\.blake3 of model .*: line 1 is not a hash and a path: nonsense/,
    );
    await holdModel(store, HF, { 'a.bin': 'a', 'checksums.blake3': `${'0'.repeat(64)}  ../../etc\n` });
    await expect(make([HF])).rejects.toThrow(/line 1 is not a hash and a path/);
    await holdModel(store, HF, { 'a.bin': 'a', 'checksums.blake3': await checksumsOf({ 'b.bin': 'b' }) });
    await expect(make([HF])).rejects.toThrow(/names "b\.bin", which is no file of it/);
  });

  test('says that a blob of the store is damaged', async () => {
    await hold(HF, { 'model.bin': 'weights' });
    const hex = hexOf(digestOf('weights'));
    const blob = join(folder.path, 'store/blobs/sha256', hex);
    await chmod(blob, 0o644);
    await writeFile(blob, 'wights!');
    await expect(make([HF])).rejects.toThrow(/in the store is damaged; run "larder store verify"/);
  });

  test('stops when it is told to, and goes on from there', async () => {
    await hold(HF, { 'a.bin': randomBytes(2_000_000), 'b.bin': randomBytes(2_000_000) });
    const stop = new AbortController();
    await expect(make([HF], { signal: stop.signal, written: () => stop.abort() })).rejects.toThrow(/abort/);
    expect(await make([HF])).toMatchObject({ copied: 2 });
    expect(await readdir(folder.path)).toEqual(['cache', 'store']);
  });
});

describe('a check', () => {
  test('finds what a NIM would fail at', async () => {
    await hold(HF, { 'a.bin': 'first', 'b.bin': 'second', 'c.bin': 'third', 'd.bin': 'fourth', 'e.bin': 'fifth' });
    await make([HF]);
    const snapshot = join(cache, MODEL, 'snapshots/hf-8c22764-b');
    const blobs = join(cache, MODEL, 'blobs');
    await writeFile(join(blobs, md5('first')), 'f1rst');
    await truncate(join(blobs, md5('second')), 3);
    await rm(join(blobs, md5('third')));
    await rm(join(snapshot, 'd.bin'));
    await rm(join(snapshot, 'e.bin'));
    await symlink('../../../../../../outside', join(snapshot, 'e.bin'));
    await symlink('/etc/hostname', join(snapshot, 'f.bin'));
    await mkdir(join(cache, MODEL, 'snapshots/lost'));
    await writeFile(join(cache, MODEL, 'refs/gone'), 'gone');
    const { problems } = await checkCache(cache);
    const said = problems.map(({ where, message }) => `${where.split('/').at(-1)} ${message}`);
    expect(said.sort()).toEqual([
      'gone refs/gone says "gone", and there is no such snapshot',
      expect.stringMatching(/^hf-8c22764-b: a\.bin it is damaged: its blake3 is .* and checksums\.blake3 says/),
      expect.stringMatching(/^hf-8c22764-b: b\.bin it is damaged/),
      expect.stringMatching(/^hf-8c22764-b: c\.bin its link leads to .*, and there is no such file/),
      'hf-8c22764-b: d.bin checksums.blake3 names it, and it is not there',
      expect.stringMatching(/^hf-8c22764-b: e\.bin its link leads out of the model's blobs/),
      expect.stringMatching(/^hf-8c22764-b: f\.bin its link leads to \/etc\/hostname: in a container/),
      'lost no ref names this snapshot: a NIM does not find it',
    ]);
  });

  test('goes by names where there are no checksums, and takes plain files', async () => {
    await holdModel(store, HF, { 'a.bin': 'first', 'b.bin': 'second' }, { etags: { 'b.bin': undefined } });
    await make([HF]);
    expect((await checkCache(cache)).versions).toMatchObject([{ files: 2, checked: 2 }]);
    for (const name of await readdir(join(cache, MODEL, 'blobs')))
      await writeFile(join(cache, MODEL, 'blobs', name), 'x');
    expect((await checkCache(cache)).problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/its md5 is .*, and its name says/),
      expect.stringMatching(/its sha256 is .*, and its name says/),
    ]);
    const path = join(cache, MODEL, 'snapshots/hf-8c22764-b/a.bin');
    await rm(path);
    await writeFile(path, 'first');
    expect((await lstat(path)).isFile()).toBe(true);
    expect((await checkCache(cache)).problems).toHaveLength(1);
    await expect(checkCache(dirname(cache))).rejects.toThrow(
      /is no folder of NIM_CACHE_PATH: there is no ngc\/hub in it/,
    );
  });
});

test('the command makes a cache and checks it', async () => {
  await hold(HF, { 'config.json': '{}' });
  const place = ['--store', join(folder.path, 'store')];
  const made = await larder(['nim', 'export', cache, '--model', HF, ...place]);
  expect([made.code, made.stdout]).toEqual([
    0,
    expect.stringMatching(/hf-8c22764-b: 2 files, .*, 1 by their checksum\n.*2 files copied/),
  ]);
  const right = await larder(['--json', 'nim', 'check', cache]);
  expect([right.code, JSON.parse(right.stdout)]).toMatchObject([0, { event: 'checked', problems: [] }]);
  await writeFile(join(cache, MODEL, 'blobs', md5('{}')), '[]');
  const wrong = await larder(['nim', 'check', cache]);
  expect([wrong.code, wrong.stdout]).toEqual([3, expect.stringMatching(/wrong: .*config\.json: it is damaged/)]);
  const unknown = await larder(['nim', 'export', cache, '--model', 'nim/meta/other:1', ...place]);
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('nim/meta/other:1 is not held')]);
  const nonsense = await larder(['nim', 'export', cache, '--model', 'llama', ...place]);
  expect(nonsense.stderr).toContain('is not org/team/name:version');
});
