import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { type Hub, startHub } from '../../support/hub.ts';
import { larder } from '../../support/larder.ts';
import { type Site, sent, startSite } from './support.ts';

const BIG = randomBytes(2_000_000);
let folder: { path: string; remove(): Promise<void> };
let hub: Hub;
let site: Site;
let items: Record<string, unknown>[];
/** What the hub had been asked when the bundle was there. */
let asked: number;

const at = (name: string) => join(folder.path, name);
const manifest = (...wanted: object[]) => `format: larder-manifest/1\nname: models\nitems: ${JSON.stringify(wanted)}\n`;

beforeAll(async () => {
  folder = await temporaryFolder();
  hub = await startHub();
  hub.add({ id: 'acme/tiny', files: { 'config.json': '{}' } });
  hub.add({
    id: 'acme/tiny',
    files: {
      'config.json': '{"a":1}',
      'empty.txt': '',
      'sub/f.txt': 'hello',
      'model.safetensors': BIG,
      'pytorch_model.bin': BIG.subarray(1),
    },
    tags: ['v1'],
    info: { tags: ['license:mit'] },
  });
  hub.add({ id: 'gpt-new/gpt2', files: { 'config.json': '{"gpt":2}' } });
  hub.rename('gpt2', 'gpt-new/gpt2');
  hub.add({ id: 'acme/ds', type: 'datasets', files: { 'data/x.csv': 'a,b\n' } });
  await writeFile(
    at('bundle.yaml'),
    manifest({ hf: 'acme/tiny', exclude: '*.bin' }, { hf: 'gpt2' }, { 'hf-dataset': 'acme/ds', revision: 'main' }),
  );
  const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url };
  const created = await larder(['bundle', 'create', at('bundle.yaml'), at('bundle'), '--store', at('connected')], {
    env,
  });
  expect(created).toMatchObject({ code: 0 });
  const listed = await larder(['--json', 'bundle', 'inspect', at('bundle')]);
  items = listed.stdout
    .split('\n')
    .filter((line) => line.includes('hf'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(await larder(['bundle', 'import', at('bundle'), '--store', at('site')])).toMatchObject({ code: 0 });
  asked = hub.calls().length;
  site = await startSite({}, { hub, mode: 'airgapped', store: at('site') });
});
afterAll(async () => {
  await site?.close();
  await hub?.close();
  await folder?.remove();
});

describe('from a bundle alone', () => {
  test('every route answers', async () => {
    const { sha } = hub.repo('acme/tiny');
    expect(await site.json('/api/models/acme/tiny')).toMatchObject({ id: 'acme/tiny', sha });
    expect(await site.json(`/api/models/acme/tiny/revision/${sha}?blobs=true`)).toMatchObject({ sha });
    expect(await site.json(`/api/models/acme/tiny/revision/${sha.slice(0, 9)}`)).toMatchObject({ sha });
    expect((await site.json<object[]>(`/api/models/acme/tiny/tree/${sha}?recursive=true`)).length).toBe(6);
    expect(
      (
        await site.json<object[]>(
          '/api/models/acme/tiny/paths-info/main',
          sent('POST', { paths: ['model.safetensors'] }),
        )
      ).length,
    ).toBe(1);
    expect(await site.json('/api/models/acme/tiny/refs')).toMatchObject({
      branches: [{ targetCommit: sha }],
      tags: [{ name: 'v1' }],
    });
    expect((await site.json<object[]>('/api/models/acme/tiny/commits/main')).length).toBe(2);
    expect((await site.json<{ id: string }[]>('/api/models?search=tiny&sort=downloads')).map(({ id }) => id)).toEqual([
      'acme/tiny',
    ]);
    for (const rev of ['main', sha]) {
      const answer = await site.ask(`/acme/tiny/resolve/${rev}/model.safetensors`);
      expect([answer.status, answer.bytes.equals(BIG), answer.headers.get('x-repo-commit')]).toEqual([200, true, sha]);
    }
    expect((await site.ask('/acme/tiny/resolve/main/empty.txt')).status).toBe(200);
    expect((await site.ask('/datasets/acme/ds/resolve/main/data/x.csv')).text).toBe('a,b\n');
    expect(await site.json('/api/models/acme/tiny/auth-check')).toEqual({});
  });

  test('a repo is found under the name it was asked for by, and the one it has', async () => {
    for (const id of ['gpt2', 'gpt-new/gpt2']) {
      expect(await site.json(`/api/models/${id}`)).toMatchObject({ id: 'gpt-new/gpt2' });
      expect((await site.ask(`/${id}/resolve/main/config.json`)).text).toBe('{"gpt":2}');
    }
  });

  test('what a commit does not hold is said with certainty', async () => {
    const answer = await site.ask('/acme/tiny/resolve/main/added_tokens.json', { method: 'HEAD' });
    expect([answer.status, answer.headers.get('x-error-code'), answer.headers.get('x-repo-commit')]).toEqual([
      404,
      'EntryNotFound',
      hub.repo('acme/tiny').sha,
    ]);
  });

  test('a file that was left out is not passed off as one that does not exist', async () => {
    for (const method of ['HEAD', 'GET']) {
      const answer = await site.ask('/acme/tiny/resolve/main/pytorch_model.bin', { method });
      expect([answer.status, answer.headers.get('x-error-code')]).toEqual([403, null]);
      expect(answer.headers.get('x-error-message')).toMatch(/not held here.*list of wants/);
    }
  });

  test('an unknown repo and an unknown revision are told apart, in words that say where one is', async () => {
    const repo = await site.ask('/api/models/acme/other');
    expect([repo.status, repo.headers.get('x-error-code')]).toEqual([404, 'RepoNotFound']);
    expect(repo.headers.get('x-error-message')).toMatch(/not held here, and this site has no network/);
    const rev = await site.ask('/api/models/acme/tiny/revision/v9');
    expect([rev.status, rev.headers.get('x-error-code')]).toEqual([404, 'RevisionNotFound']);
  });

  test('what was asked for in vain becomes the next manifest', async () => {
    const wants = await larder(['wants', 'export', '--store', at('site')]);
    expect(wants.stdout).toContain('{"hf":"acme/other"}');
    expect(wants.stdout).toContain('"include":["pytorch_model.bin"]');
  });

  test('nobody was asked', () => {
    expect(hub.calls().length).toBe(asked);
  });
});

describe('an item', () => {
  test('says what it holds: commit, licence, whether it is gated, what was left out', () => {
    const tiny = items.find(({ id }) => String(id).startsWith('hf:acme/tiny@'))!;
    expect(tiny).toMatchObject({
      type: 'hf-snapshot',
      commit: hub.repo('acme/tiny').sha,
      license: 'mit',
      gated: false,
      files: 4,
      leftOut: { 'pytorch_model.bin': 'excluded' },
    });
  });

  const create = async (name: string, item: object) => {
    await writeFile(at(`${name}.yaml`), manifest(item));
    return larder(['bundle', 'create', at(`${name}.yaml`), at(name), '--store', at('connected')], {
      env: { LARDER_HUGGINGFACE_ORIGIN: hub.url },
    });
  };

  test.each([
    ['pickle: refuse', { hf: 'acme/tiny', pickle: 'refuse' }, /run code when they are loaded: pytorch_model\.bin/],
    ['patterns that leave nothing', { hf: 'acme/tiny', include: 'nope*' }, /leave none of its 5 files/],
    ['a repo that is not there', { hf: 'acme/nope' }, /Repository not found: acme\/nope/],
    ['a revision that is not there', { hf: 'acme/tiny', revision: 'v9' }, /Invalid rev id: v9/],
    ['no repo', { hf: '../etc' }, /a repo is "org\/name"/],
  ])('with %s fails in words', async (name, item, message) => {
    const ran = await create(name.replace(/\W/g, ''), item);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(message);
  });

  test('leaves pickles out where there are safetensors, when it is told to', async () => {
    const ran = await create('unless', { hf: 'acme/tiny', pickle: 'unless-safetensors' });
    expect(ran).toMatchObject({ code: 0 });
    expect((await larder(['--json', 'bundle', 'inspect', at('unless')])).stdout).toContain(
      '"pytorch_model.bin":"pickle: unless-safetensors"',
    );
  });
});
