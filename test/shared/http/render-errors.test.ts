import { connect } from 'node:net';
import type { RequestHandler } from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RenderedError } from '../../../shared/http/render-errors.ts';
import { type Kind, MirrorError } from '../../../shared/model/errors.ts';
import { notes } from '../../support/notes-service.ts';
import { spoken, startApp, type TestApp, wire } from './support.ts';

let app: TestApp;
let handler: RequestHandler;
let renderError: (error: MirrorError) => RenderedError;

beforeEach(async () => {
  renderError = ({ kind, message }) => ({ status: 418, body: { kind, message } });
  app = await startApp(
    (req, res, next) => handler(req, res, next),
    (error) => renderError(error),
  );
});
afterEach(() => app.close());

const throwing =
  (error: unknown): RequestHandler =>
  () => {
    throw error;
  };
const closing = { connection: 'close' };

describe('an error', () => {
  test.each<[string, unknown, string]>([
    ['of ours', new MirrorError('not-found', 'note', 'there is no such note'), 'not-found'],
    ['of nobody in particular', new TypeError('x is not a function'), 'internal'],
    ['of a full disk', Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }), 'out-of-space'],
    ['of a file of ours', Object.assign(new Error('EIO: /srv/larder/blob'), { code: 'EIO' }), 'internal'],
    ['of a broken address', new URIError('URI malformed'), 'bad-request'],
    ['of a body that is too large', Object.assign(new Error('too large'), { status: 413 }), 'too-large'],
    ['of a body that is broken', Object.assign(new Error('JSON'), { status: 400 }), 'bad-request'],
    ['with a status that is no fault of the client', Object.assign(new Error('x'), { status: 502 }), 'internal'],
    ['that is no error', 'a string', 'internal'],
  ])('%s is said in the words of the protocol', async (_what, thrown, kind) => {
    handler = throwing(thrown);
    const answer = await fetch(app.url);
    const text = await answer.text();
    expect([answer.status, JSON.parse(text).kind]).toEqual([418, kind]);
    expect(text).not.toMatch(/\n\s*at |not a function|\.ts:|\/srv|a string/);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test.each<[Kind, number, boolean]>([
    ['bad-request', 400, false],
    ['unauthorized', 401, false],
    ['forbidden', 403, false],
    ['not-found', 404, false],
    ['not-acceptable', 406, false],
    ['conflict', 409, false],
    ['too-large', 413, false],
    ['unsupported', 415, false],
    ['range', 416, false],
    ['not-held', 404, false],
    ['upstream-failed', 502, false],
    ['upstream-denied', 403, false],
    ['unavailable', 503, false],
    ['corrupt', 502, true],
    ['out-of-space', 507, true],
    ['internal', 500, true],
  ])('of kind %s gets the %i that the service has for it; for the operator: %s', async (kind, status, isLogged) => {
    renderError = notes.renderError;
    handler = throwing(new MirrorError(kind, 'note', 'what is wrong', { cause: new Error('the cause') }));
    const answer = await fetch(app.url);
    expect([answer.status, answer.headers.get('x-note-error')]).toEqual([status, kind]);
    expect(answer.headers.has('www-authenticate')).toBe(kind === 'unauthorized');
    expect(await answer.text()).not.toMatch(/the cause/);
    const logged = app.log.filter(({ event }) => event === 'error');
    expect(logged).toHaveLength(isLogged ? 1 : 0);
    if (isLogged) expect(JSON.stringify(logged)).toMatch(/the cause.*render-errors\.test\.ts/);
  });

  test('that a service says in plain text is text, with the fields it has for it', async () => {
    renderError = () => ({ status: 401, headers: { 'www-authenticate': 'Bearer realm="notes"' }, body: 'größer' });
    handler = throwing(new MirrorError('unauthorized', 'note', 'no'));
    const answer = await fetch(app.url);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '8',
      'www-authenticate': 'Bearer realm="notes"',
    });
    expect(await answer.text()).toBe('größer');
  });

  test('takes back the fields of the answer that was not to be', async () => {
    handler = (_req, res) => {
      res.setHeader('etag', '"a"').setHeader('content-encoding', 'gzip').setHeader('content-length', 5);
      res.setHeader('content-range', 'bytes 0-4/9').statusCode = 206;
      throw new MirrorError('unavailable', 'note', 'not now', { retryAfter: 9 });
    };
    const answer = await fetch(app.url, { headers: { 'x-request-id': 'abc-1' } });
    const names = [...answer.headers.keys()].filter((name) => !['date', 'connection', 'keep-alive'].includes(name));
    expect(names).toEqual(['cache-control', 'content-length', 'content-type', 'retry-after', 'x-request-id']);
    expect([answer.status, answer.headers.get('x-request-id')]).toEqual([418, 'abc-1']);
  });

  test.each([
    [9, '9'],
    [0, '0'],
    [undefined, null],
  ])('after which asking again makes sense in %s s says so', async (retryAfter, field) => {
    handler = throwing(new MirrorError('unavailable', 'note', 'not now', { retryAfter }));
    expect((await fetch(app.url)).headers.get('retry-after')).toBe(field);
  });
});

describe('a connection', () => {
  test('goes on after an error, for HEAD without a body and with the fields of GET', async () => {
    handler = throwing(new MirrorError('not-found', 'note', 'no'));
    const got = await spoken(app.port, wire('HEAD /a'), wire('GET /a'), wire('HEAD /a', closing));
    const answers = got.split(/(?=HTTP\/1\.1)/);
    expect(answers).toHaveLength(3);
    const [head, get] = answers.map((answer) => answer.split('\r\n\r\n') as [string, string]);
    const fields = (text: string) => text.replace(/^(x-request-id|date): .*$/gim, '');
    expect([fields(head![0]), head![1]]).toEqual([fields(get![0]), '']);
    expect(JSON.parse(get![1])).toEqual({ kind: 'not-found', message: 'no' });
  });

  test.each<[string, Record<string, string>]>([
    ['of a length', { 'content-length': '100' }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('ends with an error in the middle of an upload %s: the rest is no further request', async (_how, fields) => {
    handler = throwing(new MirrorError('too-large', 'note', 'no'));
    const got = await spoken(app.port, wire('PUT /', fields), wire('GET /smuggled'));
    expect(got.match(/^HTTP\/1\.1/gm)).toHaveLength(1);
    expect(got).toMatch(/^Connection: close/im);
    expect((await app.lines(1)).map(({ path }) => path)).toEqual(['/']);
  });

  test('is cut by an error after the headers are out: there is no second answer in the first', async () => {
    handler = (_req, res, next) => {
      res.writeHead(200, { 'content-length': 100 });
      res.write('half', () => next(new Error('the disk is gone')));
    };
    const got = await spoken(app.port, wire('GET /a'), wire('GET /b'));
    expect(got.split('\r\n\r\n')[1]).toBe('half');
    expect(app.log.filter(({ event }) => event === 'error')).toHaveLength(1);
  });

  test('whose client has left takes an error that comes later', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<(error: Error) => void>();
    handler = (_req, _res, next) => resolve(next);
    const socket = connect(app.port, '127.0.0.1');
    socket.write(wire('GET /a'));
    const fail = await asked;
    socket.destroy();
    await app.lines(1);
    fail(new Error('the disk is gone'));
    expect(app.log.filter(({ event }) => event === 'error')).toHaveLength(1);
    handler = (_req, res) => void res.end('alive');
    expect(await fetch(app.url).then((answer) => answer.text())).toBe('alive');
  });
});
