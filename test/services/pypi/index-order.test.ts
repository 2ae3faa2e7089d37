import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { buildWheel } from '../../support/wheels.ts';
import { filenames, type Index, JSON_V1, startIndex, upload } from './support.ts';

let first: OriginServer;
let second: OriginServer;
let ours: PackageIndex;
let theirs: PackageIndex;
let index: Index;

const wheel = (name: string, version: string) => buildWheel({ name, version });

beforeEach(async () => {
  first = await startOriginServer();
  second = await startOriginServer();
  ours = new PackageIndex(first);
  theirs = new PackageIndex(second);
  index = await startIndex({
    origins: [
      { name: 'ours', url: ours.url },
      { name: 'theirs', url: theirs.url },
    ],
  });
});

afterEach(async () => {
  await index.close();
  await first.close();
  await second.close();
});

const started: Index[] = [];
/** The same store with other settings; closed before the store is. */
async function withSettings(more: object, origins: object[] = [{}, {}]): Promise<Index> {
  const urls = [
    { name: 'ours', url: ours.url },
    { name: 'theirs', url: theirs.url },
  ];
  const config = { origins: urls.map((one, at) => ({ ...one, ...origins[at] })), ...more };
  const other = await index.again({ config });
  started.push(other);
  return other;
}

afterEach(async () => {
  for (const one of started.splice(0)) await one.close();
});

describe('two indexes that know a project', () => {
  beforeEach(() => {
    ours.offer(wheel('shared', '1.0'));
    theirs.offer(wheel('shared', '99.0'));
    theirs.offer(wheel('common', '1.0'));
  });

  test('are never mixed: the first has it', async () => {
    expect(filenames(await index.page('shared'))).toEqual(['shared-1.0-py3-none-any.whl']);
    expect(second.calls()).toEqual([]);
    expect(filenames(await index.page('common'))).toEqual(['common-1.0-py3-none-any.whl']);
  });

  test('can each be seen alone', async () => {
    expect(filenames(await index.page('shared', '/theirs'))).toEqual(['shared-99.0-py3-none-any.whl']);
    const answer = await index.get('/files/theirs/shared/shared-99.0-py3-none-any.whl');
    expect(answer.status).toBe(200);
    expect((await index.get('/ours/simple/common/')).status).toBe(404);
  });

  test('are not passed over when they fail: the other may have something else by that name', async () => {
    await first.goDark();
    expect((await index.get('/simple/shared/')).status).toBe(502);
    expect((await index.get('/simple/common/')).status).toBe(502);
    await first.comeBack();
    first.fail({ path: '/simple/shared/', status: 500 });
    expect((await index.get('/simple/shared/')).status).toBe(502);
    first.fail({ path: '/simple/shared/', status: 401 });
    expect((await index.get('/simple/shared/')).status).toBe(403);
    expect(second.count('/simple/shared/')).toBe(0);
  });

  test('are asked only for what they are meant to have', async () => {
    const meant = await withSettings({}, [{ allow: ['acme-*'] }, { deny: ['Common'] }]);
    expect(filenames(await meant.page('shared'))).toEqual(['shared-99.0-py3-none-any.whl']);
    expect((await meant.get('/simple/common/')).status).toBe(404);
    expect(first.calls()).toEqual([]);
    expect(second.count('/simple/common/')).toBe(0);
  });
});

describe('a private name', () => {
  beforeEach(() => {
    ours.offer(wheel('acme-tool', '99.0'));
  });

  test('is never asked for upstream, also when nothing was uploaded under it', async () => {
    const guarded = await withSettings({ private: ['Acme_*'] });
    for (const path of ['/simple/acme-tool/', '/ours/simple/acme-tool/', '/pypi/acme-tool/json'])
      expect((await guarded.get(path)).status).toBe(404);
    const file = await guarded.get('/files/ours/acme-tool/acme_tool-99.0-py3-none-any.whl');
    expect(file.status).toBe(404);
    expect(first.calls()).toEqual([]);
    expect((await guarded.get('/simple/acme-tool/')).text).toMatch(/private name/);
  });

  test('is every name that was uploaded, at once and in every view', async () => {
    expect(filenames(await index.page('acme-tool'))).toEqual(['acme_tool-99.0-py3-none-any.whl']);
    const asked = first.calls().length;
    const own = wheel('acme-tool', '1.0');
    await upload(index.store, 'acme-tool', own);
    const page = await index.page('acme-tool');
    expect(filenames(page)).toEqual([own.filename]);
    expect(page.files[0]).toMatchObject({ 'upload-time': '2026-11-23T11:00:00Z', size: own.bytes.length });
    expect(filenames(await index.page('acme-tool', '/private'))).toEqual([own.filename]);
    expect((await index.get('/ours/simple/acme-tool/')).status).toBe(404);
    expect((await index.get('/files/ours/acme-tool/acme_tool-99.0-py3-none-any.whl')).status).toBe(404);
    expect((await index.get(`/files/private/acme-tool/${own.filename}`)).status).toBe(200);
    expect(first.calls()).toHaveLength(asked);
  });
});

describe('a site', () => {
  beforeEach(() => {
    ours.offer(wheel('good-thing', '1.0'));
    ours.offer(wheel('evil', '1.0'));
  });

  test('has what it denies refused: pages, files and JSON, held or not', async () => {
    await index.get('/files/ours/evil/evil-1.0-py3-none-any.whl');
    const strict = await withSettings({ deny: ['EVIL'] });
    const asked = first.calls().length;
    for (const path of ['/simple/evil/', '/pypi/evil/json', '/files/ours/evil/evil-1.0-py3-none-any.whl']) {
      const answer = await strict.get(path);
      expect(answer.status, path).toBe(403);
      expect(answer.text).toMatch(/"evil" is not allowed here/);
    }
    expect(first.calls()).toHaveLength(asked);
  });

  test('may allow only some', async () => {
    const strict = await withSettings({ allow: ['good-*'] });
    expect((await strict.get('/simple/good-thing/')).status).toBe(200);
    expect((await strict.get('/simple/evil/')).status).toBe(403);
  });

  test('may wait before it takes what is new; what has no date never comes', async () => {
    ours.offer(wheel('good-thing', '2.0'), { uploadTime: '2026-11-22T00:00:00Z' });
    ours.offer(wheel('good-thing', '3.0'), { uploadTime: '' });
    const patient = await withSettings({ excludeNewer: '7d' });
    const page = await patient.page('good-thing');
    expect(filenames(page)).toEqual(['good_thing-1.0-py3-none-any.whl']);
    expect(page.versions).toEqual(['1.0']);
    expect((await patient.get('/files/ours/good-thing/good_thing-2.0-py3-none-any.whl')).status).toBe(404);
    index.clock.now += 8 * 86_400_000;
    expect(filenames(await patient.page('good-thing'))).toContain('good_thing-2.0-py3-none-any.whl');
    const exempt = await withSettings({ excludeNewer: '7d', excludeNewerExempt: ['good-*'] });
    expect(filenames(await exempt.page('good-thing'))).toHaveLength(3);
  });
});

test('two indexes with the same bytes on their pages keep their own links', async () => {
  const page = JSON.stringify({
    meta: { 'api-version': '1.0' },
    name: 'twin',
    files: [{ filename: 'twin-1.0.tar.gz', url: 'twin-1.0.tar.gz', hashes: {} }],
  });
  for (const [at, server] of [first, second].entries()) {
    server.set('/simple/twin/', { body: page, type: JSON_V1 });
    server.set('/simple/twin/twin-1.0.tar.gz', { body: `of ${at}` });
  }
  expect((await index.page('twin', '/ours')).files).toHaveLength(1);
  expect((await index.page('twin', '/theirs')).files).toHaveLength(1);
  expect((await index.get('/files/theirs/twin/twin-1.0.tar.gz')).text).toBe('of 1');
  expect((await index.get('/files/ours/twin/twin-1.0.tar.gz')).text).toBe('of 0');
});
