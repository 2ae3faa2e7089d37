import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addFolder } from '../../../services/huggingface/add-folder.ts';
import { blobId } from '../../../services/huggingface/git-objects.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';
import { type Site, startSite } from './support.ts';

const SHA = '83bdd5c9508e07b84b16be88ec22430264b480b3';
const LARGE = randomBytes(100_000);
const OID = createHash('sha256').update(LARGE).digest('hex');
const SMALL = '{"model_type":"bert"}';
let folder: { path: string; remove(): Promise<void> };
let store: Store;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openStore(at('store'), { now: Date.now });
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const at = (...names: string[]) => join(folder.path, ...names);
async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(at(path)), { recursive: true });
  await writeFile(at(path), content);
}
const add = (name: string, options: { revision?: string; added?(path: string): void } = {}) =>
  addFolder(
    { catalog: store.catalog('huggingface'), blobs: store.blobs, now: Date.now },
    {
      folder: at(name),
      repo: { type: 'models', id: 'acme/tiny' },
      revision: options.revision ?? 'main',
      author: 'test',
      added: options.added,
    },
  );

/** The repo as clients see it behind the gap. */
async function site(): Promise<Site> {
  await store.close();
  const opened = await startSite({}, { mode: 'airgapped', store: at('store') });
  store = await openStore(at('other'), { now: Date.now });
  return opened;
}

/** As huggingface_hub lays its cache out. */
async function cache(): Promise<void> {
  const root = 'hub/models--acme--tiny';
  await put(`${root}/refs/main`, SHA);
  for (const [path, bytes, etag] of [
    ['model.safetensors', LARGE, OID],
    ['sub/config.json', SMALL, blobId(Buffer.from(SMALL))],
  ] as const) {
    await put(`${root}/blobs/${etag}`, bytes);
    const link = at(root, 'snapshots', SHA, path);
    await mkdir(dirname(link), { recursive: true });
    await symlink(`${'../'.repeat(path.split('/').length + 1)}blobs/${etag}`, link);
  }
}

/** As `hf download --local-dir` does. */
async function localDir(): Promise<void> {
  await put('dir/model.safetensors', LARGE);
  await put('dir/sub/config.json', SMALL);
  await put('dir/.cache/huggingface/download/model.safetensors.metadata', `${SHA}\n${OID}\n1700000000\n`);
  await put(
    'dir/.cache/huggingface/download/sub/config.json.metadata',
    `${SHA}\n${blobId(Buffer.from(SMALL))}\n1700000000\n`,
  );
}

describe('a folder becomes a repo', () => {
  test('a plain one, with the ids that git and git-lfs give', async () => {
    await put('plain/README.md', '---\nlicense: mit\n---\n');
    await put('plain/model.safetensors', LARGE);
    await put('plain/empty.txt', '');
    await put('plain/.git/config', 'never');
    const added = await add('plain');
    expect(added).toMatchObject({ files: 3, kind: 'plain', known: false });
    const seen = await site();
    expect(await seen.json('/api/models/acme/tiny')).toMatchObject({ sha: added.sha, tags: ['license:mit'] });
    const tree = await seen.json<{ path: string; oid: string; lfs?: { oid: string } }[]>(
      '/api/models/acme/tiny/tree/main',
    );
    expect(tree.map(({ path, lfs }) => [path, lfs?.oid])).toEqual([
      ['README.md', undefined],
      ['empty.txt', undefined],
      ['model.safetensors', OID],
    ]);
    expect((await seen.ask('/acme/tiny/resolve/main/model.safetensors')).bytes.equals(LARGE)).toBe(true);
    expect((await seen.json<object[]>('/api/models')).length).toBe(1);
    await seen.close();
  });

  test.each([
    ['a cache by its root', cache, 'hub'],
    ['the folder of a repo in a cache', cache, 'hub/models--acme--tiny'],
    ['a snapshot in a cache', cache, `hub/models--acme--tiny/snapshots/${SHA}`],
    ['one of hf download --local-dir', localDir, 'dir'],
  ])("%s, with the hub's own commit", async (_what, make, name) => {
    await make();
    expect(await add(name)).toMatchObject({ sha: SHA, files: 2, known: true });
    const seen = await site();
    for (const rev of ['main', SHA]) {
      const answer = await seen.ask(`/acme/tiny/resolve/${rev}/model.safetensors`);
      expect([answer.bytes.equals(LARGE), answer.headers.get('x-repo-commit'), answer.headers.get('etag')]).toEqual([
        true,
        SHA,
        `"${OID}"`,
      ]);
    }
    expect((await seen.ask('/acme/tiny/resolve/main/sub/config.json')).text).toBe(SMALL);
    await seen.close();
  });

  test('that a client listed in full knows also what it does not hold', async () => {
    await cache();
    const listing = {
      'model.safetensors': { size: LARGE.length, blob_id: '1'.repeat(40), lfs_sha256: OID },
      'other.bin': { size: 5, blob_id: '2'.repeat(40) },
    };
    await put(`hub/models--acme--tiny/trees/${SHA}.json`, JSON.stringify({ format_version: 1, files: listing }));
    await add('hub');
    const seen = await site();
    expect((await seen.ask('/acme/tiny/resolve/main/other.bin')).status).toBe(403);
    expect((await seen.ask('/acme/tiny/resolve/main/nope.bin')).status).toBe(404);
    await seen.close();
  });

  test('once more after a change is a commit on top, and unchanged the same one', async () => {
    await put('plain/a.txt', 'a');
    const first = await add('plain');
    expect((await add('plain')).sha).toBe(first.sha);
    await put('plain/b.txt', 'b');
    await add('plain');
    const seen = await site();
    expect((await seen.json<object[]>('/api/models/acme/tiny/commits/main')).length).toBe(2);
    await seen.close();
  });
});

describe('a folder is refused', () => {
  const isEmpty = async () => (await store.catalog('huggingface').keys('repo/')).length === 0;

  test('when a file changes while it is added', async () => {
    await put('plain/a.txt', 'a');
    await put('plain/b.txt', 'b');
    const change = (path: string) => void (path === 'b.txt' && appendFileSync(at('plain/a.txt'), 'more'));
    await expect(add('plain', { added: change })).rejects.toThrow(/a\.txt changed while the folder was being added/);
    expect(await isEmpty()).toBe(true);
  });

  test('when a file comes while it is added', async () => {
    await put('plain/a.txt', 'a');
    await expect(add('plain', { added: () => writeFileSync(at('plain/z.txt'), 'z') })).rejects.toThrow(
      /z\.txt changed/,
    );
  });

  test('when a file of a cache is not what the hub called it', async () => {
    await cache();
    await writeFile(at('hub/models--acme--tiny/blobs', OID), Buffer.alloc(LARGE.length));
    await expect(add('hub')).rejects.toThrow(/model\.safetensors is damaged/);
    await cache().catch(() => undefined);
    await writeFile(at('hub/models--acme--tiny/blobs', OID), LARGE);
    await writeFile(at('hub/models--acme--tiny/blobs', blobId(Buffer.from(SMALL))), 'other');
    await expect(add('hub')).rejects.toThrow(/sub\/config\.json is damaged/);
    expect(await isEmpty()).toBe(true);
  });

  test.each([
    ['leads out of it', '/etc/passwd', /leads out of the folder/],
    ['leads to nothing', 'nothing', /link to nothing/],
    ['leads to a folder', '.', /link to a folder/],
  ])('when a link %s', async (_what, target, message) => {
    await put('plain/a.txt', 'a');
    await symlink(target, at('plain/link'));
    await expect(add('plain')).rejects.toThrow(message);
  });

  test('when it is empty, is not there, or has no such snapshot', async () => {
    await mkdir(at('nothing'));
    await expect(add('nothing')).rejects.toThrow(/has no files/);
    await expect(add('nowhere')).rejects.toThrow(/cannot be read \(ENOENT\)/);
    await cache();
    await mkdir(at('hub/models--acme--tiny/snapshots', '1'.repeat(40)));
    await expect(add('hub', { revision: 'v9' })).rejects.toThrow(new RegExp(`no snapshot of "v9"; it has .*${SHA}`));
  });
});

test('the command says what it made, and refuses names in words', async () => {
  await put('plain/a.txt', 'a');
  const ran = await larder(['hf', 'add', at('plain'), '--repo', 'lab/mine', '--store', at('cli')]);
  expect([ran.code, ran.stdout]).toEqual([
    0,
    expect.stringMatching(/^lab\/mine at [0-9a-f]{40}: 1 files, 1 B, from a folder\n$/),
  ]);
  for (const [args, message] of [
    [['--repo', '../x'], /is no repo id/],
    [['--repo', 'a/b', '--type', 'thing'], /--type is model, dataset or space/],
    [['--repo', 'a/b', '--revision', 'a..b'], /cannot be the name of a branch/],
  ] as const) {
    const refused = await larder(['hf', 'add', at('plain'), ...args, '--store', at('cli')]);
    expect([refused.code > 0, refused.stderr]).toEqual([true, expect.stringMatching(message)]);
  }
  expect(await readdir(at('plain'))).toEqual(['a.txt']);
});
