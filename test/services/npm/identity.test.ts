import { afterEach, beforeEach, expect, test } from 'vitest';
import { Tokens } from '../../../shared/http/tokens.ts';
import { type Site, startSite } from './site.ts';

let site: Site;
let secret: string;

beforeEach(async () => {
  site = await startSite({ config: { origins: [{ name: 'npm', url: 'http://127.0.0.1:9/' }] }, anonymousRead: false });
  const tokens = new Tokens(site.store.objects, { now: () => site.clock.now });
  ({ secret } = await tokens.create({ name: 'ci', actions: ['read'], services: ['npm'] }));
});

afterEach(() => site.close());

const bearer = () => ({ authorization: `Bearer ${secret}` });
const basic = (user: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` });

test('whoami says whose token it is, and of a user with a token for the password its name', async () => {
  expect((await site.get('/-/whoami', bearer())).json).toEqual({ username: 'ci' });
  expect((await site.get('/-/whoami', basic('ada'))).json).toEqual({ username: 'ada' });
});

test('whoami is a 401 without a token, and with one that is none', async () => {
  const nobody = await site.get('/-/whoami');
  expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^Bearer /)]);
  expect(nobody.json.error).toMatch(/nobody is logged in/);
  expect((await site.get('/-/whoami', { authorization: 'Bearer nonsense' })).status).toBe(401);
});

test('the profile has what npm shows of one', async () => {
  expect((await site.get('/-/npm/v1/user', bearer())).json).toMatchObject({ name: 'ci', email: '', tfa: null });
  expect((await site.get('/-/npm/v1/user')).status).toBe(401);
});

test('ping answers anybody; searches, audits and keys only who may read', async () => {
  const ping = await site.get('/-/ping');
  expect([ping.status, ping.text]).toEqual([200, '{}']);
  expect((await site.get('/-/v1/search?text=x')).status).toBe(401);
  expect((await site.get('/-/npm/v1/keys')).status).toBe(401);
  expect((await site.get('/-/npm/v1/attestations/x@1.0.0')).status).toBe(401);
  for (const path of ['advisories/bulk', 'audits', 'audits/quick'])
    expect((await site.post(`/-/npm/v1/security/${path}`, {})).status).toBe(401);
  expect((await site.get('/-/v1/search?text=', bearer())).status).toBe(200);
  expect((await site.post('/-/npm/v1/security/advisories/bulk', {}, bearer())).json).toEqual({});
});
