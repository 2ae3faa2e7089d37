import { once } from 'node:events';
import { connect } from 'node:net';
import type { RequestHandler } from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MirrorError } from '../../../shared/model/errors.ts';
import { spoken, startApp, type TestApp, wire } from './support.ts';

let app: TestApp;
let handler: RequestHandler;

beforeEach(async () => {
  handler = (_req, res) => void res.setHeader('content-length', 2).end('ok');
  app = await startApp((req, res, next) => handler(req, res, next));
});
afterEach(() => app.close());

/** Asks for half an answer and goes. */
async function leaveInTheMiddle(): Promise<void> {
  handler = (_req, res) => void res.setHeader('content-length', 100).write('half');
  const socket = connect(app.port, '127.0.0.1');
  socket.write(wire('GET /half'));
  await once(socket, 'data');
  socket.destroy();
}

async function sample(name: string, labels = ''): Promise<number | undefined> {
  const text = await app.telemetry.registry.metrics();
  const line = text.split('\n').find((one) => one.startsWith(`larder_${name}{`) && one.includes(labels));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

describe('the line of a request', () => {
  test('says what was asked, by whom, and what became of it', async () => {
    handler = (req, res) => {
      req.identity = { id: 'aaaaaaaa', name: 'ci', actions: ['read'], services: ['*'] };
      res.setHeader('x-larder-served', 'hit').setHeader('content-length', 2).end('ok');
    };
    await fetch(`${app.url}/a/b`, { headers: { 'x-request-id': 'abc-1' } });
    const [line] = await app.lines(1);
    expect(line).toEqual({
      level: 30,
      time: expect.any(String),
      msg: 'request',
      event: 'request',
      service: 'notes',
      id: 'abc-1',
      method: 'GET',
      path: '/a/b',
      status: 200,
      length: 2,
      ms: expect.any(Number),
      served: 'hit',
      client: '127.0.0.1',
      agent: 'node',
      by: 'ci',
    });
    expect(line!.ms).toBeGreaterThanOrEqual(0);
  });

  test('is one for each request of a connection, whatever became of it', async () => {
    handler = (req, res) => {
      if (req.path === '/no') throw new MirrorError('not-found', 'note', 'no');
      res.status(req.path === '/same' ? 304 : 200).end();
    };
    const last = wire('HEAD /head', { connection: 'close' });
    await spoken(app.port, wire('GET /ok'), wire('GET /no'), wire('GET /same'), last);
    const lines = (await app.lines(4)).map(({ method, path, status }) => [method, path, status]);
    expect(lines).toEqual([
      ['GET', '/ok', 200],
      ['GET', '/no', 418],
      ['GET', '/same', 304],
      ['HEAD', '/head', 200],
    ]);
    expect(app.log).toHaveLength(4);
  });

  test('tells a client that left apart, and where it was', async () => {
    await leaveInTheMiddle();
    expect((await app.lines(1))[0]).toMatchObject({ status: 200, aborted: true, client: '127.0.0.1' });
  });

  test('is written for those too who left while they waited behind another', async () => {
    handler = (req, res) => void (req.path === '/slow' ? undefined : res.end('ok'));
    const socket = connect(app.port, '127.0.0.1');
    socket.write(wire('GET /slow') + wire('GET /behind'));
    while ((await sample('http_requests_running')) !== 2) await new Promise(setImmediate);
    socket.destroy();
    expect((await app.lines(2)).map(({ path, aborted }) => [path, aborted]).sort()).toEqual([
      ['/behind', true],
      ['/slow', true],
    ]);
    expect(await sample('http_requests_running')).toBe(0);
  });

  test.each<[string, string, string]>([
    ['a query with a signature', '/a/b?X-Amz-Signature=hunter2&X-Amz-Credential=hunter2', '/a/b'],
    ['a query of queries', '/a?b?token=hunter2', '/a'],
    ['a token in the path', `/token/hf_${'a'.repeat(48)}/api/models`, '/token/hf_…/api/models'],
    ['a password in an absolute address', 'http://user:hunter2@larder.example/a/b', '/a/b'],
    ['an absolute address without a path', 'http://user:hunter2@larder.example?hunter2', ''],
    ['more than a line can take', `/${'a'.repeat(5000)}hunter2`, `/${'a'.repeat(511)}`],
  ])('holds none of %s', async (_what, target, path) => {
    const secrets = { authorization: 'Bearer hunter2', cookie: 'session=hunter2', connection: 'close' };
    await spoken(app.port, wire(`GET ${target}`, secrets));
    expect((await app.lines(1))[0]!.path).toBe(path);
    expect(JSON.stringify(app.log)).not.toContain('hunter2');
  });

  test('of an error that is ours holds no query either', async () => {
    handler = () => {
      throw new TypeError('x is not a function');
    };
    await spoken(app.port, wire('GET http://user:hunter2@a/b?sig=hunter2', { connection: 'close' }));
    await app.lines(1);
    expect(app.log.find(({ event }) => event === 'error')).toMatchObject({ path: '/b' });
    expect(JSON.stringify(app.log)).not.toContain('hunter2');
  });
});

describe('the id of a request', () => {
  test.each(['abc-1', 'A_b.9', 'x'.repeat(64)])('is the one that came with it: %s', async (id) => {
    const answer = await fetch(app.url, { headers: { 'x-request-id': id } });
    expect([answer.headers.get('x-request-id'), (await app.lines(1))[0]!.id]).toEqual([id, id]);
  });

  test.each(['', 'a b', 'a"b', 'a{}', '../a', 'x'.repeat(65), 'caf\u00e9'])(
    'is a new one where "%s" could break a log',
    async (id) => {
      const answer = await fetch(app.url, { headers: { 'x-request-id': id } });
      const given = answer.headers.get('x-request-id');
      expect(given).toMatch(/^[0-9a-f]{16}$/);
      expect((await app.lines(1))[0]!.id).toBe(given);
    },
  );

  test('is another one for each request that brings none', async () => {
    const ids = await Promise.all([1, 2, 3].map(async () => (await fetch(app.url)).headers.get('x-request-id')));
    expect(new Set(ids).size).toBe(3);
  });
});

describe('the numbers of a service', () => {
  test('count requests by method and status, and the bytes of bodies that were sent', async () => {
    await fetch(app.url);
    await fetch(app.url);
    await fetch(app.url, { method: 'HEAD' });
    handler = () => {
      throw new MirrorError('not-found', 'note', 'no');
    };
    const told = await fetch(app.url).then((answer) => answer.text());
    await app.lines(4);
    expect(await sample('http_requests_total', 'method="GET",status="200"')).toBe(2);
    expect(await sample('http_requests_total', 'method="HEAD",status="200"')).toBe(1);
    expect(await sample('http_requests_total', 'method="GET",status="418"')).toBe(1);
    expect(await sample('http_response_bytes_total')).toBe(4 + told.length);
    expect(await sample('http_request_seconds_count', 'service="notes"')).toBe(4);
  });

  test('count a client that left as such, and none of the bytes it was promised', async () => {
    await leaveInTheMiddle();
    await app.lines(1);
    expect(await sample('http_requests_total', 'method="GET",status="aborted"')).toBe(1);
    expect(await sample('http_requests_total', 'status="200"')).toBeUndefined();
    expect(await sample('http_response_bytes_total')).toBeUndefined();
  });

  test('tell how many are under way', async () => {
    let finish = () => {};
    handler = (_req, res) => {
      finish = () => void res.end();
      res.flushHeaders();
    };
    const answer = await fetch(app.url);
    expect(await sample('http_requests_running')).toBe(1);
    finish();
    await answer.text();
    await app.lines(1);
    expect(await sample('http_requests_running')).toBe(0);
  });
});
