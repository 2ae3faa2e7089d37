import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import express from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MirrorError } from '../../../shared/model/errors.ts';
import { airgappedPassthrough } from '../../../shared/upstream/airgapped.ts';
import { type PassedOrigin, passthrough } from '../../../shared/upstream/passthrough.ts';

let origin: Server;
let answer: RequestListener;
let calls: { req: IncomingMessage; body: string }[];
const servers: Server[] = [];

beforeEach(async () => {
  calls = [];
  answer = (_req, res) => res.end('{"results":[]}');
  origin = await listening(async (req, res) => {
    calls.push({ req, body: await text(req) });
    answer(req, res);
  });
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listening(handler: RequestListener): Promise<Server> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return server;
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A mirror that passes `/search` on to `/api/v1` of the origin. */
async function mirror(more: Partial<PassedOrigin> = {}, make = passthrough({ headersTimeout: 300 })): Promise<string> {
  const app = express();
  app.use('/search', make({ name: 'hub', url: `${urlOf(origin)}/api/v1/`, subject: 'search', ...more }));
  app.use((error: MirrorError, _req: unknown, res: express.Response, _next: unknown) => {
    res.status(500).json({ kind: error.kind, message: error.message, originStatus: error.originStatus });
  });
  return `${urlOf(await listening(app))}/search`;
}

describe('what is passed on', () => {
  test('goes to the place of the origin that ours stands for, with query, method and body', async () => {
    const url = await mirror();
    const answered = await fetch(`${url}/find?q=a%20b`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(await answered.json()).toEqual({ results: [] });
    const [{ req, body }] = calls as [(typeof calls)[0]];
    expect([req.method, req.url, body.length]).toEqual(['POST', '/api/v1/find?q=a%20b', 100_000]);
    expect(req.headers.host).toBe(new URL(urlOf(origin)).host);
    expect(req.headers.via).toBe('1.1 larder');
  });

  test('comes back with its status and headers, without what the origin says to us alone', async () => {
    answer = (_req, res) =>
      res.writeHead(418, { 'x-total': '7', 'set-cookie': 'a=b', 'www-authenticate': 'Bearer realm="x"' }).end('no');
    const answered = await fetch(await mirror());
    expect([answered.status, await answered.text(), answered.headers.get('x-total')]).toEqual([418, 'no', '7']);
    expect(answered.headers.get('set-cookie')).toBeNull();
    expect(answered.headers.get('www-authenticate')).toBeNull();
  });

  test("carries the mirror's credentials, and never the client's", async () => {
    const headers = {
      authorization: 'Bearer of-the-client',
      cookie: 'session=1',
      'proxy-authorization': 'Basic x',
      'x-forwarded-for': '10.1.2.3',
      forwarded: 'for=10.1.2.3',
    };
    await fetch(await mirror(), { headers });
    await fetch(await mirror({ credentials: { token: 'of-the-site' } }), { headers });
    expect(calls[0]!.req.headers.authorization).toBeUndefined();
    expect(calls[1]!.req.headers.authorization).toBe('Bearer of-the-site');
    const sent = JSON.stringify(calls.map(({ req }) => req.headers));
    expect(sent).not.toMatch(/of-the-client|session=1|10\.1\.2\.3|Basic x/);
  });

  test.each([
    ['/api/v1/other?x=1', '/search/other?x=1'],
    ['next', '/search/deep/next'],
  ])('a redirect to %s becomes one to us', async (location, ours) => {
    answer = (_req, res) => res.writeHead(302, { location }).end();
    const answered = await fetch(`${await mirror()}/deep/here`, { redirect: 'manual' });
    expect([answered.status, answered.headers.get('location')]).toEqual([302, ours]);
  });
});

describe('an origin that', () => {
  const told = async (url: string) => (await fetch(url, { redirect: 'manual' })).json();

  test.each(['http://elsewhere.site/', '/other/place', ''])('redirects to "%s" reaches no client', async (location) => {
    answer = (_req, res) => res.writeHead(302, { location }).end();
    expect(await told(await mirror())).toMatchObject({ kind: 'upstream-failed', originStatus: 302 });
  });

  test("refuses the mirror's credentials is told apart from one that refuses the client", async () => {
    answer = (_req, res) => res.writeHead(401).end();
    expect(await told(await mirror())).toMatchObject({ kind: 'upstream-denied', originStatus: 401 });
    answer = (_req, res) => res.writeHead(403).end('gated');
    const answered = await fetch(await mirror());
    expect([answered.status, await answered.text()]).toEqual([403, 'gated']);
  });

  test('is not there is an error in words', async () => {
    const url = await mirror();
    origin.close();
    await once(origin, 'close');
    expect(await told(url)).toMatchObject({ kind: 'upstream-failed', message: expect.stringMatching(/ECONNREFUSED/) });
  });

  test('says nothing is not waited for without end', async () => {
    answer = () => undefined;
    expect(await told(await mirror())).toMatchObject({ kind: 'upstream-failed' });
  });

  test('breaks off is seen by the client as broken, never as whole', async () => {
    answer = (_req, res) => {
      res.writeHead(200);
      res.write('half', () => res.destroy());
    };
    await expect(fetch(await mirror()).then((answered) => answered.text())).rejects.toThrow();
  });
});

test('without a network nothing is passed on, and the client is told why', async () => {
  const answered = await fetch(await mirror({}, airgappedPassthrough));
  expect(await answered.json()).toMatchObject({ kind: 'not-held' });
  expect(calls).toHaveLength(0);
});
