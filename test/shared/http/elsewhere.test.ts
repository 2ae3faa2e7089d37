import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { send } from '../../../shared/http/send.ts';
import type { Elsewhere } from '../../../shared/storage/delivery.ts';
import { type Loopback, serveOnLoopback, spoken, wire } from './support.ts';

const BYTES = Buffer.alloc(5000, 'b');
const ACCEL = { 'x-sendfile-type': 'X-Accel-Redirect', connection: 'close' };

let server: Loopback;
let place: Elsewhere;

beforeEach(async () => {
  const facts = { size: BYTES.length, mediaType: 'text/x-note', etag: '"1"', headers: {} };
  server = await serveOnLoopback((req, res) => {
    // as services do with a token that says nothing
    delete req.headers.authorization;
    const thing = { facts, open: async () => Readable.from([BYTES]), elsewhere: async () => place };
    send(req, res, thing).catch((error) => res.destroy(error));
  });
});
afterEach(() => server.close());

test('a token that the service took away is still on the way with its client', async () => {
  place = { url: 'http://s3.site.example:8333/a' };
  const ask = (host: string, more = {}) => spoken(server.port, wire('GET /a', { host, connection: 'close', ...more }));
  const token = { authorization: 'Bearer anonymous' };
  expect(await ask('site.example:5000', token)).toMatch(/^HTTP\/1.1 200 /);
  expect(await ask('S3.site.example', token)).toMatch(/^HTTP\/1.1 200 /);
  expect(await ask('other.example', token)).toMatch(/^HTTP\/1.1 307 /);
  expect(await ask('site.example:5000')).toMatch(/^HTTP\/1.1 307 /);
});

test('a path is given to a web server that understands it, with our fields and no body', async () => {
  place = { accel: '/larder-store/blobs/sha256/1' };
  const answer = await spoken(server.port, wire('GET /a', ACCEL));
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(answer).toContain('x-accel-redirect: /larder-store/blobs/sha256/1\r\n');
  expect(answer).toContain('etag: "1"\r\n');
  expect(answer).toContain('content-type: text/x-note\r\n');
  expect(answer).toMatch(/\r\n\r\n$/);
});

test('nobody else is given a path, and a HEAD is answered here', async () => {
  place = { accel: '/larder-store/blobs/sha256/1' };
  const direct = await spoken(server.port, wire('GET /a', { connection: 'close' }));
  expect(direct).not.toContain('x-accel-redirect');
  expect(direct.endsWith(BYTES.toString())).toBe(true);
  expect(await spoken(server.port, wire('HEAD /a', ACCEL))).toContain(`content-length: ${BYTES.length}\r\n`);
});
