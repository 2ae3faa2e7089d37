import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tarballRef } from '../../../services/npm/refs.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type Call, type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Site, startSite } from './site.ts';

const SEARCH = '/-/v1/search';

let server: OriginServer;
let origin: NpmOrigin;
let site: Site;
let more: Site | undefined;

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  const origins = [{ name: 'npm', url: origin.url }];
  site = await startSite({ config: { origins, private: ['@acme/*'], freshSeconds: 0, staleSeconds: 0 } });
});

afterEach(async () => {
  await more?.close();
  more = undefined;
  await site.close();
  await server.close();
});

/** Gives an origin a search over these names. */
function playSearch(names: readonly string[], at: OriginServer = server): void {
  const answer = ({ path }: Call) => {
    const query = new URL(path, at.url).searchParams;
    const [text, from, size] = ['text', 'from', 'size'].map((key) => query.get(key)!);
    const found = names.filter((name) => name.includes(text!));
    const objects = found.slice(Number(from), Number(from) + Number(size)).map((name) => ({
      package: { name, version: '1.0.0', description: `from ${at.url}`, maintainers: [], keywords: [] },
      score: { final: 1, detail: { quality: 1, popularity: 1, maintenance: 1 } },
      searchScore: 9,
      flags: { unstable: true },
    }));
    return JSON.stringify({ objects, total: found.length, time: 'now' });
  };
  at.set(SEARCH, { body: '', type: 'application/json', answer });
}

async function publish(name: string, more: Record<string, unknown> = {}): Promise<void> {
  await site.rooms.locals.change(name, (document) => {
    document.versions['1.0.0'] = { name, version: '1.0.0', dist: { tarball: '' }, ...more };
    document['dist-tags'] = { latest: '1.0.0' };
    document.time = { '1.0.0': '2026-11-01T00:00:00.000Z' };
  });
}

/** Has the site hold a version, as a client's download or a bundle does. */
async function hold(name: string, version: string, more: Record<string, unknown> = {}): Promise<void> {
  origin.publish({ name, version, manifest: more, tags: version.includes('-') ? ['next'] : ['latest'] });
  const { record } = await site.rooms.packages.record(name, version);
  await site.rooms.context.mirror.hold(tarballRef('npm', record));
  site.clock.now += 2000;
}

interface Found {
  names: string[];
  total: number;
}

async function find(text: string, query = '', of: Site = site): Promise<Found> {
  const { status, json } = await of.get(`${SEARCH}?text=${encodeURIComponent(text)}${query}`);
  expect(status).toBe(200);
  return { names: json.objects.map((one: { package: { name: string } }) => one.package.name), total: json.total };
}

describe('a search with an origin', () => {
  test('finds what the origin finds, word for word', async () => {
    playSearch(['left-pad']);
    const { json } = await site.get(`${SEARCH}?text=left&size=5&quality=0.65&popularity=0.98&maintenance=0.5`);
    expect(json.objects).toEqual([
      expect.objectContaining({ package: expect.objectContaining({ name: 'left-pad' }), flags: { unstable: true } }),
    ]);
    expect(server.calls()[0]!.path).toBe(
      `${SEARCH}?text=left&size=5&from=0&quality=0.65&popularity=0.98&maintenance=0.5`,
    );
  });

  test('puts what was published here first, and pages through both', async () => {
    playSearch(Array.from({ length: 30 }, (_, index) => `pad-${String(index).padStart(2, '0')}`));
    for (const name of ['@lab/pad', 'pad', 'other']) await publish(name);
    const page = async (from: number) => find('pa', `&size=10&from=${from}`);
    expect(await page(0)).toEqual({
      names: ['pad', '@lab/pad', 'pad-00', 'pad-01', 'pad-02', 'pad-03', 'pad-04', 'pad-05', 'pad-06', 'pad-07'],
      total: 32,
    });
    expect((await page(10)).names).toEqual(
      Array.from({ length: 10 }, (_, index) => `pad-${String(index + 8).padStart(2, '0')}`),
    );
    expect((await page(30)).names).toEqual(['pad-28', 'pad-29']);
  });

  test('does not show what is shadowed, denied, or another origin asked for', async () => {
    playSearch(['pad', 'pad-evil', '@acme/pad', '@team/pad', 'pad-fine']);
    const other = await startOriginServer();
    playSearch(['@team/pad', 'pad-fine'], other);
    await publish('pad');
    more = await site.again({
      config: {
        origins: [
          { name: 'npm', url: origin.url },
          { name: 'team', url: other.url, scopes: ['@team'] },
        ],
        private: ['@acme/*'],
        deny: ['*-evil'],
      },
    });
    const { json } = await more.get(`${SEARCH}?text=pa`);
    const found = json.objects.map(({ package: { name, description } }: { package: Record<string, string> }) => [
      name,
      description,
    ]);
    expect(found).toEqual([
      ['pad', ''],
      ['pad-fine', `from ${server.url}`],
      ['@team/pad', `from ${other.url}`],
    ]);
    await other.close();
  });

  test('tells nobody of words that are private names here', async () => {
    playSearch(['secret-tool']);
    await publish('secret-tool');
    for (const text of ['secret-tool', '@acme/x', 'hello @acme', 'scope:acme', 'left SECRET-TOOL']) await find(text);
    expect(server.calls()).toEqual([]);
    await find('secret');
    expect(server.calls()).toHaveLength(1);
  });

  test.each(['has no search', 'is out', 'sends nonsense'])('finds what is held when the origin %s', async (what) => {
    await hold('left-pad', '1.3.0');
    await publish('@lab/pad');
    if (what === 'is out') await server.goDark();
    if (what === 'sends nonsense') server.set(SEARCH, { body: '<html>' });
    expect(await find('pad')).toEqual({ names: ['@lab/pad', 'left-pad'], total: 2 });
  });
});

describe('a search without a network', () => {
  test('tells of each package its latest version that is held, in the registry‘s own form', async () => {
    const details = {
      description: 'String left pad',
      keywords: ['leftpad', 'padding'],
      author: 'Jo Doe <jo@example.com>',
      repository: { type: 'git', url: 'git+https://git.example/left-pad.git' },
      homepage: 'https://left-pad.example',
      maintainers: [{ name: 'jo', email: 'jo@example.com' }],
      _npmUser: { name: 'ci', email: 'ci@example.com' },
    };
    await hold('left-pad', '1.2.0');
    await hold('left-pad', '1.3.0', details);
    await hold('left-pad', '2.0.0-beta.1');
    more = await site.again({ mode: 'airgapped' });
    const { json } = await more.get(`${SEARCH}?text=left-pad`);
    expect(json).toMatchObject({ total: 1, time: expect.stringMatching(/GMT$/) });
    expect(json.objects[0]).toMatchObject({
      package: {
        name: 'left-pad',
        scope: 'unscoped',
        version: '1.3.0',
        description: 'String left pad',
        keywords: ['leftpad', 'padding'],
        date: '2026-01-01T00:00:00.000Z',
        links: { homepage: 'https://left-pad.example', repository: 'git+https://git.example/left-pad.git' },
        author: { name: 'Jo Doe' },
        publisher: { username: 'ci', email: 'ci@example.com' },
        maintainers: [{ username: 'jo', email: 'jo@example.com' }],
        license: 'MIT',
      },
      searchScore: 1,
    });
    expect(server.count(SEARCH)).toBe(0);
  });

  test('ranks names before keywords, and those before descriptions; every word must be found', async () => {
    await hold('kit', '1.0.0', { description: 'a pad for all' });
    await hold('pad-left', '1.0.0');
    await hold('zeta', '1.0.0', { keywords: ['pad'] });
    await hold('left-pad', '1.0.0');
    await hold('@types/pad', '1.0.0');
    more = await site.again({ mode: 'airgapped' });
    const names = async (text: string) => (await find(text, '', more)).names;
    expect(await names('pad')).toEqual(['@types/pad', 'pad-left', 'left-pad', 'zeta', 'kit']);
    expect(await names('PAD left')).toEqual(['left-pad', 'pad-left']);
    expect(await names('keywords:pad,nothing')).toEqual(['zeta']);
    expect(await names('scope:types')).toEqual(['@types/pad']);
    expect(await names('not:unstable "pad-left"')).toEqual(['pad-left']);
    expect(await names('nowhere')).toEqual([]);
    expect((await names('')).length).toBe(5);
  });

  test('finds authors and maintainers, and strange manifests do not end it', async () => {
    await hold('one', '1.0.0', { author: { name: 'Ada' }, keywords: 'a, b', description: 7, maintainers: 'x' });
    await hold('two', '1.0.0', { maintainers: [{ name: 'ada' }, null, 5], repository: 'git@x', keywords: [1, 'c'] });
    more = await site.again({ mode: 'airgapped' });
    expect((await find('author:ada', '', more)).names).toEqual(['one', 'two']);
    expect((await find('keywords:b', '', more)).names).toEqual(['one']);
  });

  test('shows only versions that the site wants', async () => {
    await hold('left-pad', '1.2.0');
    await hold('left-pad', '1.3.0');
    await hold('evil', '1.0.0');
    const origins = [{ name: 'npm', url: origin.url }];
    more = await site.again({ mode: 'airgapped', config: { origins, block: ['left-pad@1.3.0', 'evil@*'] } });
    const { json } = await more.get(`${SEARCH}?text=`);
    expect(json.objects.map((one: { package: { name: string; version: string } }) => one.package)).toEqual([
      expect.objectContaining({ name: 'left-pad', version: '1.2.0' }),
    ]);
  });

  test('notices what comes later', async () => {
    more = await site.again({ mode: 'airgapped' });
    expect((await find('left', '', more)).names).toEqual([]);
    await hold('left-pad', '1.3.0');
    expect((await find('left', '', more)).names).toEqual(['left-pad']);
    await publish('left-pad', { description: 'ours' });
    site.clock.now += 2000;
    const { json } = await more.get(`${SEARCH}?text=left`);
    expect(json.objects.map((one: { package: object }) => one.package)).toEqual([
      expect.objectContaining({ name: 'left-pad', version: '1.0.0', description: 'ours' }),
    ]);
  });

  test('refuses a text that is a book, and takes odd numbers for none', async () => {
    await publish('pad');
    expect((await site.get(`${SEARCH}?text=${'x'.repeat(2000)}`)).status).toBe(400);
    expect((await find('pad', '&size=-1&from=x')).names).toEqual(['pad']);
    expect((await find('pad', '&size=0&from=9999999999')).names).toEqual(['pad']);
  });
});
