import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type SendOptions, send, sendFacts } from '../../../shared/http/send.ts';
import type { Resource } from '../../../shared/mirror/resource.ts';
import type { ByteRange } from '../../../shared/model/byte-range.ts';
import { FileBody } from '../../../shared/storage/file-body.ts';
import { temporaryFolder } from '../../support/bundles.ts';

const bytes = randomBytes(3_000_001);
const etag = '"v1"';
let folder: { path: string; remove(): Promise<void> };
let server: Server;
let opened: FileBody[];
/** What stands at each path. */
let things: Record<string, Resource>;
let options: SendOptions;
const facts = { size: bytes.length, mediaType: 'application/octet-stream', etag, headers: {} };

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder.path, 'blob'), bytes);
});
afterAll(() => folder.remove());

beforeEach(async () => {
  opened = [];
  options = {};
  const fromFile = async (range: ByteRange = { start: 0, end: bytes.length - 1 }) => {
    const body = new FileBody(await open(join(folder.path, 'blob')), range);
    opened.push(body);
    return body;
  };
  const fromStream = async (range: ByteRange = { start: 0, end: bytes.length - 1 }) =>
    Readable.from([bytes.subarray(range.start, range.end + 1)], { objectMode: false });
  things = {
    '/file': { facts, served: 'hit', open: fromFile },
    '/stream': { facts, served: 'hit', open: fromStream },
    '/unsized': { facts: { ...facts, size: undefined }, served: 'miss', open: fromStream },
    '/empty': { facts: { ...facts, size: 0 }, served: 'hit', open: async () => Readable.from([]) },
  };
  server = createServer((req, res) => {
    send(req, res, things[req.url!]!, options).catch((error) => res.destroy(error));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const port = () => (server.address() as AddressInfo).port;
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`http://127.0.0.1:${port()}${path}`, { headers, method });
const bodyOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

/** Sends requests over one connection. @returns all that came until the server ended it */
async function spoken(...requests: string[]): Promise<string> {
  const socket = connect(port(), '127.0.0.1');
  const lines = requests.map((request) => `${request} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const last = lines.pop()!.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
  socket.write([...lines, last].join(''));
  return Buffer.concat(await socket.toArray()).toString('latin1');
}

describe.each(['/file', '/stream'])('%s', (path) => {
  test.each<[string | undefined, number, number, number]>([
    [undefined, 200, 0, bytes.length],
    ['bytes=0-0', 206, 0, 1],
    ['bytes=10-19', 206, 10, 20],
    ['bytes=2999999-', 206, 2_999_999, bytes.length],
    ['bytes=-5', 206, bytes.length - 5, bytes.length],
    ['bytes=-99999999', 206, 0, bytes.length],
    ['bytes=5-99999999', 206, 5, bytes.length],
    ['lines=1-2', 200, 0, bytes.length],
    ['bytes=9-1', 200, 0, bytes.length],
  ])('Range %s is answered by %i with its bytes', async (range, status, start, end) => {
    const answer = await ask(path, range ? { range } : {});
    expect([answer.status, answer.headers.get('content-length')]).toEqual([status, String(end - start)]);
    const part = status === 206 ? `bytes ${start}-${end - 1}/${bytes.length}` : null;
    expect(answer.headers.get('content-range')).toBe(part);
    expect((await bodyOf(answer)).equals(bytes.subarray(start, end))).toBe(true);
  });

  test('several ranges come as parts, each with its place, in the order asked', async () => {
    const answer = await ask(path, { range: 'bytes=100-199,0-1,-3' });
    const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(answer.headers.get('content-type')!)![1];
    const body = await bodyOf(answer);
    expect(body.length).toBe(Number(answer.headers.get('content-length')));
    const part = (start: number, end: number) =>
      `--${boundary}\r\nContent-Type: ${facts.mediaType}\r\nContent-Range: bytes ${start}-${end}/${bytes.length}\r\n\r\n${bytes.subarray(start, end + 1).toString('latin1')}\r\n`;
    const size = bytes.length;
    expect(body.toString('latin1')).toBe(
      `${part(100, 199)}${part(0, 1)}${part(size - 3, size - 1)}--${boundary}--\r\n`,
    );
  });

  test('a range beyond the end is refused with the size', async () => {
    const answer = await ask(path, { range: `bytes=${bytes.length}-` });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([416, `bytes */${bytes.length}`]);
    expect((await bodyOf(answer)).length).toBe(0);
  });
});

describe('conditions', () => {
  test.each<[Record<string, string>, number]>([
    [{ 'if-none-match': etag }, 304],
    [{ 'if-none-match': `"other", ${etag}` }, 304],
    [{ 'if-none-match': etag, range: 'bytes=0-1' }, 304],
    [{ 'if-none-match': '"other"' }, 200],
    [{ 'if-match': '"other"' }, 412],
    [{ range: 'bytes=0-1', 'if-range': etag }, 206],
    [{ range: 'bytes=0-1', 'if-range': '"other"' }, 200],
    [{ range: 'bytes=99999999-', 'if-range': '"other"' }, 200],
  ])('%j → %i', async (headers, status) => {
    const answer = await ask('/file', headers);
    await answer.arrayBuffer();
    expect(answer.status).toBe(status);
    expect(answer.headers.get('etag')).toBe(etag);
  });

  test('what is not sent is not opened', async () => {
    await ask('/file', { 'if-none-match': etag });
    await ask('/file', { range: 'bytes=99999999-' });
    await ask('/file', {}, 'HEAD');
    expect(opened).toHaveLength(0);
  });
});

describe('HEAD', () => {
  const own = ['date', 'connection', 'keep-alive'];
  const fields = (answer: Response) => [answer.status, ...[...answer.headers].filter(([name]) => !own.includes(name))];

  test.each(['/file', '/stream', '/empty'])('of %s has the fields of GET and no body', async (path) => {
    options = { cacheControl: 'max-age=5', vary: 'accept', headers: { 'x-own': '1' } };
    const [head, get] = [await ask(path, {}, 'HEAD'), await ask(path)];
    await get.arrayBuffer();
    expect(fields(head)).toEqual(fields(get));
  });

  test('takes no notice of Range, as the specification has it', async () => {
    const answer = await ask('/file', { range: 'bytes=0-1' }, 'HEAD');
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
  });

  test('is answered from facts alone where there is nothing to open', async () => {
    const alone = createServer((req, res) => void sendFacts(req, res, facts)).listen(0, '127.0.0.1');
    await once(alone, 'listening');
    const answer = await fetch(`http://127.0.0.1:${(alone.address() as AddressInfo).port}`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
    alone.closeAllConnections();
    alone.close();
  });
});

describe('a connection', () => {
  test('goes on after answers without a body', async () => {
    const conditional = `GET /file HTTP/1.1\r\nHost: a\r\nIf-None-Match: ${etag}\r\n\r\n`;
    const impossible = 'GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=99999999-\r\n\r\n';
    const socket = connect(port(), '127.0.0.1');
    socket.write(`${conditional}${impossible}HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n`);
    socket.write('GET /empty HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const text = Buffer.concat(await socket.toArray()).toString('latin1');
    expect(text.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['304', '416', '200', '200'].map((status) => `HTTP/1.1 ${status}`));
    expect(text).not.toMatch(/Transfer-Encoding/i);
  });

  test('carries a body of unknown length in chunks, and no ranges of it', async () => {
    const text = await spoken('HEAD /unsized', 'GET /unsized');
    expect(text).toMatch(/Transfer-Encoding: chunked/i);
    expect(text).not.toMatch(/Accept-Ranges/i);
    expect((await ask('/unsized', { range: 'bytes=0-1' })).status).toBe(200);
  });

  test('is broken when a body fails in the middle, so that nobody takes a part for the whole', async () => {
    const open = async () => {
      const failing = new Readable({ read() {} });
      failing.push(bytes.subarray(0, 1000));
      setTimeout(() => failing.destroy(new Error('the disk is gone')), 20);
      return failing;
    };
    things['/bad'] = { facts, served: 'hit', open };
    things['/worse'] = { facts: { ...facts, size: undefined }, served: 'miss', open };
    await expect(ask('/bad').then(bodyOf)).rejects.toThrow();
    await expect(ask('/worse').then(bodyOf)).rejects.toThrow();
    await expect(ask('/bad', { range: 'bytes=5-9,7-1999999' }).then(bodyOf)).rejects.toThrow();
  });

  test('is broken when a body had failed before it was sent', async () => {
    const gone = Readable.from([]).on('error', () => undefined);
    gone.destroy(new Error('the disk is gone'));
    await new Promise((resolve) => gone.once('close', resolve));
    things['/gone'] = { facts, served: 'hit', open: async () => gone };
    await expect(ask('/gone').then(bodyOf)).rejects.toThrow();
  });

  test('that a client closes ends the reading, of a file and of a stream', async () => {
    const endless = new Readable({
      read() {
        this.push(bytes.subarray(0, 1 << 20));
      },
    });
    things['/endless'] = { facts: { ...facts, size: 1e12 }, served: 'miss', open: async () => endless };
    for (const path of ['/endless', '/file']) {
      const socket = connect(port(), '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await once(socket, 'data');
      socket.destroy();
    }
    await expect.poll(() => [endless.destroyed, ...opened.map((body) => body.destroyed)]).toEqual([true, true]);
  });
});

test('a hundred readers that are slow take little memory, and each gets its bytes', async () => {
  const before = process.memoryUsage().arrayBuffers;
  const sockets = Array.from({ length: 100 }, () => {
    const socket = connect(port(), '127.0.0.1');
    socket.write('GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    return socket.pause();
  });
  await expect.poll(() => opened).toHaveLength(100);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(120 << 20);
  const lengths = await Promise.all(sockets.map(async (socket) => Buffer.concat(await socket.toArray()).length));
  expect(lengths.every((length) => length > bytes.length && length < bytes.length + 500)).toBe(true);
});
