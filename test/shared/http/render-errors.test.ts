import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Writable } from 'node:stream';
import express, { type RequestHandler } from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { observe } from '../../../shared/http/observe.ts';
import { renderErrors } from '../../../shared/http/render-errors.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import { createTelemetry, type Telemetry } from '../../../shared/telemetry/telemetry.ts';

let log: Record<string, unknown>[];
let telemetry: Telemetry;
let server: Server;
let handler: RequestHandler;

beforeEach(async () => {
  log = [];
  const stream = new Writable({
    write(line, _encoding, done) {
      log.push(JSON.parse(String(line)));
      done();
    },
  });
  telemetry = createTelemetry({ stream });
  const app = express();
  app.disable('x-powered-by');
  app.use(observe(telemetry, 'notes'));
  app.use((req, res, next) => handler(req, res, next));
  const renderError = ({ kind, message }: MirrorError) => ({ status: 418, body: { kind, message } });
  app.use(renderErrors({ renderError }, telemetry.log));
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const throwing =
  (error: unknown): RequestHandler =>
  () => {
    throw error;
  };
/** The one line of a request, when it is over. */
async function line(): Promise<Record<string, unknown>> {
  for (;;) {
    const found = log.find(({ event }) => event === 'request');
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('an error', () => {
  test.each<[string, unknown, string]>([
    ['of ours', new MirrorError('not-found', 'note', 'there is no such note'), 'not-found'],
    ['of nobody in particular', new TypeError('x is not a function'), 'internal'],
    ['of a full disk', Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }), 'out-of-space'],
    ['of a broken address', new URIError('URI malformed'), 'bad-request'],
    ['of a body that is too large', Object.assign(new Error('too large'), { status: 413 }), 'too-large'],
    ['that is no error', 'a string', 'internal'],
  ])('%s is said in the words of the protocol', async (_what, thrown, kind) => {
    handler = throwing(thrown);
    const answer = await fetch(address());
    const text = await answer.text();
    expect([answer.status, JSON.parse(text).kind]).toEqual([418, kind]);
    expect(text).not.toMatch(/\n\s*at |not a function|\.ts:/);
    expect(answer.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('takes back the fields of the answer that was not to be', async () => {
    handler = (_req, res) => {
      res.setHeader('etag', '"a"').setHeader('content-encoding', 'gzip').setHeader('content-length', 5);
      throw new MirrorError('unavailable', 'note', 'not now', { retryAfter: 9 });
    };
    const answer = await fetch(address());
    expect(answer.headers.get('etag')).toBeNull();
    expect(answer.headers.get('content-encoding')).toBeNull();
    expect(answer.headers.get('retry-after')).toBe('9');
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f]{16}$/);
  });

  test('has the same fields and no body for HEAD', async () => {
    handler = throwing(new MirrorError('not-found', 'note', 'no'));
    const [head, get] = [await fetch(address(), { method: 'HEAD' }), await fetch(address())];
    expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
    expect(await head.text()).toBe('');
  });

  test('after the headers are out breaks the connection', async () => {
    handler = (_req, res, next) => {
      res.writeHead(200, { 'content-length': 100 });
      res.write('half', () => next(new Error('the disk is gone')));
    };
    await expect(fetch(address()).then((answer) => answer.text())).rejects.toThrow();
  });

  test('in the middle of an upload closes the connection: the rest is no further request', async () => {
    handler = throwing(new MirrorError('too-large', 'note', 'no'));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
    const text = Buffer.concat(await socket.toArray()).toString();
    expect(text.match(/^HTTP\/1\.1/gm)).toHaveLength(1);
    expect(text).toMatch(/^Connection: close/im);
  });

  test('of ours stands in the log with its stack, one of the client does not', async () => {
    handler = throwing(new TypeError('x is not a function'));
    await fetch(address());
    handler = throwing(new MirrorError('bad-request', 'note', 'no'));
    await fetch(address());
    const errors = log.filter(({ event }) => event === 'error');
    expect(errors).toHaveLength(1);
    expect(JSON.stringify(errors)).toMatch(/x is not a function/);
  });
});

describe('the line of a request', () => {
  test('says what was asked, by whom it came, what became of it, and no query', async () => {
    handler = (_req, res) => void res.setHeader('x-larder-served', 'hit').setHeader('content-length', 2).end('ok');
    await fetch(`${address()}/a/b?X-Amz-Signature=secret`, { headers: { 'x-request-id': 'abc-1' } });
    expect(await line()).toMatchObject({
      service: 'notes',
      id: 'abc-1',
      method: 'GET',
      path: '/a/b',
      status: 200,
      length: 2,
      served: 'hit',
      client: '127.0.0.1',
      ms: expect.any(Number),
    });
    expect(JSON.stringify(log)).not.toMatch(/secret/);
  });

  test('takes no id that could break a log', async () => {
    handler = (_req, res) => void res.end();
    const answer = await fetch(address(), { headers: { 'x-request-id': 'a b{}"' } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f]{16}$/);
  });

  test('tells a client that left apart from one that got its answer', async () => {
    handler = (_req, res) => void res.write('half');
    const asked = request(address()).end();
    const [answer] = await once(asked, 'response');
    answer.on('error', () => undefined);
    asked.destroy();
    expect(await line()).toMatchObject({ status: 200, aborted: true });
    const numbers = await telemetry.registry.metrics();
    expect(numbers).toMatch(/http_requests_total\{[^}]*status="aborted"[^}]*\} 1/);
    expect(numbers).toMatch(/http_requests_running\{[^}]*\} 0/);
  });
});
