import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../../support/asking.ts';
import { type Site, sent, startSite } from './support.ts';

let site: Site;
let writer: Record<string, string>;
const LARGE = randomBytes(200_000);
const OID = createHash('sha256').update(LARGE).digest('hex');

beforeAll(async () => {
  site = await startSite();
  writer = await site.writer();
  site.hub.add({ id: 'acme/tiny', files: { 'a.txt': 'a' } });
  await site.json('/api/models/acme/tiny');
  for (const [name, visible] of [
    ['open', false],
    ['secret', true],
  ] as const)
    expect(
      (await site.ask('/api/repos/create', sent('POST', { name, organization: 'lab', private: visible }, writer)))
        .status,
    ).toBe(200);
});
afterAll(() => site.close());

const lines = (...operations: [string, object][]) =>
  operations.map(([key, value]) => JSON.stringify({ key, value })).join('\n');
const commit = (repo: string, ...operations: [string, object][]): Promise<Answer> =>
  site.ask(`/api/models/${repo}/commit/main`, {
    method: 'POST',
    headers: writer,
    body: lines(['header', { summary: 'a change' }], ...operations),
  });
const file = (path: string, text: string): [string, object] => [
  'file',
  { path, content: Buffer.from(text).toString('base64'), encoding: 'base64' },
];
const batch = (objects: object[], headers = writer, operation = 'upload') =>
  site.ask('/lab/open.git/info/lfs/objects/batch', sent('POST', { operation, transfers: ['basic'], objects }, headers));
const filesOf = async (repo: string) =>
  (await site.json<{ path: string }[]>(`/api/models/${repo}/tree/main?recursive=true`, { headers: writer })).map(
    ({ path }) => path,
  );
const hubSays = (answer: Answer) => [
  answer.status,
  (answer.json as { error: string }).error,
  answer.headers.get('x-error-message'),
];

describe('making repos', () => {
  test('needs a token that may write', async () => {
    expect((await site.ask('/api/repos/create', sent('POST', { name: 'lab/x' }))).status).toBe(401);
  });

  test('twice is refused with the address, which is what exist_ok reads', async () => {
    const again = await site.ask('/api/repos/create', sent('POST', { name: 'open', organization: 'lab' }, writer));
    expect([again.status, (again.json as { url: string }).url]).toEqual([409, `${site.url}/lab/open`]);
  });

  test.each(['../etc/x', 'a/b/c', '', '.hidden/x', 'x--y/z'])('refuses the name %j', async (name) => {
    expect((await site.ask('/api/repos/create', sent('POST', { name }, writer))).status).toBe(400);
  });

  test('does not shadow what is mirrored, and what is mirrored takes no commits', async () => {
    const taken = await site.ask('/api/repos/create', sent('POST', { name: 'acme/tiny' }, writer));
    expect(hubSays(taken)).toEqual([409, ...Array(2).fill('acme/tiny is mirrored from the hub; take another name')]);
    const refused = await commit('acme/tiny', file('b.txt', 'b'));
    expect([refused.status, refused.headers.get('x-error-message')]).toEqual([
      403,
      expect.stringMatching(/takes no commits/),
    ]);
  });

  test('begins with a commit, and private ones are there only for those with a token', async () => {
    expect(await filesOf('lab/open')).toEqual(['.gitattributes']);
    const hidden = await site.ask('/api/models/lab/secret');
    expect([hidden.status, hidden.headers.get('x-error-code')]).toEqual([401, 'RepoNotFound']);
    expect((await site.ask('/lab/secret/resolve/main/.gitattributes')).status).toBe(401);
    expect(await site.json('/api/models/lab/secret', { headers: writer })).toMatchObject({ private: true });
    expect((await site.json<{ id: string }[]>('/api/models?author=lab')).map(({ id }) => id)).toEqual(['lab/open']);
    expect((await site.json<{ id: string }[]>('/api/models?author=lab', { headers: writer })).length).toBe(2);
  });

  test('never asks the hub for them', () => {
    expect(site.hub.calls('lab/')).toEqual([]);
  });
});

describe('large files', () => {
  test('are asked for once, measured as they come, and named when they are right', async () => {
    const { objects } = (await batch([{ oid: OID, size: LARGE.length }])).json as {
      objects: { actions: { upload: { href: string }; verify: { href: string } } }[];
    };
    const { upload, verify } = objects[0]!.actions;
    expect((await fetch(upload.href, { method: 'PUT', body: LARGE })).status).toBe(200);
    const verified = await fetch(verify.href, sent('POST', { oid: OID, size: LARGE.length }, writer));
    expect(verified.status).toBe(200);
    expect((await batch([{ oid: OID, size: LARGE.length }])).json).toMatchObject({ objects: [{ oid: OID }] });
    expect(
      ((await batch([{ oid: OID, size: LARGE.length }])).json as { objects: { actions?: object }[] }).objects[0]!
        .actions,
    ).toBeUndefined();
    const got = (await batch([{ oid: OID, size: LARGE.length }], {}, 'download')).json as {
      objects: { actions: { download: { href: string } } }[];
    };
    expect(Buffer.from(await (await fetch(got.objects[0]!.actions.download.href)).arrayBuffer()).equals(LARGE)).toBe(
      true,
    );
  });

  test('that are something else than was announced are kept nowhere', async () => {
    const oid = '1'.repeat(64);
    const { objects } = (await batch([{ oid, size: 10 }])).json as {
      objects: { actions: { upload: { href: string } } }[];
    };
    const { href } = objects[0]!.actions.upload;
    const wrong = await fetch(href, { method: 'PUT', body: '0123456789' });
    expect([wrong.status, ((await wrong.json()) as { error: string }).error]).toEqual([
      422,
      expect.stringMatching(/the bytes are not those of 1{64}/),
    ]);
    expect((await fetch(href, { method: 'PUT', body: 'short' })).status).toBe(400);
    expect((await site.ask('/lfs/verify', sent('POST', { oid, size: 10 }, writer))).status).toBe(404);
  });

  test('are taken by no address but the one that was given out, and not for ever', async () => {
    const { objects } = (await batch([{ oid: '2'.repeat(64), size: 10 }])).json as {
      objects: { actions: { upload: { href: string } } }[];
    };
    const { href } = objects[0]!.actions.upload;
    expect(
      (await fetch(href.replace('2'.repeat(64), '3'.repeat(64)), { method: 'PUT', body: '0123456789' })).status,
    ).toBe(403);
    expect((await fetch(href.replace(/grant=.*/, 'grant='), { method: 'PUT', body: '0123456789' })).status).toBe(403);
    site.clock.now += 25 * 3600_000;
    expect((await fetch(href, { method: 'PUT', body: '0123456789' })).status).toBe(403);
  });

  test('need a token that may write, to be uploaded', async () => {
    expect((await batch([{ oid: OID, size: 1 }], {})).status).toBe(401);
  });
});

describe('a commit', () => {
  test('adds, copies and deletes, and is there at once for everybody', async () => {
    const first = await commit(
      'lab/open',
      file('README.md', '---\nlicense: mit\n---\n# hi'),
      file('sub/a.txt', 'a'),
      file('sub/b.txt', 'b'),
      ['lfsFile', { path: 'model.safetensors', algo: 'sha256', oid: OID, size: LARGE.length }],
    );
    expect(first.json).toMatchObject({ success: true, commitOid: expect.stringMatching(/^[0-9a-f]{40}$/) });
    expect((await site.ask('/lab/open/resolve/main/model.safetensors')).bytes.equals(LARGE)).toBe(true);
    expect(await site.json('/api/models/lab/open')).toMatchObject({
      tags: ['license:mit'],
      cardData: { license: 'mit' },
    });
    await commit(
      'lab/open',
      ['copyFile', { path: 'copy.bin', srcPath: 'model.safetensors' }],
      ['deletedFile', { path: 'sub/a.txt' }],
    );
    expect(await filesOf('lab/open')).toEqual([
      '.gitattributes',
      'README.md',
      'copy.bin',
      'model.safetensors',
      'sub',
      'sub/b.txt',
    ]);
    await commit('lab/open', ['deletedFolder', { path: 'sub/' }]);
    expect(await filesOf('lab/open')).toEqual(['.gitattributes', 'README.md', 'copy.bin', 'model.safetensors']);
    const history = await site.json<{ title: string }[]>('/api/models/lab/open/commits/main');
    expect(history.map(({ title }) => title)).toEqual(['a change', 'a change', 'a change', 'initial commit']);
  });

  test('that changes nothing is the commit before', async () => {
    const { sha } = await site.json<{ sha: string }>('/api/models/lab/open');
    expect((await commit('lab/open', file('README.md', '---\nlicense: mit\n---\n# hi'))).json).toMatchObject({
      commitOid: sha,
    });
  });

  test.each<[string, number, RegExp, [string, object]]>([
    [
      'a file that was never uploaded',
      400,
      /was never uploaded here/,
      ['lfsFile', { path: 'x.bin', algo: 'sha256', oid: '4'.repeat(64), size: 5 }],
    ],
    ['a path out of the repo', 400, /is no path in a repo/, file('../x', 'x')],
    ['a path into .git', 400, /is no path in a repo/, file('.git/config', 'x')],
    ['a file where a folder is', 400, /cannot be a file and a folder/, file('README.md/x', 'x')],
    ['the deletion of what is not there', 404, /does not exist/, ['deletedFile', { path: 'nope' }]],
    ['a line that is none', 400, /line 2 of the commit/, ['rename', { path: 'x' }]],
    ['a small file that is large', 413, /upload it as a large file/, file('big.txt', 'x'.repeat(11 << 20))],
  ])("of %s is refused whole, in the hub's own form", async (_what, status, message, operation) => {
    const before = await site.json<{ sha: string }>('/api/models/lab/open');
    const answer = await commit('lab/open', operation, file('ok.txt', 'ok'));
    expect(hubSays(answer)).toEqual([status, expect.stringMatching(message), expect.stringMatching(message)]);
    expect((await site.json<{ sha: string }>('/api/models/lab/open')).sha).toBe(before.sha);
  });

  test('on top of what the branch no longer is, is refused', async () => {
    const body = lines(['header', { summary: 'late', parentCommit: '5'.repeat(40) }], file('x.txt', 'x'));
    const late = await site.ask('/api/models/lab/open/commit/main', { method: 'POST', headers: writer, body });
    expect([late.status, late.headers.get('x-error-message')]).toEqual([412, expect.stringMatching(/has moved on/)]);
  });

  test('of twenty clients at once loses none of them', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => commit('lab/secret', file(`f${index}.txt`, `${index}`))),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect((await filesOf('lab/secret')).length).toBe(21);
  });

  test('to a branch that is not there, or as a pull request, is refused in words', async () => {
    const init = { method: 'POST', headers: writer, body: lines(['header', { summary: 'x' }]) };
    expect((await site.ask('/api/models/lab/open/commit/nope', init)).headers.get('x-error-code')).toBe(
      'RevisionNotFound',
    );
    expect((await site.ask('/api/models/lab/open/commit/main?create_pr=1', init)).status).toBe(501);
  });
});

describe('branches and tags', () => {
  const change = (path: string, method: string, body: object = {}) =>
    site.ask(`/api/models/lab/open/${path}`, sent(method, body, writer));
  test('are made, kept where they are, and deleted', async () => {
    const { sha } = await site.json<{ sha: string }>('/api/models/lab/open');
    expect((await change('branch/dev', 'POST')).status).toBe(200);
    expect((await change('branch/dev', 'POST')).status).toBe(409);
    expect((await change('tag/main', 'POST', { tag: 'v1' })).status).toBe(200);
    await commit('lab/open', file('later.txt', 'later'));
    expect(await site.json('/api/models/lab/open/revision/v1')).toMatchObject({ sha });
    expect((await site.ask('/lab/open/resolve/v1/later.txt')).headers.get('x-error-code')).toBe('EntryNotFound');
    expect((await change('tag/v1', 'DELETE')).status).toBe(200);
    expect((await site.ask('/api/models/lab/open/revision/v1')).headers.get('x-error-code')).toBe('RevisionNotFound');
    expect((await change('branch/main', 'DELETE')).status).toBe(403);
    expect((await change('branch/a..b', 'POST')).status).toBe(400);
  });
});

test('preupload tells large from small, and what is there already', async () => {
  const files = [
    { path: 'model.safetensors', size: 200_000, sample: '' },
    { path: 'notes.md', size: 5, sample: Buffer.from('hello').toString('base64') },
    { path: 'blob', size: 5, sample: Buffer.from([0, 1, 2]).toString('base64') },
    { path: 'huge.txt', size: 20 << 20, sample: '' },
  ];
  const { files: told } = await site.json<{ files: { path: string; uploadMode: string; oid: string | null }[] }>(
    '/api/models/lab/open/preupload/main',
    sent('POST', { files }, writer),
  );
  expect(told.map(({ uploadMode }) => uploadMode)).toEqual(['lfs', 'regular', 'lfs', 'lfs']);
  expect(told[0]!.oid).toBe(OID);
});

test('a repo that is deleted is gone from every address', async () => {
  await site.ask('/api/repos/create', sent('POST', { name: 'lab/gone' }, writer));
  expect(
    (await site.ask('/api/repos/delete', sent('DELETE', { name: 'gone', organization: 'lab' }, writer))).status,
  ).toBe(200);
  expect((await site.ask('/lab/gone/resolve/main/.gitattributes')).status).toBe(404);
  expect((await site.json<{ id: string }[]>('/api/models?author=lab')).map(({ id }) => id)).not.toContain('lab/gone');
});

test('an upload by Xet is refused with what to do instead', async () => {
  const answer = await site.ask('/api/models/lab/open/xet-write-token/main', { headers: writer });
  expect([answer.status, answer.headers.get('x-error-message')]).toEqual([
    501,
    expect.stringMatching(/HF_HUB_DISABLE_XET=1/),
  ]);
});
