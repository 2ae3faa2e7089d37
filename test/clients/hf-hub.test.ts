import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { client } from '../support/clients.ts';
import { bytesOf, type HubPlace, type HubSites, sha256, startHubSites } from '../support/hub-sites.ts';
import { clientHome, runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

const VERSIONS = ['hf-0.28', 'hf-0.36', 'hf-1', 'hf-2'];
const FIXTURES = join(import.meta.dirname, '../fixtures/python/hub');
const BIG = bytesOf((12 << 20) + 123, 'hub');
const FILES = {
  'README.md': '# tiny\n',
  'big.bin': BIG,
  'config.json': '{"model_type":"bert"}',
  'empty.txt': '',
  'sub/f.txt': 'in a folder',
  'weird name #1+%.txt': 'odd',
};
const NAMES = Object.keys(FILES);

let sites: HubSites;

beforeAll(async () => {
  sites = await startHubSites(
    [
      { id: 'acme/tiny', files: { 'README.md': 'before' } },
      { id: 'acme/tiny', files: FILES },
      { id: 'openai/canon', files: { 'config.json': '{"canon":1}' } },
      { id: 'acme/gated', files: { 'a.txt': 'for those who may' }, gated: 'manual' },
      { id: 'acme/part', files: { 'a.txt': 'a', 'left-out.txt': 'not in the bundle' } },
      { id: 'acme/ds', type: 'datasets', files: { 'data/train.csv': 'a,b\n1,2\n' } },
    ],
    ['{ hf: "acme/tiny" }', '{ hf: "tinycanon" }', '{ hf: "acme/part", include: "a.*" }', '{ hf-dataset: "acme/ds" }'],
    (hub) => hub.rename('tinycanon', 'openai/canon'),
  );
});
afterAll(() => sites?.close());

/** Runs a fixture with a version of the client, in a home of its own. */
async function outcomesOf(place: HubPlace, version: string, env: NodeJS.ProcessEnv = {}) {
  const home = await clientHome();
  const python = join(await client(version), 'python');
  const ran = await place.run(python, [join(FIXTURES, 'calls.py')], {
    ...home,
    env: { ...home.env, HF_ENDPOINT: place.url, ...env },
  });
  await home.remove();
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  return JSON.parse(ran.stdout) as Record<string, unknown>;
}

/** What every version must make of every call, wherever it stands. */
function expected(sha: string, held = false) {
  const raised = (name: string) => expect.arrayContaining([name]);
  return {
    small: FILES['config.json'],
    large: sha256(BIG),
    empty: 0,
    'odd name': 'odd',
    'single-segment repo': '{"canon":1}',
    'dataset file': 'train.csv',
    'missing file': raised('EntryNotFoundError'),
    'missing repo': raised('RepositoryNotFoundError'),
    'missing revision': raised('RevisionNotFoundError'),
    // the hub says that it is gated; behind the gap nobody has heard of it
    'gated file': raised(held ? 'RepositoryNotFoundError' : 'GatedRepoError'),
    // there, but not here: never "not found", or libraries would go on without it
    'file left out': held ? raised('LocalEntryNotFoundError') : 'not in the bundle',
    'why it was left out': held ? expect.stringMatching(/403[\s\S]*not held here/) : 'not in the bundle',
    snapshot: NAMES,
    'snapshot again': NAMES,
    'snapshot into a folder': ['config.json', 'sub/f.txt'],
    'snapshot of a dataset': ['data/train.csv'],
    sizes: Object.fromEntries(NAMES.map((name) => [name, Buffer.byteLength(FILES[name as keyof typeof FILES])])),
    commit: sha,
    'short commit': sha,
    'dataset commit': expect.stringMatching(/^[0-9a-f]{40}$/),
    search: ['acme/tiny'],
    tree: ['README.md', 'big.bin', 'config.json', 'empty.txt', 'sub', 'sub/f.txt', 'weird name #1+%.txt'],
    'expanded tree': ['sub/f.txt'],
    'missing folder': raised('EntryNotFoundError'),
    files: NAMES,
    paths: ['big.bin', 'sub'],
    branches: ['main'],
    commits: 2,
    file_exists: [true, false],
    repo_exists: [true, false],
    revision_exists: [true, false],
    auth_check: null,
    whoami: expect.anything(),
    'fs ls': expect.arrayContaining(['acme/tiny/big.bin', 'acme/tiny/sub']),
    'fs glob': ['acme/tiny/empty.txt', 'acme/tiny/sub/f.txt', 'acme/tiny/weird name #1+%.txt'],
    'fs cat': 'in a folder',
    'fs range': sha256(BIG.subarray(5_000_000, 5_001_000)),
  };
}

describe.each(VERSIONS)('huggingface_hub %s', (version) => {
  test('gets everything through a mirror that holds nothing, and again from it', async () => {
    const place = await sites.cold();
    const sha = sites.hub.repo('acme/tiny').sha;
    expect(await outcomesOf(place, version)).toEqual(expected(sha));
    const given = () => sites.hub.calls('/lfs/').length + sites.hub.calls('/resolve-cache/').length;
    const before = given();
    expect(await outcomesOf(place, version)).toEqual(expected(sha));
    expect(given()).toBe(before);
  });

  test('gets everything behind the gap', async () => {
    expect(await outcomesOf(sites.behindTheGap, version)).toEqual(expected(sites.hub.repo('acme/tiny').sha, true));
  });
});

test('the hf command downloads, lists and verifies, and says in words what is not there', async () => {
  const home = await clientHome();
  const place = sites.behindTheGap;
  const hf = join(await client('hf-2'), 'hf');
  // the command itself asks a package index for newer versions of it
  const env = { ...home.env, HF_ENDPOINT: place.url, HF_HUB_DISABLE_UPDATE_CHECK: '1' };
  const run = (...args: string[]) => place.run(hf, args, { ...home, env });
  expect(await run('download', 'acme/tiny')).toMatchObject({ code: 0 });
  expect(await run('cache', 'verify', 'acme/tiny')).toMatchObject({ code: 0 });
  expect((await run('models', 'ls', '--search', 'tiny', '--format', 'json')).stdout).toContain('acme/tiny');
  const absent = await run('download', 'acme/not-there');
  expect([absent.code > 0, absent.stdout + absent.stderr]).toEqual([
    true,
    expect.stringMatching(/'acme\/not-there' not found/),
  ]);
  await home.remove();
});

test('nothing tried to leave the gap', async () => {
  expect(await sites.escaped()).toBe(0);
});

describe('publishing behind the gap', () => {
  let folder: { path: string; remove(): Promise<void> };
  let site: SpawnedLarder;
  let token: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const store = join(folder.path, 'store');
    site = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true' } });
    token = (await larder(['token', 'create', 'trainer', '--write', '--hf', '--store', store])).stdout.trim();
  });
  afterAll(async () => {
    await site?.stop();
    await folder?.remove();
  });

  test.each(VERSIONS)('works with huggingface_hub %s', async (version) => {
    const home = await clientHome();
    const env = { ...home.env, HF_ENDPOINT: site.urls.huggingface, HF_TOKEN: token, HF_HUB_DISABLE_XET: '1' };
    const ran = await runCommand(join(await client(version), 'python'), [join(FIXTURES, 'publish.py')], {
      ...home,
      env,
    });
    await home.remove();
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
    const repo = expect.stringMatching(/^lab\/tuned-/);
    const commit = 40;
    expect(JSON.parse(ran.stdout)).toEqual({
      whoami: 'write',
      create: repo,
      'create again': repo,
      upload: commit,
      'upload unchanged': true,
      commit,
      files: ['.gitattributes', 'README.md', 'copy.bin', 'empty.txt', 'model.safetensors', 'notes.txt'],
      branch: null,
      tag: null,
      refs: [expect.arrayContaining(['main', 'dev']), ['v1']],
      'tags of the card': expect.arrayContaining(['license:mit', 'text-generation']),
      downloaded: 11_000_000,
      'for others': false,
      delete: null,
      gone: false,
    });
  });
});
