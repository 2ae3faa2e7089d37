import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Site, sent, startSite } from './support.ts';

let site: Site;
const FILES = {
  'README.md': '# hi',
  'a/b/c.txt': 'c',
  'a/d.txt': 'd',
  'a-b.txt': 'x',
  'big.bin': Buffer.alloc(5000, 'b'),
  'z.txt': '',
};

beforeAll(async () => {
  site = await startSite({}, { pageSize: 3 });
  site.hub.add({
    id: 'acme/tiny',
    files: { 'README.md': '# before' },
    info: { pipeline_tag: 'text-generation', library_name: 'transformers', tags: ['license:mit'] },
  });
  site.hub.add({ id: 'acme/tiny', files: FILES, tags: ['v1'] });
  site.hub.add({ id: 'acme/tiny', files: FILES, branch: 'refs/pr/1' });
  site.hub.add({ id: 'acme/ds', type: 'datasets', files: { 'x.csv': '1' } });
  for (let index = 0; index < 5; index += 1)
    site.hub.add({ id: `other/model-${index}`, files: { 'a.txt': `${index}` } });
});
afterAll(() => site.close());

const TREE = '/api/models/acme/tiny/tree/main';
const ALL = ['README.md', 'a', 'a-b.txt', 'a/b', 'a/b/c.txt', 'a/d.txt', 'big.bin', 'z.txt'];
const paths = (entries: unknown) => (entries as { path: string }[]).map(({ path }) => path);

describe('info', () => {
  test('names the commit and the files; sizes where they are asked for, in every spelling of true', async () => {
    const plain = await site.json('/api/models/acme/tiny');
    expect(plain).toMatchObject({
      id: 'acme/tiny',
      modelId: 'acme/tiny',
      sha: site.hub.repo('acme/tiny').sha,
      gated: false,
    });
    expect((plain.siblings as object[])[0]).toEqual({ rfilename: 'README.md' });
    for (const blobs of ['true', 'True', '1']) {
      const { siblings } = await site.json(
        `/api/models/acme/tiny/revision/main?blobs=${blobs}&unheard=of&expand=xetEnabled`,
      );
      expect((siblings as { rfilename: string }[]).find(({ rfilename }) => rfilename === 'big.bin')).toMatchObject({
        size: 5000,
        lfs: { size: 5000, pointerSize: 129 },
      });
    }
  });

  test("is had at a branch, a tag, a commit, HEAD, behind a slash, a doubled one, and the site's own prefix", async () => {
    const { sha } = site.hub.repo('acme/tiny');
    for (const path of [`revision/${sha}`, 'revision/v1', 'revision/HEAD', 'revision/main/', ''])
      expect(await site.json(`/api/models/acme/tiny/${path}`)).toMatchObject({ sha });
    expect(await site.json('//api/models/acme/tiny')).toMatchObject({ sha });
    expect((await site.ask('/api/datasets/acme/tiny')).headers.get('x-error-code')).toBe('RepoNotFound');
  });

  test('is compressed for those who take it, and not sent again to those who have it', async () => {
    const packed = await site.ask('/api/models/acme/tiny', { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    const etag = packed.headers.get('etag')!;
    expect(
      (await site.ask('/api/models/acme/tiny', { headers: { 'accept-encoding': 'gzip', 'if-none-match': etag } }))
        .status,
    ).toBe(304);
  });
});

describe('a tree', () => {
  test('comes whole on one page unless pages are asked for: some clients read only the first', async () => {
    const answer = await site.ask(`${TREE}?recursive=True`);
    expect([paths(answer.json), answer.headers.get('link')]).toEqual([ALL, null]);
  });

  test('comes in pages whose links are absolute and ours', async () => {
    const found: string[] = [];
    let next: string | undefined = `${TREE}?recursive=true&limit=3&expand=false`;
    while (next) {
      const answer: Awaited<ReturnType<Site['ask']>> = await site.ask(next);
      found.push(...paths(answer.json));
      const link = answer.headers.get('link');
      if (link) expect(link).toMatch(new RegExp(`^<${site.url}/api/models/acme/tiny/tree/main\\?.*>; rel="next"$`));
      next = link ? /<([^>]+)>/.exec(link)![1]!.slice(site.url.length) : undefined;
    }
    expect(found).toEqual(ALL);
    expect((await site.ask(`${TREE}?recursive=true&limit=3&cursor=bm9wZQ`)).status).toBe(400);
  });

  test('has levels, folders, facts of large files, and no folder that is not there', async () => {
    expect(paths(await site.json(TREE))).toEqual(['README.md', 'a', 'a-b.txt', 'big.bin', 'z.txt']);
    expect(paths(await site.json(`${TREE}/a`))).toEqual(['a/b', 'a/d.txt']);
    expect(paths(await site.json(`${TREE}/a/?recursive=true`))).toEqual(['a/b', 'a/b/c.txt', 'a/d.txt']);
    expect((await site.json<object[]>(TREE))[1]).toMatchObject({
      type: 'directory',
      oid: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    const { headers, status } = await site.ask(`${TREE}/nope`);
    expect([status, headers.get('x-error-code'), headers.get('x-repo-commit')?.length]).toEqual([
      404,
      'EntryNotFound',
      40,
    ]);
    expect(paths(await site.json('/api/models/acme/tiny/tree/refs%2Fpr%2F1/a'))).toEqual(['a/b', 'a/d.txt']);
  });

  test('says of expanded entries the commit that is looked at', async () => {
    const [entry] = await site.json<{ lastCommit: { id: string } }[]>(`${TREE}?expand=true`);
    expect(entry!.lastCommit.id).toBe(site.hub.repo('acme/tiny').sha);
  });
});

describe('paths-info', () => {
  const path = '/api/models/acme/tiny/paths-info/main';
  test('takes a form and JSON, and leaves out what is not there', async () => {
    const form = {
      method: 'POST',
      body: new URLSearchParams([
        ['paths', 'big.bin'],
        ['paths', 'nope'],
        ['paths', 'a'],
        ['expand', 'False'],
      ]),
    };
    expect(paths(await site.json(path, form))).toEqual(['big.bin', 'a']);
    const [entry] = await site.json<object[]>(path, sent('POST', { paths: ['big.bin'], expand: true }));
    expect(entry).toMatchObject({
      type: 'file',
      size: 5000,
      lfs: { size: 5000 },
      lastCommit: { id: expect.any(String) },
    });
  });

  test.each([
    ['a body of 10 MB', 413, JSON.stringify({ paths: ['x'.repeat(10_000_000)] })],
    ['what is no JSON', 400, '{'],
    ['no list', 400, '{"paths":7}'],
  ])("refuses %s in the hub's own form", async (_what, status, body) => {
    const answer = await site.ask(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({ error: answer.headers.get('x-error-message') });
  });
});

test('branches, tags and pull requests are told as the hub tells them', async () => {
  const refs = await site.json<{ branches: object[]; tags: { name: string }[]; pullRequests?: object[] }>(
    '/api/models/acme/tiny/refs',
  );
  expect([refs.branches.length, refs.tags[0]!.name, refs.pullRequests]).toEqual([1, 'v1', undefined]);
  expect(await site.json('/api/models/acme/tiny/refs?include_prs=1')).toMatchObject({
    pullRequests: [{ name: '1', ref: 'refs/pr/1' }],
  });
});

test('commits come newest first, by pages', async () => {
  const all = await site.json<{ id: string }[]>('/api/models/acme/tiny/commits/main');
  expect([all.length, all[0]!.id]).toEqual([2, site.hub.repo('acme/tiny').sha]);
  const first = await site.ask('/api/models/acme/tiny/commits/main?limit=1');
  expect(first.headers.get('link')).toBe(`<${site.url}/api/models/acme/tiny/commits/main?limit=1&p=1>; rel="next"`);
  expect(await site.json('/api/models/acme/tiny/commits/main?limit=1&p=1')).toEqual([all[1]]);
});

describe('lists', () => {
  const ids = (list: unknown) => (list as { id: string }[]).map(({ id }) => id);
  test("are the hub's, and what is held when the hub cannot be asked", async () => {
    await site.json('/api/models/acme/tiny');
    await site.json('/api/models/other/model-3');
    expect(ids(await site.json('/api/models?search=model&limit=3&unheard=of'))).toEqual([
      'other/model-0',
      'other/model-1',
      'other/model-2',
    ]);
    expect((await site.ask('/api/models?search=tiny')).text).not.toMatch(/xet/i);
    await site.hub.goDark();
    expect(ids(await site.json('/api/models')).sort()).toEqual(['acme/tiny', 'other/model-3']);
    expect(ids(await site.json('/api/models?search=TINY'))).toEqual(['acme/tiny']);
    expect(ids(await site.json('/api/models?author=other'))).toEqual(['other/model-3']);
    expect(
      ids(await site.json('/api/models?filter=license:mit&pipeline_tag=text-generation&library=transformers')),
    ).toEqual(['acme/tiny']);
    expect(ids(await site.json('/api/models?filter=license:gpl'))).toEqual([]);
    expect(ids(await site.json('/api/models?sort=lastModified&direction=-1'))[0]).toBe('acme/tiny');
    const page = await site.ask('/api/models?limit=1');
    expect(page.headers.get('link')).toBe(`<${site.url}/api/models?limit=1&cursor=1>; rel="next"`);
    expect(page.json).toMatchObject([{ modelId: expect.any(String), downloads: 10, tags: expect.any(Array) }]);
    expect(await site.json('/api/datasets')).toEqual([]);
    await site.hub.comeBack();
  });
});

describe('what clients ask in passing', () => {
  test('has an answer that they can go on with', async () => {
    expect(await site.json('/api/agent-harnesses')).toEqual({ standardEnvVars: [], harnesses: {} });
    expect((await site.ask('/api/telemetry/diffusers/x', { method: 'HEAD' })).status).toBe(204);
    expect(await site.json('/api/models/acme/tiny/discussions')).toMatchObject({ discussions: [], count: 0 });
    expect(await site.json('/api/models/acme/tiny/auth-check')).toEqual({});
    expect((await site.ask('/api/unheard/of')).json).toMatchObject({ error: expect.any(String) });
    expect(
      (await site.ask('/acme/tiny/resolve/main/a', { method: 'OPTIONS' })).headers.get('access-control-expose-headers'),
    ).toMatch(/X-Repo-Commit/);
  });

  test('whoami is for those with a token; a wrong one is told apart from a repo that is not there', async () => {
    const nobody = await site.ask('/api/whoami-v2');
    expect(nobody.status).toBe(401);
    expect(await site.json('/api/whoami-v2', { headers: await site.writer() })).toMatchObject({
      name: 'trainer',
      auth: { accessToken: { role: 'write' } },
    });
    const wrong = await site.ask('/api/models/acme/tiny', { headers: { authorization: 'Bearer hf_wrong' } });
    expect([wrong.status, wrong.headers.get('x-error-message')]).toEqual([
      401,
      'Invalid credentials in Authorization header',
    ]);
  });

  test('a token may stand in the path, stays in the links, and is in no log', async () => {
    const token = (await site.writer()).authorization!.slice('Bearer '.length);
    expect(await site.json(`/token/${token}/api/whoami-v2`)).toMatchObject({ name: 'trainer' });
    const { headers } = await site.ask(`/token/${token}/api/models/acme/tiny/tree/main?limit=1`);
    expect(headers.get('link')).toMatch(new RegExp(`^<${site.url}/token/${token}/api/models/acme/tiny/tree/main\\?`));
    expect(JSON.stringify(site.larder.log())).not.toContain(token.slice(12));
    expect((await site.ask('/token/hf_0000000000000000000000/api/models/acme/tiny')).status).toBe(401);
  });
});

test('where anonymous reads are off a token is needed, and a read of one in the path will do', async () => {
  const closed = await startSite({}, { hub: site.hub, access: { anonymousRead: false } });
  expect((await closed.ask('/acme/tiny/resolve/main/a-b.txt')).status).toBe(401);
  expect((await closed.ask('/acme/tiny/resolve/main/a-b.txt', { headers: await closed.writer() })).text).toBe('x');
  await closed.close();
});

test('behind a public address with a path, both that path and links with it work', async () => {
  const prefixed = await startSite({ publicUrl: 'https://larder.site/hf' }, { hub: site.hub });
  expect(await prefixed.json('/hf/api/models/acme/tiny')).toMatchObject({ id: 'acme/tiny' });
  const { headers } = await prefixed.ask('/hf/api/models/acme/tiny/tree/main?limit=1');
  expect(headers.get('link')).toMatch(/^<https:\/\/larder\.site\/hf\/api\/models\/acme\/tiny\/tree\/main\?/);
  await prefixed.close();
});
