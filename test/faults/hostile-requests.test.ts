import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { PackageIndex } from '../support/package-index.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';
import { type BuiltFile, buildWheel } from '../support/wheels.ts';

let folder: { path: string; remove(): Promise<void> };
let origin: OriginServer;
let server: SpawnedLarder;
let wheel: BuiltFile;

beforeAll(async () => {
  folder = await temporaryFolder();
  origin = await startOriginServer();
  const index = new PackageIndex(origin);
  wheel = index.offer(buildWheel({ name: 'fine', version: '1.0', files: { 'data.bin': randomBytes(3_000_000) } }));
  server = await spawnLarder({
    store: join(folder.path, 'store'),
    env: { LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: index.url }]) },
  });
  await fetch(`${server.urls.pypi}/files/pypi/fine/${wheel.filename}`).then((answer) => answer.arrayBuffer());
});

afterAll(async () => {
  await server?.stop();
  await origin?.close();
  await folder?.remove();
});

/** Sends bytes as they are: clients of the library would put them right. */
async function raw(text: string): Promise<{ status: number; text: string; reset: boolean }> {
  const { hostname, port } = new URL(server.urls.pypi!);
  const socket = connect(Number(port), hostname);
  socket.setTimeout(5000, () => socket.destroy());
  socket.write(text);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // a connection that is reset shows in what was heard until then; a listener of its own, since `once` rejects on it
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let reset = false;
  socket.on('error', () => {
    reset = true;
  });
  await closed;
  const answer = Buffer.concat(chunks).toString('latin1');
  return { status: Number(answer.split(' ')[1]), text: answer, reset };
}

const get = (path: string, headers = '') =>
  raw(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${headers}\r\n`);

describe('an address with', () => {
  const bad: [string, string, number][] = [
    ['an encoded slash', '/simple/a%2fb/', 400],
    ['an encoded backslash', '/simple/a%5cb/', 400],
    ['dots for a segment', '/files/pypi/../../etc/passwd', 400],
    ['encoded dots', '/files/pypi/%2e%2e/%2e%2e/etc/passwd', 400],
    ['a NUL', '/simple/a%00b/', 400],
    ['a broken escape', '/simple/%zz/', 400],
    ['broken UTF-8', '/simple/%ff/', 400],
    ['a control character in the file name', '/files/pypi/fine/fine-1.0%0d%0aX:1-py3-none-any.whl', 404],
    ['a name of three thousand characters', `/simple/${'a'.repeat(3000)}/`, 404],
    ['a name with spaces', '/simple/a%20b/', 404],
    ['doubly encoded dots', '/files/pypi/fine/%252e%252e', 404],
    ['nothing behind it', '/nowhere', 404],
    ['an index that is none', '/elsewhere/simple/fine/', 404],
  ];

  test.each(bad)('%s is refused in a few words', async (_name, path, status) => {
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(answer.text).not.toMatch(/at .*\.(ts|js):\d+|node_modules|\/tmp\//);
    expect(answer.text.length).toBeLessThan(1500);
  });
});

describe('a range', () => {
  const path = () => `/files/pypi/fine/${wheel.filename}`;

  test('of ten thousand parts is answered with the whole', async () => {
    const ranges = Array.from({ length: 10_000 }, (_, index) => `${index}-${index}`).join(',');
    expect((await get(path(), `Range: bytes=${ranges.slice(0, 30_000)}\r\n`)).status).toBe(200);
  });

  test.each([
    ['bytes=99999999999999999999-', 416],
    ['bytes=-0', 416],
    ['bytes=5-1', 200],
    ['bytes=abc', 200],
    ['lines=1-2', 200],
    ['bytes=0-0,0-0,0-0,0-2999999,0-2999999', 200],
  ])('%s gives %i', async (range, status) => {
    expect((await get(path(), `Range: ${range}\r\n`)).status).toBe(status);
  });
});

describe('a request', () => {
  test.each([100_000, 1_000_000])(
    'with headers of %i bytes is refused, and the next one is answered',
    async (bytes) => {
      const refused = await get('/simple/fine/', `X-Long: ${'x'.repeat(bytes)}\r\n`);
      expect(refused.status).toBe(431);
      expect(refused.text).toContain('longer than is read here');
      expect(refused.reset).toBe(false);
      expect((await get('/simple/fine/')).status).toBe(200);
    },
  );

  test('whose client leaves in the middle of the answer is no error of ours', async () => {
    const { hostname, port } = new URL(server.urls.pypi!);
    const leave = () =>
      new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname);
        socket.on('error', () => undefined);
        socket.once('close', () => resolve());
        socket.write(`GET /files/pypi/fine/${wheel.filename} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`.repeat(20));
        socket.once('data', () => socket.resetAndDestroy());
      });
    for (let round = 0; round < 20; round += 1) await Promise.all(Array.from({ length: 8 }, leave));
    expect((await get('/simple/fine/')).status).toBe(200);
    const errors = server
      .log()
      .split('\n')
      .filter((line) => line.includes('"event":"error"'));
    expect(errors).toHaveLength(0);
  });

  test('that goes on for ever after it was refused is heard to no more than a few seconds', async () => {
    const { hostname, port } = new URL(server.urls.pypi!);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('hello\r\n\r\n');
    const more = setInterval(() => socket.writable && socket.write('more\r\n'), 50);
    const started = Date.now();
    // not to answer with an end of our own, as somebody hostile would not
    socket.allowHalfOpen = true;
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    clearInterval(more);
    expect(Date.now() - started).toBeLessThan(20_000);
  });

  test('whose body breaks in the middle is refused, and the next one is answered', async () => {
    const upload = 'POST /legacy/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n';
    const answer = await raw(`${upload}Transfer-Encoding: chunked\r\n\r\nno length\r\n`);
    expect([400, 401]).toContain(answer.status);
    expect((await get('/simple/fine/')).status).toBe(200);
  });

  test('with a Host that could break out of a page is refused', async () => {
    const answer = await raw('GET /simple/fine/ HTTP/1.1\r\nHost: a"><script>\r\nConnection: close\r\n\r\n');
    expect(answer.status).toBe(400);
  });

  test('that is no HTTP is refused', async () => {
    expect((await raw('hello\r\n\r\n')).status).toBe(400);
  });

  test('that uploads something else than a form is refused', async () => {
    const answer = await raw(
      'POST /legacy/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi',
    );
    expect(answer.status).toBe(401);
  });

  test.each(['content', 'gpg_signature'])(
    'whose form ends in its file "%s" is refused, and the next one answered',
    async (name) => {
      const store = join(folder.path, 'store');
      const token = (await larder(['token', 'create', 'ci', '--write', '--store', store])).stdout.trim();
      const body = `--b\r\nContent-Disposition: form-data; name="${name}"; filename="x-1.0.tar.gz"\r\n\r\nhalf`;
      const head = `Authorization: Basic ${Buffer.from(`__token__:${token}`).toString('base64')}\r\nContent-Type: multipart/form-data; boundary=b`;
      const post = (length: number) =>
        `POST /legacy/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${head}\r\nContent-Length: ${length}\r\n\r\n${body}`;
      expect((await raw(post(body.length))).status).toBe(400);
      expect((await get('/simple/fine/')).status).toBe(200);
    },
  );
});
