import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NpmConfig } from '../../../services/npm/config.ts';
import { service } from '../../../services/npm/service.ts';
import { Sessions } from '../../../services/npm/sessions.ts';
import type { Action } from '../../../shared/http/tokens.ts';
import type { Context, Service } from '../../../shared/service/service.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { buildPackage } from '../../support/npm-packages.ts';
import { npmHome, Publisher, publishBody } from '../../support/npm-publishing.ts';

let folder: { path: string; remove(): Promise<void> };
let larder: TestLarder;
let now: number;
let url: string;

const start = async (anonymousRead = true) => {
  larder = await startLarder({
    services: [service as Service<unknown>],
    mode: 'airgapped',
    config: { access: { anonymousRead } },
    store: join(folder.path, 'store'),
    now: () => now,
  });
  url = larder.url('npm');
};

beforeEach(async () => {
  now = Date.now();
  folder = await temporaryFolder();
  await start();
});
afterEach(async () => {
  await larder.close();
  await folder.remove();
});

const tokens = () => larder.context('npm').access.tokens;
const create = (name: string, actions: Action[] = ['read', 'write']) =>
  tokens().create({ name, actions, services: ['npm'] });

/** `npm login`, as npm's own profile library sends it. */
const login = (user: string, password: string) =>
  new Publisher(url).send('PUT', `/-/user/org.couchdb.user:${user}`, {
    _id: `org.couchdb.user:${user}`,
    ...{ name: user, password, type: 'user', roles: [], date: new Date().toISOString() },
  });
const loggedIn = async (user: string, password: string) => (await login(user, password)).json.token as string;

const publish = (secret: string, version: string) =>
  new Publisher(url, secret).put(publishBody(buildPackage({ name: '@acme/app', version })));
const whoami = async (secret: string) => (await new Publisher(url, secret).get('/-/whoami')).json.username;

describe('npm login', () => {
  test('takes any user name with a token as the password, and hands out one that may do what that may', async () => {
    const { secret } = await create('ci');
    const answer = await login('alice', secret);
    expect(answer).toMatchObject({ status: 201, json: { ok: "you are authenticated as 'alice'" } });
    expect(answer.json.token).not.toContain(secret);
    expect(await whoami(answer.json.token)).toBe('alice');
    expect((await publish(answer.json.token, '1.0.0')).status).toBe(201);
    const reader = await create('reader', ['read']);
    expect((await publish(await loggedIn('bob', reader.secret), '2.0.0')).status).toBe(403);
  });

  test('says what the password is to whoever has another', async () => {
    const answer = await login('alice', 'wonderland');
    expect(answer).toMatchObject({ status: 401, json: { error: expect.stringContaining('larder token create') } });
  });

  test('in a browser is not there: npm goes on to name and password', async () => {
    expect((await new Publisher(url).send('POST', '/-/v1/login', {})).status).toBe(404);
  });

  test('ends with the token that it was made with', async () => {
    const { secret, token } = await create('ci');
    const session = await loggedIn('alice', secret);
    await tokens().revoke(token.id);
    expect((await publish(session, '1.0.0')).status).toBe(401);
    expect((await new Publisher(url, session).get('/@acme%2fapp')).status).toBe(401);
  });

  test('ends with npm logout, which leaves the token alone that it was made with', async () => {
    const { secret } = await create('ci');
    const session = await loggedIn('alice', secret);
    const other = await loggedIn('alice', secret);
    expect((await new Publisher(url, session).send('DELETE', `/-/user/token/${session}`)).status).toBe(200);
    expect((await publish(session, '1.0.0')).status).toBe(401);
    expect((await publish(other, '1.0.0')).status).toBe(201);
    expect((await new Publisher(url, secret).send('DELETE', `/-/user/token/${secret}`)).status).toBe(200);
    expect(await whoami(secret)).toBe('ci');
  });

  test('is remembered by the store, whichever process is asked', async () => {
    const session = await loggedIn('alice', (await create('ci')).secret);
    await larder.close();
    await start();
    expect(await whoami(session)).toBe('alice');
  });
});

test('logins of tokens that are over are gone when the registry starts again', async () => {
  const [stays, goes] = [await create('stays'), await create('goes')];
  await loggedIn('alice', stays.secret);
  await loggedIn('bob', goes.secret);
  await tokens().revoke(goes.token.id);
  await larder.close();
  await start();
  const sessions = async () => (await larder.context('npm').catalog.keys('session/')).length;
  await expect.poll(sessions).toBe(1);
});

test('of very many logins with one token the oldest end, and tokens stay', async () => {
  const { token } = await create('ci');
  const sessions = new Sessions(larder.context('npm') as Context<NpmConfig>, 4);
  const make = async (kind: 'login' | 'token') => {
    now += 1000;
    return (await sessions.create({ kind, parent: token.id, user: 'robot', readonly: false, cidr: [] })).secret;
  };
  const made = await make('token');
  const logins = [await make('login'), await make('login'), await make('login'), await make('login')];
  expect(await Promise.all(logins.map(whoami))).toEqual([undefined, 'robot', 'robot', 'robot']);
  expect(await whoami(made)).toBe('robot');
});

describe('the npm of this machine', () => {
  test('logs in with a token, as user and password, and out', async () => {
    const { secret } = await create('ci');
    const home = await npmHome(url);
    try {
      await home.write({ name: '@acme/app', version: '1.0.0' });
      await home.login(`_authToken=${secret}`);
      expect(await home.npm('whoami')).toMatchObject({ stdout: 'ci\n' });
      await home.login(`_auth=${Buffer.from(`alice:${secret}`).toString('base64')}`);
      expect(await home.npm('whoami')).toMatchObject({ stdout: 'alice\n' });
      expect(await home.npm('publish')).toMatchObject({ code: 0 });
      const session = await loggedIn('alice', secret);
      await home.login(`_authToken=${session}`);
      expect(await home.npm('whoami')).toMatchObject({ stdout: 'alice\n' });
      expect(await home.npm('profile', 'get', 'name')).toMatchObject({ stdout: 'alice\n' });
      expect(await home.npm('logout')).toMatchObject({ code: 0 });
      expect((await publish(session, '2.0.0')).status).toBe(401);
    } finally {
      await home.remove();
    }
  });

  test('makes, lists and revokes tokens', async () => {
    const { secret } = await create('ci');
    const home = await npmHome(url);
    try {
      await home.login(`_authToken=${secret}`);
      const made = await home.npm('token', 'create', '--json', `--password=${secret}`, '--name=nightly');
      expect(made).toMatchObject({ code: 0 });
      const { token } = JSON.parse(made.stdout) as { token: string };
      expect((await publish(token, '1.0.0')).status).toBe(201);
      const listed = JSON.parse((await home.npm('token', 'list', '--json')).stdout) as Record<string, unknown>[];
      expect(listed).toMatchObject([{ name: 'nightly', readonly: false }]);
      expect(token.startsWith(listed[0]!.token as string)).toBe(true);
      expect(JSON.stringify(listed)).not.toContain(token);
      expect(await home.npm('token', 'revoke', listed[0]!.key as string)).toMatchObject({ code: 0 });
      expect((await publish(token, '2.0.0')).status).toBe(401);
      expect(JSON.parse((await home.npm('token', 'list', '--json')).stdout)).toEqual([]);
    } finally {
      await home.remove();
    }
  });
});

describe('npm token create', () => {
  const make = async (secret: string, wish: object) =>
    new Publisher(url, secret).send('POST', '/-/npm/v1/tokens', { password: secret, ...wish });

  test('read-only reads, and writes nothing', async () => {
    const { secret } = await create('ci');
    const { json } = await make(secret, { readonly: true });
    expect(json).toMatchObject({ readonly: true });
    expect(await whoami(json.token)).toBe('ci');
    expect((await publish(json.token, '1.0.0')).status).toBe(403);
    const tag = await new Publisher(url, json.token).send('PUT', '/-/package/@acme%2fapp/dist-tags/x', '"1.0.0"');
    expect(tag.status).toBe(403);
    const newer = await make(secret, { packages_and_scopes_permission: 'read-only' });
    expect((await publish(newer.json.token, '1.0.0')).status).toBe(403);
    // and makes none that may
    const more = await new Publisher(url, json.token).send('POST', '/-/npm/v1/tokens', { password: json.token });
    expect((await publish(more.json.token, '1.0.0')).status).toBe(403);
  });

  test('for some packages only is refused: nobody is handed more than was asked for', async () => {
    const { secret } = await create('ci');
    const answer = await make(secret, { packages: ['@acme/app'] });
    expect(answer).toMatchObject({ status: 400, json: { error: expect.stringContaining('--packages') } });
  });

  test('for some addresses is worth nothing at others', async () => {
    const { secret } = await create('ci');
    const here = await make(secret, { cidr_whitelist: ['127.0.0.0/8'] });
    const there = await make(secret, { cidr_whitelist: ['10.0.0.0/8', 'fd00::/8'] });
    expect((await publish(here.json.token, '1.0.0')).status).toBe(201);
    expect((await publish(there.json.token, '2.0.0')).status).toBe(401);
    expect((await make(secret, { cidr_whitelist: ['10.0.0.0/99'] })).status).toBe(400);
  });

  test('for some days ends with them', async () => {
    const { secret } = await create('ci');
    const { json } = await make(secret, { expires: 2 });
    expect(await whoami(json.token)).toBe('ci');
    now += 3 * 86_400_000;
    expect((await publish(json.token, '1.0.0')).status).toBe(401);
  });

  test('shows and revokes only what was made with the token that asks', async () => {
    const [mine, other] = [await create('mine'), await create('other')];
    const { json } = await make(mine.secret, {});
    const stranger = new Publisher(url, other.secret);
    expect((await stranger.get('/-/npm/v1/tokens')).json.objects).toEqual([]);
    expect((await stranger.send('DELETE', `/-/npm/v1/tokens/token/${json.key}`)).status).toBe(404);
    expect((await make(mine.secret, { password: other.secret })).status).toBe(403);
    expect((await publish(json.token, '1.0.0')).status).toBe(201);
  });
});

test('no secret is in the log, nor in the store', async () => {
  const { secret } = await create('ci');
  const session = await loggedIn('alice', secret);
  await publish(session, '1.0.0');
  await publish(session, '1.0.0');
  await new Publisher(url, session).send('PUT', '/@acme%2fapp', 'no json');
  await login('alice', `${secret}x`);
  const web = await new Publisher(url).send('POST', '/-/verdaccio/sec/login', { username: 'alice', password: secret });
  expect(web.status).toBe(200);
  await new Publisher(url, web.json.token).get('/-/verdaccio/data/packages');
  await new Publisher(url, session).send('DELETE', `/-/user/token/${session}`);
  const log = JSON.stringify(larder.log());
  for (const text of [secret, session, web.json.token as string]) {
    const hidden = text.slice(-30);
    expect(log).not.toContain(hidden);
    const held = await filesWith(join(folder.path, 'store'), hidden);
    expect(held).toEqual([]);
  }
});

describe('reading, where not everybody may', () => {
  beforeEach(async () => {
    await larder.close();
    await start(false);
    const { secret } = await create('ci');
    expect((await publish(secret, '1.0.0')).status).toBe(201);
  });

  test('needs a token, a login, or the login of the web interface', async () => {
    const { secret, token } = await create('reader', ['read']);
    const nobody = new Publisher(url);
    expect((await nobody.get('/@acme%2fapp')).status).toBe(401);
    expect((await new Publisher(url, await loggedIn('bob', secret)).get('/@acme%2fapp')).status).toBe(200);
    // the pages are there for all: how else would one log in
    expect((await nobody.bytes('/')).status).toBe(200);
    expect((await nobody.get('/-/verdaccio/data/packages')).json).toEqual([]);
    expect((await nobody.get('/-/verdaccio/data/sidebar/@acme/app')).status).toBe(403);
    const login = await nobody.send('POST', '/-/verdaccio/sec/login', { username: 'bob', password: secret });
    const web = new Publisher(url, login.json.token);
    expect((await web.get('/-/verdaccio/data/packages')).json).toMatchObject([{ name: '@acme/app' }]);
    expect((await web.get('/-/verdaccio/data/sidebar/@acme/app')).status).toBe(200);
    expect((await web.get('/-/verdaccio/data/search/app')).json).toMatchObject([{ name: '@acme/app' }]);
    await tokens().revoke(token.id);
    expect((await web.get('/-/verdaccio/data/packages')).json).toEqual([]);
    expect((await web.get('/-/verdaccio/data/sidebar/@acme/app')).status).toBe(403);
    expect((await web.get('/-/verdaccio/data/search/app')).json).toEqual([]);
  });

  test('the token of a page is no token for packages', async () => {
    const { secret } = await create('ci');
    const { json } = await new Publisher(url).send('POST', '/-/verdaccio/sec/login', {
      ...{ username: 'alice', password: secret },
    });
    expect((await publish(json.token, '2.0.0')).status).toBe(401);
    expect((await new Publisher(url, json.token).get('/@acme%2fapp')).status).toBe(401);
  });
});

async function filesWith(path: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of await readdir(path, { recursive: true, withFileTypes: true })) {
    const name = join(file.parentPath, file.name);
    if (file.isFile() && (await readFile(name)).includes(text)) found.push(name);
  }
  return found;
}
