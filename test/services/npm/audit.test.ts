import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { advisoriesRef } from '../../../services/npm/advisories.ts';
import { advisory, auditsOf, BULK, playAudit } from '../../support/npm-audits.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Site, startSite } from './site.ts';

const PROTOTYPE = advisory(1, '<4.17.12');
const COMMAND = advisory(2, '>=4.0.0 <4.17.21', { severity: 'moderate' });

let server: OriginServer;
let origin: NpmOrigin;
let site: Site;
let more: Site | undefined;

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  playAudit(origin, { lodash: [PROTOTYPE, COMMAND], minimist: [advisory(3, '<0.2.4 || >=1.0.0 <1.2.6')] });
  site = await startSite({ config: { origins: [{ name: 'npm', url: origin.url }], private: ['@acme/*'] } });
});

afterEach(async () => {
  await more?.close();
  more = undefined;
  await site.close();
  await server.close();
});

const bulk = (body: object, of: Site = site) => of.post(BULK, body);

/** Has the site hold what its origin says of a package, as a bundle would bring it. */
async function hold(name: string, versions: string[]): Promise<void> {
  const [npm] = await site.rooms.origins.list();
  await site.rooms.context.mirror.hold(advisoriesRef(npm!, name, versions));
}

describe('an audit with an origin', () => {
  test('is answered as the origin answers it', async () => {
    const answer = await bulk({ lodash: ['4.17.20'], 'left-pad': ['1.3.0'] });
    expect([answer.status, answer.json]).toEqual([200, { lodash: [COMMAND] }]);
    expect(answer.headers.get('npm-notice')).toBeNull();
  });

  test('is read as npm sends it, compressed', async () => {
    const body = JSON.stringify({ lodash: ['4.17.11'] });
    for (const [coding, bytes] of [
      ['gzip', gzipSync(body)],
      ['br', brotliCompressSync(body)],
    ] as const) {
      const answer = await site.post(BULK, Buffer.from(bytes), { 'content-encoding': coding });
      expect(answer.json).toEqual({ lodash: [PROTOTYPE, COMMAND] });
    }
  });

  test('tells the origin nothing of what is private, or not wanted here', async () => {
    more = await site.again({
      config: {
        origins: [{ name: 'npm', url: origin.url, deny: ['internal-*'] }],
        private: ['@acme/*'],
        deny: ['odd'],
      },
    });
    const names = ['lodash', '@acme/secret', 'internal-tool', 'odd', '../etc', '@acme', ''];
    const answer = await bulk(Object.fromEntries(names.map((name) => [name, ['1.0.0', 'git+ssh://x', 7]])), more);
    expect(answer.status).toBe(200);
    expect(auditsOf(origin)).toEqual([{ lodash: ['1.0.0'] }]);
    expect(JSON.stringify(server.calls())).not.toMatch(/acme|internal|odd/);
  });

  test('tells the origin nothing of what was published here', async () => {
    await site.rooms.locals.change('lodash', (document) => {
      document.versions['9.9.9'] = { name: 'lodash', version: '9.9.9', dist: { tarball: 'http://x.invalid/x.tgz' } };
    });
    const answer = await bulk({ lodash: ['4.17.11'], minimist: ['1.2.5'] });
    expect(Object.keys(answer.json)).toEqual(['minimist']);
    expect(auditsOf(origin)).toEqual([{ minimist: ['1.2.5'] }]);
  });

  test('that knows packages of several origins asks each about its own', async () => {
    const other = await startOriginServer();
    const acme = new NpmOrigin(other);
    playAudit(acme, { '@team/kit': [advisory(9, '*')], lodash: [advisory(8, '*')] });
    more = await site.again({
      config: {
        origins: [
          { name: 'npm', url: origin.url },
          { name: 'team', url: acme.url, scopes: ['@team'] },
        ],
      },
    });
    const answer = await bulk({ lodash: ['4.17.11'], '@team/kit': ['1.0.0'] }, more);
    expect(answer.json).toEqual({ lodash: [PROTOTYPE, COMMAND], '@team/kit': [advisory(9, '*')] });
    expect([auditsOf(origin), auditsOf(acme)]).toEqual([[{ lodash: ['4.17.11'] }], [{ '@team/kit': ['1.0.0'] }]]);
    await other.close();
  });

  test('goes to the registry that has the package, and to none behind it', async () => {
    const other = await startOriginServer();
    const inner = new NpmOrigin(other);
    inner.publish({ name: 'inner', version: '1.0.0' });
    playAudit(inner, { inner: [advisory(7, '*')] });
    const origins = [
      { name: 'inner', url: inner.url },
      { name: 'npm', url: origin.url },
    ];
    origin.publish({ name: 'lodash', version: '4.17.11' });
    more = await site.again({ config: { origins } });
    for (const name of ['inner', 'lodash']) await more.rooms.packages.find(name);
    const answer = await bulk({ inner: ['1.0.0'], lodash: ['4.17.11'] }, more);
    expect(Object.keys(answer.json).sort()).toEqual(['inner', 'lodash']);
    expect([auditsOf(inner), auditsOf(origin)]).toEqual([[{ inner: ['1.0.0'] }], [{ lodash: ['4.17.11'] }]]);
    await other.close();
  });

  test('of nothing is answered without asking anybody', async () => {
    expect((await bulk({})).json).toEqual({});
    expect((await bulk({ '@acme/secret': ['1.0.0'] })).json).toEqual({});
    expect(server.calls()).toEqual([]);
  });

  test('is refused where it cannot be read, with a reason', async () => {
    const broken: [string | Buffer<ArrayBuffer>, Record<string, string>, number][] = [
      ['nonsense', {}, 400],
      ['[]', {}, 400],
      ['{"lodash":"4.17.11"}', {}, 400],
      ['not gzip', { 'content-encoding': 'gzip' }, 400],
      ['{}', { 'content-encoding': 'zip' }, 400],
      [Buffer.from(gzipSync(Buffer.alloc(40 << 20))), { 'content-encoding': 'gzip' }, 413],
    ];
    for (const [body, headers, status] of broken) {
      const answer = await site.post(BULK, body, headers);
      expect([body.toString().slice(0, 20), answer.status]).toEqual([body.toString().slice(0, 20), status]);
      expect(answer.json.error).toMatch(/\w/);
    }
  });
});

describe('an audit that no origin answers', () => {
  const noAudit = [405, 404, 500, 501];

  test.each(noAudit)('is answered from what is held, when the origin says %i', async (status) => {
    await hold('lodash', ['4.17.10', '4.17.11', '4.17.20', '4.17.21']);
    server.set(BULK, { body: '', status });
    const answer = await bulk({ lodash: ['4.17.20'] });
    expect(answer.json).toEqual({ lodash: [COMMAND] });
    expect(answer.headers.get('npm-notice')).toMatch(/^1 of these 1 packages were checked.* advisories of 2026-11-23/);
  });

  test('leaves the origin alone for packages, too, only when it is down', async () => {
    await hold('lodash', ['4.17.20']);
    server.set(BULK, { body: '', status: 500 });
    for (let count = 0; count < 8; count += 1) await bulk({ lodash: [`4.17.${count}`] });
    origin.publish({ name: 'lodash', version: '4.17.20' });
    expect((await site.rooms.packages.find('lodash')).origin).toBe('npm');
  });

  test('without a network tells of versions that were not asked about then', async () => {
    await hold('lodash', ['4.17.10', '4.17.11', '4.17.20', '4.17.21']);
    more = await site.again({ mode: 'airgapped' });
    const told = async (...versions: string[]) => (await bulk({ lodash: versions }, more)).json;
    expect(await told('4.17.11')).toEqual({ lodash: [PROTOTYPE, COMMAND] });
    expect(await told('4.17.21')).toEqual({});
    expect(await told('4.17.21', '4.17.20')).toEqual({ lodash: [COMMAND] });
    expect(await told('4.17.21-pre')).toEqual({ lodash: [COMMAND] });
    expect(auditsOf(origin)).toHaveLength(1);
  });

  test('does not call safe what nothing is known of', async () => {
    await hold('lodash', ['4.17.20']);
    await hold('left-pad', ['1.3.0']);
    site.clock.now += 86_400_000;
    await hold('minimist', ['1.2.5']);
    more = await site.again({ mode: 'airgapped' });
    const some = await bulk({ lodash: ['4.17.20'], minimist: ['1.2.8'], unknown: ['1.0.0'], other: ['2.0.0'] }, more);
    expect([some.status, some.json]).toEqual([200, { lodash: [COMMAND] }]);
    expect(some.headers.get('npm-notice')).toBe(
      '2 of these 4 packages were checked; 2 of them with advisories of 2026-11-23 to 2026-11-24, which are held here; nothing is known of the other 2',
    );
    const none = await bulk({ unknown: ['1.0.0'] }, more);
    expect([none.status, none.json.error]).toEqual([404, expect.stringMatching(/nothing can be said of them/)]);
    const clean = await bulk({ 'left-pad': ['1.3.0'] }, more);
    expect([clean.status, clean.json]).toEqual([200, {}]);
  });

  test('asks nobody where the site does not want it', async () => {
    await hold('lodash', ['4.17.20']);
    more = await site.again({ config: { origins: [{ name: 'npm', url: origin.url }], audit: false } });
    expect((await bulk({ lodash: ['4.17.20'] }, more)).json).toEqual({ lodash: [COMMAND] });
    expect(auditsOf(origin)).toHaveLength(1);
  });

  test('is no answer of an audit when the origin sends something else', async () => {
    server.set(BULK, { body: '<html>', type: 'text/html' });
    expect((await bulk({ lodash: ['4.17.20'] })).status).toBe(404);
    server.set(BULK, { body: '{"lodash":"none"}', type: 'application/json' });
    expect((await bulk({ lodash: ['4.17.19'] })).status).toBe(404);
    expect(site.log.map((line) => line.msg)).toContainEqual(expect.stringMatching(/no answer of an audit/));
  });
});

describe('an audit in the older form', () => {
  const AUDITS = '/-/npm/v1/security/audits';
  const lock = {
    name: 'my-secret-project',
    version: '1.0.0',
    requires: { lodash: '^4.0.0' },
    install: [],
    remove: [],
    metadata: { node_version: 'v24.0.0' },
    dependencies: {
      lodash: { version: '4.17.20', integrity: 'sha512-x', dev: true },
      mkdirp: {
        version: '0.5.0',
        integrity: 'sha512-y',
        requires: { minimist: '0.0.8' },
        dependencies: { minimist: { version: '0.0.8', integrity: 'sha512-z' } },
      },
      minimist: { version: '1.2.8', integrity: 'sha512-w' },
      '@acme/secret': { version: '2.0.0', integrity: 'sha512-v', dependencies: { lodash: { version: '4.17.11' } } },
      local: { version: 'file:packages/local' },
    },
  };

  test.each([AUDITS, `${AUDITS}/quick`])('is a report of where each package stands (%s)', async (path) => {
    const { json } = await site.post(path, Buffer.from(gzipSync(JSON.stringify(lock))), { 'content-encoding': 'gzip' });
    expect(Object.keys(json.advisories)).toEqual(['1', '2', '3']);
    expect(json.advisories[2]).toMatchObject({
      id: 2,
      module_name: 'lodash',
      severity: 'moderate',
      vulnerable_versions: '>=4.0.0 <4.17.21',
      patched_versions: '>=4.17.21',
      github_advisory_id: 'GHSA-test-0000-0002',
      cves: [],
      findings: expect.arrayContaining([
        { version: '4.17.20', paths: ['lodash'] },
        { version: '4.17.11', paths: ['@acme/secret>lodash'] },
      ]),
    });
    expect(json.advisories[3].findings).toEqual([{ version: '0.0.8', paths: ['mkdirp>minimist'] }]);
    expect(json.metadata).toEqual({
      vulnerabilities: { info: 0, low: 0, moderate: 2, high: 2, critical: 0 },
      ...{ dependencies: 5, devDependencies: 1, optionalDependencies: 0, totalDependencies: 6 },
    });
    expect(json.actions.flatMap(({ resolves }: { resolves: object[] }) => resolves)).toContainEqual({
      ...{ id: 2, path: 'lodash', dev: true, optional: false, bundled: false },
    });
  });

  test('tells the origin names and versions, and nothing of the tree or the project', async () => {
    await site.post(AUDITS, lock);
    expect(auditsOf(origin).map((asked) => Object.keys(asked).sort())).toEqual([['lodash', 'minimist', 'mkdirp']]);
    expect(new Set(auditsOf(origin)[0]!.lodash)).toEqual(new Set(['4.17.11', '4.17.20']));
    expect(server.calls(BULK)[0]!.body.toString()).not.toMatch(/secret|sha512/);
  });

  test("takes pnpm's projects for no packages", async () => {
    const tree = {
      ...{ dev: false, install: [], remove: [], metadata: {}, requires: { '.': '0.0.0', packages__tool: '1.0.0' } },
      dependencies: {
        '.': { dev: false, version: '0.0.0', dependencies: { lodash: { version: '4.17.11', integrity: 'x' } } },
        packages__tool: { dev: false, version: '1.0.0', dependencies: { minimist: { version: '1.2.5' } } },
      },
    };
    const { json } = await site.post(`${AUDITS}/quick`, tree);
    expect(json.advisories[1].findings).toEqual([{ version: '4.17.11', paths: ['.>lodash'] }]);
    expect(auditsOf(origin)).toEqual([{ minimist: ['1.2.5'], lodash: ['4.17.11'] }]);
  });

  test('is as silent as the newer one about what nobody knows', async () => {
    more = await site.again({ mode: 'airgapped' });
    const answer = await more.post(`${AUDITS}/quick`, lock);
    expect([answer.status, answer.json.error]).toEqual([404, expect.stringMatching(/nothing can be said/)]);
    await hold('minimist', ['0.0.8', '1.2.8']);
    const held = await more.post(`${AUDITS}/quick`, lock);
    expect(Object.keys(held.json.advisories)).toEqual(['3']);
    expect(held.headers.get('npm-notice')).toMatch(/nothing is known of the other 2$/);
  });

  test('takes deep and odd trees without falling over', async () => {
    let deep: object = { version: '1.0.0' };
    for (let depth = 0; depth < 2000; depth += 1) deep = { version: '1.0.0', dependencies: { a: deep } };
    const answer = await site.post(AUDITS, { dependencies: { a: deep, b: 7, c: null, d: { dependencies: [] } } });
    expect([answer.status, answer.json.metadata.totalDependencies]).toEqual([200, 1]);
    expect((await site.post(AUDITS, { requires: { lodash: '^4.0.0' } })).status).toBe(404);
    const bare = await site.post(AUDITS, { requires: {} });
    expect(bare.json).toMatchObject({ advisories: {}, actions: [], muted: [] });
  });
});
