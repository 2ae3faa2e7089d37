import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Tokens } from '../../../shared/http/tokens.ts';
import { Wants } from '../../../shared/mirror/wants.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { startLarder, type TestLarder, type TestLarderOptions } from '../../support/larder.ts';
import { notes } from '../../support/notes-service.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let origin: OriginServer;
let larder: TestLarder | undefined;

beforeEach(async () => {
  origin = await startOriginServer();
  origin.set('/notes/one', { body: 'first note', type: 'text/plain', etag: '"1"' });
});
afterEach(async () => {
  await larder?.close();
  larder = undefined;
  await origin.close();
});

async function start(options: Omit<TestLarderOptions, 'services'> = {}): Promise<string> {
  const config = { ...options.config, notes: { url: origin.url } };
  larder = await startLarder({ ...options, services: [notes], config });
  return larder.url('notes');
}

describe('a further mirror is one folder: a service that the shell has never seen', () => {
  test('is fetched from its origin once, and kept', async () => {
    const url = await start();
    const first = await fetch(`${url}/notes/one`);
    expect([first.status, await first.text(), first.headers.get('x-larder-served')]).toEqual([
      200,
      'first note',
      'miss',
    ]);
    await larder!.settled();
    const second = await fetch(`${url}/notes/one`);
    expect([await second.text(), second.headers.get('x-larder-served')]).toEqual(['first note', 'hit']);
    expect(origin.count('/notes/one')).toBe(1);
  });

  test('has HEAD, ranges and conditions without a word about them', async () => {
    const url = await start();
    await fetch(`${url}/notes/one`).then((answer) => answer.text());
    await larder!.settled();
    const head = await fetch(`${url}/notes/one`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('10');
    const part = await fetch(`${url}/notes/one`, { headers: { range: 'bytes=0-4' } });
    expect([part.status, await part.text()]).toEqual([206, 'first']);
    const same = await fetch(`${url}/notes/one`, { headers: { 'if-none-match': head.headers.get('etag')! } });
    expect(same.status).toBe(304);
  });

  test('lives on when its origin is dark', async () => {
    let now = Date.parse('2026-11-23T12:00:00Z');
    const url = await start({ now: () => now, config: { upstream: { retries: 0 } } });
    await fetch(`${url}/notes/one`).then((answer) => answer.text());
    await larder!.settled();
    await origin.goDark();
    now += 600_000;
    expect(await fetch(`${url}/notes/one`).then((answer) => answer.text())).toBe('first note');
    await origin.comeBack();
  });

  test('is asked again after a failure that may pass', async () => {
    origin.fail({ path: '/notes/one', status: 500 });
    const url = await start({ config: { upstream: { retries: 2 } } });
    expect((await fetch(`${url}/notes/one`)).status).toBe(200);
    expect(origin.count('/notes/one')).toBe(2);
  });
});

describe('without a network', () => {
  test('what is held is served, what is not becomes a want, and nobody is dialled', async () => {
    const folder = await temporaryFolder();
    const url = await start({ store: folder.path });
    await fetch(`${url}/notes/one`).then((answer) => answer.text());
    await larder!.close();

    const behind = await start({ store: folder.path, mode: 'airgapped' });
    const calls = origin.calls().length;
    expect(await fetch(`${behind}/notes/one`).then((answer) => answer.text())).toBe('first note');
    const missing = await fetch(`${behind}/notes/two`);
    expect([missing.status, missing.headers.get('x-note-error')]).toEqual([404, 'not-held']);
    expect(origin.calls()).toHaveLength(calls);
    const wants = await Array.fromAsync(new Wants(larder!.store.objects, { service: 'notes', now: Date.now }).list());
    expect(wants.map(({ item }) => item)).toEqual([{ note: 'two' }]);
    const { wants: told } = (await fetch(`${larder!.adminUrl}/wants`).then((answer) => answer.json())) as {
      wants: object[];
    };
    expect(told).toMatchObject([{ service: 'notes', label: 'two' }]);
    await larder!.close();
    larder = undefined;
    await folder.remove();
  });
});

describe('every no is said in the words of the protocol', () => {
  test.each([
    ['an unknown address', '/nowhere', 404, 'not-found'],
    ['a broken escape', '/notes/%zz', 400, 'bad-request'],
    ['broken UTF-8', '/notes/%ff', 400, 'bad-request'],
    ['what the origin lacks', '/notes/none', 404, 'not-found'],
    ['a fault of ours', '/broken', 500, 'internal'],
  ])('%s', async (_name, path, status, kind) => {
    const url = await start();
    const answer = await fetch(url + path);
    expect([answer.status, answer.headers.get('x-note-error')]).toEqual([status, kind]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.text()).not.toMatch(/shadow|\.ts:|node_modules/);
  });

  test('a fault of ours is in the log, with where it was thrown', async () => {
    const url = await start();
    await fetch(`${url}/broken`);
    const line = larder!.log().find(({ event }) => event === 'error');
    expect(JSON.stringify(line)).toContain('notes-service.ts');
  });

  test('answers do not tell what they were made with', async () => {
    const url = await start();
    expect((await fetch(`${url}/nowhere`)).headers.get('x-powered-by')).toBeNull();
  });
});

describe('tokens', () => {
  test('are needed to write, and to read where anonymous reads are off', async () => {
    const url = await start({ config: { access: { anonymousRead: false } } });
    const tokens = new Tokens(larder!.store.objects, { now: Date.now });
    const reader = await tokens.create({ name: 'reader', actions: ['read'], services: ['notes'] });
    const elsewhere = await tokens.create({ name: 'other', actions: ['read', 'write'], services: ['pypi'] });
    const ask = (secret: string | undefined, method = 'GET') =>
      fetch(`${url}/notes/one`, { method, headers: secret ? { authorization: `Bearer ${secret}` } : {} });
    const anonymous = await ask(undefined);
    expect([anonymous.status, anonymous.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Basic/),
    ]);
    expect((await ask(reader.secret)).status).toBe(200);
    expect((await ask(reader.secret, 'PUT')).status).toBe(403);
    expect((await ask(elsewhere.secret)).status).toBe(403);
    await tokens.create({ name: 'writer', actions: ['write'], services: ['*'] }).then(async ({ secret }) => {
      expect((await ask(secret, 'PUT')).status).toBe(201);
    });
  });

  test('never go to the origin, nor into the log', async () => {
    const url = await start();
    const { secret } = await new Tokens(larder!.store.objects, { now: Date.now }).create({
      name: 'reader',
      actions: ['read'],
      services: ['*'],
    });
    await fetch(`${url}/notes/one`, { headers: { authorization: `Bearer ${secret}`, cookie: 'a=b' } });
    await larder!.settled();
    const [call] = origin.calls('/notes/one');
    expect(call!.headers).not.toHaveProperty('authorization');
    expect(call!.headers).not.toHaveProperty('cookie');
    expect(JSON.stringify(larder!.log())).not.toContain(secret);
  });
});
