import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Tokens } from '../../../shared/http/tokens.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { notes } from '../../support/notes-service.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let origin: OriginServer;
let larder: TestLarder;

beforeEach(async () => {
  origin = await startOriginServer();
  origin.set('/notes/a', { body: 'a note' });
});
afterEach(async () => {
  await larder.close();
  await origin.close();
});

async function start(anonymousRead: boolean): Promise<void> {
  larder = await startLarder({
    services: [notes],
    config: { access: { anonymousRead }, notes: { url: origin.url } },
  });
}

async function secretFor(actions: ('read' | 'write' | 'admin')[], services = ['*']): Promise<string> {
  const { secret } = await new Tokens(larder.store.objects, { now: Date.now }).create({ name: 't', actions, services });
  return secret;
}

const ask = (authorization?: string, method = 'GET') =>
  fetch(`${larder.url('notes')}/notes/a`, { method, headers: authorization ? { authorization } : {} });
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

describe('a token is taken wherever a client has room for it', () => {
  test.each<[string, (secret: string) => string]>([
    ['Bearer', (secret) => `Bearer ${secret}`],
    ['bearer in small letters, with spaces', (secret) => `bearer   ${secret}`],
    ['the password of Basic', (secret) => basic(`__token__:${secret}`)],
    ['the user of Basic without a password', (secret) => basic(`${secret}:`)],
    ['Basic without a colon', (secret) => basic(secret)],
  ])('as %s', async (_how, said) => {
    await start(false);
    const secret = await secretFor(['read']);
    expect((await ask(said(secret))).status).toBe(200);
  });
});

describe('without anonymous reads', () => {
  beforeEach(() => start(false));

  test('a request without a token is told how to get one, in the form that makes clients ask for it', async () => {
    const answer = await ask();
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Basic realm=/),
    ]);
    expect(await answer.text()).toMatch(/larder token create <name> --read --service notes/);
  });

  test.each(['Bearer nonsense', 'Bearer', 'Digest username="a"', basic('user:password'), 'Basic %%%'])(
    '%s is no token',
    async (authorization) => {
      expect((await ask(authorization)).status).toBe(401);
    },
  );
});

describe('with anonymous reads', () => {
  beforeEach(() => start(true));

  test('nobody in particular may read and not write', async () => {
    expect((await ask()).status).toBe(200);
    expect((await ask(undefined, 'PUT')).status).toBe(401);
  });

  test('a token that is wrong is refused all the same: its owner thinks it is right', async () => {
    const answer = await ask(`Bearer lrd_abcdefgh_${'a'.repeat(40)}`);
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringMatching(/mistyped, expired or revoked/)]);
  });

  test.each<[string, ('read' | 'write' | 'admin')[], string[], number]>([
    ['that may write', ['write'], ['*'], 201],
    ['that may write here', ['write'], ['notes'], 201],
    ['that may all', ['admin'], ['*'], 201],
    ['that may write elsewhere', ['write'], ['pypi'], 403],
    ['that may read', ['read'], ['*'], 403],
  ])('a token %s gets %i for a write', async (_what, actions, services, status) => {
    expect((await ask(`Bearer ${await secretFor(actions, services)}`, 'PUT')).status).toBe(status);
  });
});
