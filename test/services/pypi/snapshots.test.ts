import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { buildWheel } from '../../support/wheels.ts';
import { type Index, startIndex, upload } from './support.ts';

let origin: OriginServer;
let packages: PackageIndex;
let index: Index;

beforeEach(async () => {
  origin = await startOriginServer();
  packages = new PackageIndex(origin);
  index = await startIndex({ origins: [{ name: 'main', url: packages.url }] });
  packages.offer(buildWheel({ name: 'foo', version: '1.0' }), { uploadTime: '2026-01-10T12:00:00Z' });
  packages.offer(buildWheel({ name: 'foo', version: '2.0' }), { uploadTime: '2026-02-10T12:00:00Z' });
});

afterEach(async () => {
  await index.close();
  await origin.close();
});

const JSON_PAGE = 'application/vnd.pypi.simple.v1+json';

async function versionsAt(date: string, project = 'foo'): Promise<string[]> {
  const answer = await index.get(`/at/${date}/simple/${project}/`, { accept: JSON_PAGE });
  expect(answer.status, answer.text).toBe(200);
  const page = JSON.parse(answer.text) as { versions: string[]; files: { filename: string }[] };
  expect(page.files).toHaveLength(page.versions.length);
  return page.versions;
}

describe('the index as it was', () => {
  test.each([
    ['2026-01-01', []],
    ['2026-02-01', ['1.0']],
    ['2026-02-10T12:00:00Z', ['1.0', '2.0']],
    ['2026-03-01', ['1.0', '2.0']],
  ])('at %s has the files of then', async (date, versions) => {
    expect(await versionsAt(date)).toEqual(versions);
  });

  test('stands beside the index of today, and other moments', async () => {
    expect(await versionsAt('2026-02-01')).toEqual(['1.0']);
    expect((await index.page('foo')).files).toHaveLength(2);
    expect(await versionsAt('2026-03-01')).toEqual(['1.0', '2.0']);
    expect(await versionsAt('2026-02-01')).toEqual(['1.0']);
  });

  test('links to files that can be had, in both formats', async () => {
    const at = `${index.url}/at/2026-02-01/simple/foo/`;
    const html = (await index.get('/at/2026-02-01/simple/foo/', { accept: 'text/html' })).text;
    const [, href] = /href="([^"#]+)/.exec(html)!;
    const file = await fetch(new URL(href!, at));
    expect(file.status).toBe(200);
    await file.arrayBuffer();
  });

  test('holds for what was uploaded here too', async () => {
    await upload(index.store, 'own', buildWheel({ name: 'own', version: '1.0' }));
    expect(await versionsAt('2020-01-01', 'own')).toEqual([]);
    expect(await versionsAt('2030-01-01', 'own')).toEqual(['1.0']);
  });

  test('has a list of names, and redirects as everywhere', async () => {
    await upload(index.store, 'own', buildWheel({ name: 'own', version: '1.0' }));
    const list = await index.get('/at/2026-02-01/simple/', { accept: JSON_PAGE });
    expect(JSON.parse(list.text).projects).toEqual([expect.objectContaining({ name: 'own' })]);
    const moved = await fetch(`${index.url}/at/2026-02-01/simple/Foo?x=1`, { redirect: 'manual' });
    expect(new URL(moved.headers.get('location')!, moved.url).href).toBe(`${index.url}/at/2026-02-01/simple/foo/?x=1`);
    const root = await fetch(`${index.url}/at/2026-02-01/simple`, { redirect: 'manual' });
    expect(new URL(root.headers.get('location')!, root.url).href).toBe(`${index.url}/at/2026-02-01/simple/`);
  });

  test.each(['yesterday', '2026-13-01', '2026-11', '7d', '2026-11-01T12:00:00'])('"%s" is no moment', async (date) => {
    for (const path of [`/at/${date}/simple/`, `/at/${date}/simple/foo/`]) {
      const answer = await index.get(path);
      expect([answer.status, answer.text]).toEqual([404, expect.stringMatching(/is no date; ask for \/at\//)]);
    }
  });
});
