import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { EngineBody } from '../../../shared/storage/engine-body.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { makeCertificate } from '../../support/tls.ts';

const BYTES = randomBytes(9_000_000);
const ALL = { start: 0, end: BYTES.length - 1 };
const HEAD = headOf(ALL);

function headOf({ start, end }: { start: number; end: number }, more = ''): string {
  return `HTTP/1.1 206 Partial Content\r\nContent-Length: ${end - start + 1}\r\nContent-Range: bytes ${start}-${end}/${BYTES.length}\r\nETag: "e"\r\n${more}\r\n`;
}

/** Answers every connection as the test says, once a request is there. */
let engine: Server;
let answer: (socket: Socket, request: string) => unknown;
let connections: Socket[];
let url: string;

function speak(socket: Socket): void {
  connections.push(socket);
  socket.on('error', () => undefined);
  let request = '';
  socket.on('data', (chunk) => {
    request += chunk.toString('latin1');
    if (request.endsWith('\r\n\r\n')) answer(socket, request);
  });
}

beforeEach(async () => {
  connections = [];
  answer = (socket) => socket.end(Buffer.concat([Buffer.from(HEAD), BYTES]));
  engine = createServer(speak).listen(0, '127.0.0.1');
  await once(engine, 'listening');
  url = `http://127.0.0.1:${(engine.address() as { port: number }).port}/bucket/a%20key?X-Amz-Signature=1`;
});
afterEach(() => {
  for (const socket of connections) socket.destroy();
  engine.close();
});

/** Everything that the body writes; buffers are used again, so each chunk is copied. */
async function written(body: EngineBody, pause: () => Promise<unknown> = async () => undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await body.writeTo(async (chunk) => {
    await pause();
    chunks.push(Buffer.from(chunk));
  });
  return Buffer.concat(chunks);
}

const breath = () => new Promise((resolve) => setImmediate(resolve));

describe('a large part of an object', () => {
  test('writes itself, and is a stream like any other', async () => {
    expect((await written((await EngineBody.open(url, ALL)).body)).equals(BYTES)).toBe(true);
    const chunks = await (await EngineBody.open(url, ALL)).body.toArray();
    expect(Buffer.concat(chunks).equals(BYTES)).toBe(true);
  });

  test('is asked for as its address was signed, and its fields are told', async () => {
    let asked = '';
    const range = { start: 5, end: 2_000_004 };
    answer = (socket, request) => {
      asked = request;
      socket.end(Buffer.concat([Buffer.from(headOf(range)), BYTES.subarray(5, 2_000_005)]));
    };
    const { fields, body } = await EngineBody.open(url, range);
    expect((await written(body)).equals(BYTES.subarray(5, 2_000_005))).toBe(true);
    expect(fields).toMatchObject({ etag: '"e"', 'content-range': `bytes 5-2000004/${BYTES.length}` });
    expect(asked.split('\r\n').slice(0, 3)).toEqual([
      'GET /bucket/a%20key?X-Amz-Signature=1 HTTP/1.1',
      `Host: ${new URL(url).host}`,
      'Range: bytes=5-2000004',
    ]);
  });

  test.each([
    ['byte by byte at first', 1, 400],
    ['in small pieces', 1000, Number.POSITIVE_INFINITY],
    ['in odd pieces', 777_777, Number.POSITIVE_INFINITY],
  ])('comes right when it arrives %s', async (_how, size, most) => {
    const all = Buffer.concat([Buffer.from(HEAD), BYTES]);
    answer = async (socket) => {
      socket.setNoDelay(true);
      let at = 0;
      for (let turn = 0; turn < most && at < all.length; turn += 1, at += size) {
        if (!socket.write(all.subarray(at, at + size))) await once(socket, 'drain');
        if (size < 1000) await breath();
      }
      socket.end(all.subarray(at));
    };
    expect((await written((await EngineBody.open(url, ALL)).body)).equals(BYTES)).toBe(true);
  });

  test('waits for a reader that is slow, and takes two buffers of memory, not the object', async () => {
    let sent = 0;
    const size = 64 << 20;
    const range = { start: 0, end: size - 1 };
    answer = async (socket) => {
      socket.write(headOf(range));
      const piece = Buffer.alloc(1 << 20, 'p');
      for (; sent < size && !socket.destroyed; sent += piece.length)
        if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve));
    };
    const { body } = await EngineBody.open(url, range);
    let read = 0;
    const stuck = Promise.withResolvers<void>();
    const reading = body.writeTo(async (chunk) => {
      read += chunk.length;
      if (read === chunk.length) await stuck.promise;
    });
    // what is under way fits into the buffers of the system and ours: it comes to a stand
    for (let last = -1; sent !== last || sent === 0; await new Promise((resolve) => setTimeout(resolve, 100)))
      last = sent;
    expect(sent).toBeLessThan(size);
    stuck.resolve();
    await reading;
    expect(read).toBe(size);
  });

  test('comes right to readers that are sometimes quick and sometimes slow', async () => {
    let turn = 0;
    const pause = async () => {
      turn += 1;
      if (turn % 3 === 0) for (let times = 0; times < turn % 7; times += 1) await breath();
    };
    expect((await written((await EngineBody.open(url, ALL)).body, pause)).equals(BYTES)).toBe(true);
  });

  test('comes right over TLS', async () => {
    const folder = await temporaryFolder();
    const certificate = await makeCertificate(folder.path);
    const usual = getCACertificates('default');
    setDefaultCACertificates([...usual, certificate.cert]);
    const secure = createTlsServer(certificate, speak).listen(0, '127.0.0.1');
    onTestFinished(async () => {
      setDefaultCACertificates(usual);
      secure.close();
      await folder.remove();
    });
    await once(secure, 'listening');
    const { port } = secure.address() as { port: number };
    const { body } = await EngineBody.open(`https://localhost:${port}/a`, ALL);
    expect((await written(body)).equals(BYTES)).toBe(true);
    // nobody whom we do not trust
    setDefaultCACertificates(usual);
    await expect(EngineBody.open(`https://localhost:${port}/a`, ALL)).rejects.toMatchObject({ kind: 'unavailable' });
  });
});

describe('what goes wrong is an error, never a short body that looks whole', () => {
  test('a connection that is cut in the middle', async () => {
    answer = (socket) => socket.end(Buffer.concat([Buffer.from(HEAD), BYTES.subarray(0, 5_000_000)]));
    const { body } = await EngineBody.open(url, ALL);
    await expect(written(body)).rejects.toThrow(/the engine broke off in the middle of an object/);
    expect(body.destroyed).toBe(true);
  });

  test('the same for those who read it as a stream', async () => {
    answer = (socket) => {
      socket.write(Buffer.concat([Buffer.from(HEAD), BYTES.subarray(0, 5_000_000)]));
      socket.resetAndDestroy();
    };
    const reading = EngineBody.open(url, ALL).then(({ body }) => body.toArray());
    await expect(reading).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('an engine that falls silent', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), BYTES.subarray(0, 5_000_000)]));
    const { body } = await EngineBody.open(url, ALL, 150);
    await expect(written(body)).rejects.toThrow(/broke off .*silent for 150 ms/);
  });

  test('an engine that never begins', async () => {
    answer = () => undefined;
    await expect(EngineBody.open(url, ALL, 150)).rejects.toThrow(/gave no answer \(silent for 150 ms\)/);
  });

  test('an engine that is not there', async () => {
    const nobody = createServer().listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const { port } = nobody.address() as { port: number };
    nobody.close();
    await once(nobody, 'close');
    await expect(EngineBody.open(`http://127.0.0.1:${port}/a`, ALL)).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('silence is not the engine’s while the reader is slow', async () => {
    const { body } = await EngineBody.open(url, ALL, 1500);
    const pause = () => new Promise((resolve) => setTimeout(resolve, 2000));
    let turn = 0;
    expect((await written(body, async () => (turn++ === 1 ? pause() : undefined))).equals(BYTES)).toBe(true);
  });

  test('bytes behind the end are nobody’s', async () => {
    answer = (socket) => socket.end(Buffer.concat([Buffer.from(HEAD), BYTES, Buffer.alloc(1000, '!')]));
    expect((await written((await EngineBody.open(url, ALL)).body)).equals(BYTES)).toBe(true);
  });

  test.each([
    ['an error', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'],
    ['the whole in place of a part', `HTTP/1.1 200 OK\r\nContent-Length: ${BYTES.length}\r\n\r\n`],
    ['another part', headOf({ start: 1, end: BYTES.length - 1 })],
    ['another length', HEAD.replace(/Content-Length: \d+/, 'Content-Length: 5')],
    ['no length', HEAD.replace(/Content-Length: \d+\r\n/, '')],
    ['two lengths', headOf(ALL, `Content-Length: ${BYTES.length}\r\n`)],
    ['chunks', headOf(ALL, 'Transfer-Encoding: chunked\r\n')],
    ['a coding', headOf(ALL, 'Content-Encoding: gzip\r\n')],
    ['HTTP/1.0', HEAD.replace('1.1', '1.0')],
    ['a field that is none', headOf(ALL, 'no field\r\n')],
    ['words first', `HTTP/1.1 100 Continue\r\n\r\n${HEAD}`],
    ['no HTTP at all', `SSH-2.0-OpenSSH\r\n\r\n`],
    ['a head without end', `HTTP/1.1 206 OK\r\n${'x: y\r\n'.repeat(30_000)}`],
  ])('%s is left to a whole HTTP client', async (_what, head) => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(head), BYTES]));
    await expect(EngineBody.open(url, ALL)).rejects.toThrow('not a plain answer');
  });
});

describe('a reader that leaves', () => {
  test('ends the connection to the engine', async () => {
    const { body } = await EngineBody.open(url, ALL);
    const closed = new Promise((resolve) => connections[0]!.once('close', resolve));
    const failed = new Error('the client left');
    await expect(written(body, () => Promise.reject(failed))).rejects.toBe(failed);
    await closed;
  });

  test('also while it waits for more', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), BYTES.subarray(0, 10)]));
    const { body } = await EngineBody.open(url, ALL);
    const closed = new Promise((resolve) => connections[0]!.once('close', resolve));
    const reading = written(body, async () => void setImmediate(() => body.destroy()));
    await expect(reading).rejects.toThrow();
    await closed;
  });
});
