import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';
import { askRaw, descriptionOf, type Site, startSite } from './support.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const callerInfo = (site: Site, body: string, path = '/v3/keys/get-caller-info') =>
  site.ask(path, { method: 'POST', headers: FORM, body });
const basic = (key: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`$oauthtoken:${key}`).toString('base64')}` },
});
const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

let open: Site;
let closed: Site;

beforeAll(async () => {
  open = await startSite();
  open.ngc.add({ id: 'nvidia/tao/ocrnet', version: 'v1', files: { 'a.pth': 'a' } });
  open.ngc.add({ id: 'nvidia/genmol', version: '1.0', files: { 'b.pth': 'b' } });
  open.ngc.add({ id: 'acme/vision/detector', version: '1', files: { c: 'c' }, kind: 'resources' });
  for (const path of [
    '/v2/models/nvidia/tao/ocrnet/versions/v1/files/a.pth',
    '/v2/models/nvidia/genmol/versions/1.0/files/b.pth',
    '/v2/resources/acme/vision/detector/versions/1/files/c',
  ])
    expect((await open.ask(path)).status).toBe(200);
  await open.larder.settled();
  closed = await startSite({ org: 'acme', team: 'lab' }, { suite: { access: { anonymousRead: false } } });
});
afterAll(async () => {
  await open?.close();
  await closed?.close();
});

describe('who a key is of', () => {
  test('is a service, in the org that the catalog is of, whatever key a client has where anybody may read', async () => {
    const answer = await callerInfo(open, 'credentials=nvapi-of-nvidias');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ type: 'SERVICE_KEY', orgName: 'nvidia', products: [] });
    const key = await open.key();
    expect((await callerInfo(open, `credentials=${key}`)).status).toBe(200);
  });

  test('is told in an org of which something is held, where there is none of the settings', async () => {
    const site = await startSite();
    try {
      expect((await callerInfo(site, 'credentials=nvapi-x')).json).toMatchObject({ orgName: 'nvidia' });
      site.ngc.add({ id: 'acme/own/thing', version: '1', files: { a: 'a' } });
      await site.ask('/v2/models/acme/own/thing/versions/1/files/a');
      await site.larder.settled();
      site.clock.now += 10_000;
      expect((await callerInfo(site, 'credentials=nvapi-x')).json).toMatchObject({ orgName: 'acme' });
    } finally {
      await site.close();
    }
  });

  test('is told in the org of the settings where there is one', async () => {
    const answer = await callerInfo(closed, `credentials=${encodeURIComponent(await closed.key())}`);
    expect(answer.json).toEqual({ type: 'SERVICE_KEY', orgName: 'acme', products: [] });
  });

  test('is 401 for a key that is not known here, where tokens are demanded', async () => {
    for (const key of ['nvapi-of-nvidias', 'legacy', `${await closed.key()}x`]) {
      const answer = await callerInfo(closed, `credentials=${key}`);
      expect([key, answer.status]).toEqual([key, 401]);
      expect(descriptionOf(answer)).toMatch(/token/);
    }
    expect((await callerInfo(open, `credentials=${await open.key()}x`)).status).toBe(401);
  });

  test('is asked about the key of the form, and not the one of the request', async () => {
    const headers = { ...FORM, ...bearer(await closed.key()).headers };
    const init = { method: 'POST', headers, body: 'credentials=nvapi-of-nvidias' };
    expect((await closed.ask('/v3/keys/get-caller-info', init)).status).toBe(401);
    expect((await closed.ask('/v3/keys/get-caller-info', { ...init, body: '' })).status).toBe(200);
    expect((await callerInfo(closed, '')).status).toBe(400);
  });

  test('is answered where a base address ends with a slash, too, and below a prefix', async () => {
    const key = await open.key();
    expect((await callerInfo(open, `credentials=${key}`, '/ngc/v3/keys/get-caller-info')).status).toBe(200);
    const raw = await askRaw(open.url, '//token');
    expect(raw.status).toBe(200);
  });
});

test('"larder token create --ngc" makes a key that clients of NGC take, for this service alone', async () => {
  const folder = await temporaryFolder();
  const store = join(folder.path, 'store');
  const { stdout } = await larder(['token', 'create', 'lab', '--read', '--ngc', '--store', store]);
  const key = stdout.trim();
  expect(key).toMatch(/^nvapi-lrd_/);
  const site = await startSite({}, { store, suite: { access: { anonymousRead: false } } });
  try {
    expect((await callerInfo(site, `credentials=${key}`)).status).toBe(200);
    const { user } = await site.json<{ user: object }>('/v2/users/me', bearer(key));
    expect(user).toMatchObject({ name: 'lab' });
  } finally {
    await site.close();
    await folder.remove();
  }
});

describe('/token', () => {
  test('gives the key itself for a key of ours, by Basic and by ApiKey, and it opens the catalog', async () => {
    const key = await closed.key();
    for (const init of [
      basic(key),
      basic(key.slice('nvapi-'.length)),
      { headers: { authorization: `ApiKey ${key}` } },
    ]) {
      const answer = await closed.ask('/token?service=ngc&scope=group/ngc:acme', init);
      expect(answer.status).toBe(200);
      const { token, expires_in } = answer.json as { token: string; expires_in: number };
      expect(expires_in).toBeGreaterThan(600);
      expect((await closed.ask('/v2/orgs', bearer(token))).status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
  });

  test('gives a token that opens what is open to all for a key of NVIDIA’s', async () => {
    const answer = await open.ask('/token?service=ngc', basic('a-legacy-key'));
    const { token } = answer.json as { token: string };
    expect((await open.ask('/v2/orgs', bearer(token))).status).toBe(200);
    expect((await closed.ask('/v2/orgs', bearer(token))).status).toBe(401);
  });

  test('is 401 for a wrong key where tokens are demanded', async () => {
    for (const init of [basic('a-legacy-key'), { headers: { authorization: 'ApiKey nvapi-x' } }, {}])
      expect((await closed.ask('/token', init)).status).toBe(401);
    expect((await open.ask('/token', basic('nvapi-lrd_00000000_wrong'))).status).toBe(401);
  });
});

describe('what there is for somebody', () => {
  test('is the orgs of which something is held, and the teams in them', async () => {
    const { organizations, paginationInfo } = await open.json<{ organizations: object[]; paginationInfo: object }>(
      '/v2/orgs?page-size=1000',
    );
    expect(organizations).toEqual([
      { name: 'nvidia', displayName: 'nvidia' },
      { name: 'acme', displayName: 'acme' },
    ]);
    expect(paginationInfo).toMatchObject({ index: 0, totalPages: 1, totalResults: 2 });
    const { teams } = await open.json<{ teams: object[] }>('/v2/org/nvidia/teams?page-size=1000');
    expect(teams).toEqual([{ name: 'tao', description: '' }]);
    expect((await open.json<{ teams: object[] }>('/v2/org/unknown/teams')).teams).toEqual([]);
    expect(await open.json('/v2/orgs/acme')).toMatchObject({ organizations: { name: 'acme' } });
    expect((await open.ask('/v2/orgs/unknown')).status).toBe(404);
  });

  test('names the token, and no right that NVIDIA could have given', async () => {
    const key = await closed.key();
    const { user } = await closed.json<{ user: object }>('/v2/users/me?org-name=acme', bearer(key));
    expect(user).toMatchObject({ name: 'reader', roles: [{ org: { name: 'acme' }, orgRoles: ['REGISTRY_READ'] }] });
    const { teams } = await closed.json<{ teams: object[] }>('/v2/org/acme/teams', bearer(key));
    expect(teams).toMatchObject([{ name: 'lab' }]);
    expect(await open.json('/v2/products')).toMatchObject({ products: [] });
    expect(await open.json('/v2/roles?show-hidden=true')).toMatchObject({ roles: [] });
    expect((await open.ask('/v2/ping', { method: 'HEAD' })).status).toBe(200);
  });

  test('needs a token where tokens are demanded', async () => {
    for (const path of ['/v2/orgs', '/v2/org/acme/teams', '/v2/users/me', '/v2/ping', '/v2/products', '/v2/roles'])
      expect([path, (await closed.ask(path)).status]).toEqual([path, 401]);
  });
});

test('a mirror with a key asks which orgs and teams it opens, unless the org is private here', async () => {
  const accounts = [{ key: 'nvapi-site', orgs: ['wide'], teams: { wide: ['far'] } }];
  const site = await startSite({ apiKey: 'nvapi-site', private: ['secret/*'] }, { accounts });
  try {
    site.ngc.add({ id: 'wide/far/away', version: '1', files: { a: 'a' } });
    const names = (await site.json<{ organizations: { name: string }[] }>('/v2/orgs')).organizations;
    expect(names.map(({ name }) => name)).toEqual(['nvidia', 'wide']);
    const { teams } = await site.json<{ teams: { name: string }[] }>('/v2/org/wide/teams');
    expect(teams.map(({ name }) => name)).toEqual(['far']);
    expect((await site.json<{ teams: object[] }>('/v2/org/secret/teams')).teams).toEqual([]);
    expect(site.ngc.count('secret')).toBe(0);
    for (const call of site.ngc.calls('/v2/org')) expect(call.headers.authorization).toBe('Bearer nvapi-site');
    await site.ngc.goDark();
    expect((await site.json<{ organizations: object[] }>('/v2/orgs')).organizations).toMatchObject([
      { name: 'nvidia' },
    ]);
  } finally {
    await site.close();
  }
});
