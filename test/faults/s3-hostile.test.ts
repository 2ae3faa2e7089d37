import { createHmac } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdir } from 'node:fs/promises';
import type { IncomingMessage, Server } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KEY, type Site, startSite } from '../services/s3/support.ts';
import { Wire, type Wish } from '../support/s3-wire.ts';

const Bucket = 'hostile';
let site: Site;
let wire: Wire;

beforeAll(async () => {
  site = await startSite();
  wire = new Wire(site.url, KEY);
  await site.s3.send(new CreateBucketCommand({ Bucket }));
  await site.s3.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'as it was' }));
});

const spool = () => readdir(join(site.larder.store.workDir, 'spool'));
const next = () => wire.ask({ method: 'GET', path: `/${Bucket}/kept` });

/** Whatever was asked: what was there is there, nothing is half there, and nothing of ours failed. */
afterEach(async () => {
  const { Contents } = await site.s3.send(new ListObjectsV2Command({ Bucket }));
  expect(Contents?.map(({ Key }) => Key)).toEqual(['kept']);
  expect(await next()).toMatchObject({ status: 200, text: 'as it was' });
  await expect.poll(spool).toEqual([]);
  expect(site.larder.log().filter(({ event }) => event === 'error')).toEqual([]);
});
afterAll(() => site?.close());

const deletion = (body: string | Buffer): Wish => ({
  method: 'POST',
  path: `/${Bucket}`,
  query: [['delete', '']],
  body,
});
const get = (path: string, query: [string, string][] = []): Wish => ({ method: 'GET', path, query });

describe('a document', () => {
  const LAUGHS = `<!DOCTYPE l [<!ENTITY a "ha">${'bcdefgh'
    .split('')
    .map((name, index) => `<!ENTITY ${name} "${`&${'abcdefg'[index]};`.repeat(10)}">`)
    .join('')}]>`;
  const keys = (count: number) => '<Object><Key>kept</Key></Object>'.repeat(count);
  const cases: [string, string | Buffer, string][] = [
    ['of more than 4 MiB', `<Delete>${' '.repeat(4 << 20)}${keys(1)}</Delete>`, 'MaxMessageLengthExceeded'],
    ['of 1,001 keys', `<Delete>${keys(1001)}</Delete>`, 'MalformedXML'],
    ['of 20,000 keys', `<Delete>${keys(20_000)}</Delete>`, 'MalformedXML'],
    ['of no keys', '<Delete/>', 'MalformedXML'],
    ['whose second key is none', `<Delete>${keys(1)}<Object><Ky>x</Ky></Object></Delete>`, 'MalformedXML'],
    ['whose second key is empty', `<Delete>${keys(1)}<Object><Key/></Object></Delete>`, 'MalformedXML'],
    [
      'whose second key is too long',
      `<Delete>${keys(1)}<Object><Key>${'x'.repeat(1025)}</Key></Object></Delete>`,
      'KeyTooLongError',
    ],
    ['that breaks off', `<Delete>${keys(1)}`, 'MalformedXML'],
    ['of a billion laughs', `${LAUGHS}<Delete><Object><Key>&h;</Key></Object></Delete>`, 'MalformedXML'],
    [
      'that asks for a file',
      `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><Delete><Object><Key>&a;</Key></Object></Delete>`,
      'MalformedXML',
    ],
    [
      'that is no UTF-8',
      Buffer.concat([
        Buffer.from('<Delete><Object><Key>kept'),
        Buffer.from([0xc3, 0x28]),
        Buffer.from('</Key></Object></Delete>'),
      ]),
      'MalformedXML',
    ],
    ['that hides NUL in a key', '<Delete><Object><Key>ke&#0;pt</Key></Object></Delete>', 'MalformedXML'],
  ];
  test.each(cases)('%s is refused, and nothing is deleted', async (_what, body, code) => {
    expect(await wire.ask(deletion(body))).toMatchObject({ status: 400, code });
  });

  test('that names a version that is not there deletes nothing, by either way', async () => {
    const many = await wire.ask(deletion('<Delete><Object><Key>kept</Key><VersionId>x</VersionId></Object></Delete>'));
    expect(many).toMatchObject({ status: 200, code: 'NoSuchVersion' });
    const one = site.s3.send(new DeleteObjectCommand({ Bucket, Key: 'kept', VersionId: 'x' }));
    await expect(one).rejects.toMatchObject({ name: 'NoSuchVersion' });
  });

  test('of 10,001 parts, or of more than 4 MiB, leaves the upload as it was', async () => {
    const { UploadId = '' } = await site.s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
    const of = { Bucket, Key: 'parts', UploadId };
    await site.s3.send(new UploadPartCommand({ ...of, PartNumber: 1, Body: 'x' }));
    const complete = (body: string) =>
      wire.ask({ method: 'POST', path: `/${Bucket}/parts`, query: [['uploadId', UploadId]], body });
    const parts = (count: number) =>
      Array.from(
        { length: count },
        (_, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>x</ETag></Part>`,
      ).join('');
    const document = (inner: string) => `<CompleteMultipartUpload>${inner}</CompleteMultipartUpload>`;
    expect(await complete(document(parts(10_001)))).toMatchObject({ status: 400, code: 'MalformedXML' });
    expect(await complete(document(`${' '.repeat(4 << 20)}${parts(1)}`))).toMatchObject({
      code: 'MaxMessageLengthExceeded',
    });
    expect(await complete(document('<Part><PartNumber>1e0</PartNumber><ETag>x</ETag></Part>'))).toMatchObject({
      code: 'MalformedXML',
    });
    expect(await complete(document('<Part><PartNumber>0</PartNumber><ETag>x</ETag></Part>'))).toMatchObject({
      code: 'InvalidArgument',
    });
    expect((await site.s3.send(new ListPartsCommand(of))).Parts).toHaveLength(1);
  });
});

describe('a key', () => {
  test('may have any control character but NUL, in addresses, lists and documents', async () => {
    const codes = Array.from({ length: 31 }, (_, index) => index + 1);
    const Key = `control/${String.fromCodePoint(...codes, 0x7f, 0x85, 0x2028)}`;
    await site.s3.send(new PutObjectCommand({ Bucket, Key, Body: 'odd' }));
    const path = `/${Bucket}/${encodeURIComponent(Key)
      .replaceAll('%2F', '/')
      .replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`)}`;
    expect(await wire.ask(get(path))).toMatchObject({ status: 200, text: 'odd' });
    const listed = await wire.ask(get(`/${Bucket}`, [['prefix', 'control/']]));
    const shown = [...Key].map((one) => (/[\p{Cc}\u2028]/u.test(one) ? `&#${one.codePointAt(0)};` : one)).join('');
    expect(listed.text).toContain(`<Key>${shown}</Key>`);
    const encoded = await wire.ask(
      get(`/${Bucket}`, [
        ['prefix', 'control/'],
        ['encoding-type', 'url'],
      ]),
    );
    expect(encoded.text).toContain('<Key>control/%01%02%03');
    expect(await wire.ask(deletion(`<Delete><Object><Key>${shown}</Key></Object></Delete>`))).toMatchObject({
      status: 200,
      code: undefined,
    });
    expect(await wire.ask(get(path))).toMatchObject({ code: 'NoSuchKey' });
  });

  const long = 'x'.repeat(1025);
  const cases: [string, Wish, number, string][] = [
    ['has NUL', { path: `/${Bucket}/a%00b`, body: 'x' }, 400, 'InvalidURI'],
    ['has NUL and is read', get(`/${Bucket}/a%00b`), 400, 'InvalidURI'],
    ['is no UTF-8', get(`/${Bucket}/%ff`), 400, 'InvalidURI'],
    ['has half an escape', get(`/${Bucket}/%f`), 400, 'InvalidURI'],
    ['is over 1,024 bytes', { path: `/${Bucket}/${long}`, body: 'x' }, 400, 'KeyTooLongError'],
    [
      'is over 1,024 bytes of other letters',
      { path: `/${Bucket}/${'%C3%BC'.repeat(513)}`, body: 'x' },
      400,
      'KeyTooLongError',
    ],
    [
      'is copied from, and has NUL',
      { path: `/${Bucket}/new`, headers: { 'x-amz-copy-source': `/${Bucket}/a%00b` } },
      404,
      'NoSuchKey',
    ],
    [
      'is copied from, and is no UTF-8',
      { path: `/${Bucket}/new`, headers: { 'x-amz-copy-source': `/${Bucket}/%ff` } },
      400,
      'InvalidArgument',
    ],
  ];
  test.each(cases)('that %s is refused', async (_what, wish, status, code) => {
    expect(await wire.ask(wish)).toMatchObject({ status, code });
  });

  test('of the last character there is ends no list for ever', async () => {
    const odd = ['deep/\u{10ffff}\u{10ffff}x', 'deep/a'];
    for (const Key of odd) await site.s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
    const { CommonPrefixes, IsTruncated } = await site.s3.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }));
    expect([CommonPrefixes, IsTruncated]).toEqual([[{ Prefix: 'deep/' }], false]);
    for (const Key of odd) await site.s3.send(new DeleteObjectCommand({ Bucket, Key }));
  });
});

describe('a query', () => {
  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('of "%s" is nothing special', async (name) => {
    expect(await wire.ask(get(`/${Bucket}/kept`, [[name, '1']]))).toMatchObject({ status: 200, text: 'as it was' });
  });

  const cases: [string, [string, string][], string][] = [
    ['a field with a line break', [['response-content-disposition', 'x\r\nset-cookie: a=b']], 'InvalidArgument'],
    ['a field with a control character', [['response-content-type', 'x\u0001']], 'InvalidArgument'],
    ['a field in letters that fields have not', [['response-content-type', '日本']], 'InvalidArgument'],
    ['two signatures', [['X-Amz-Algorithm', 'AWS4-HMAC-SHA256']], 'InvalidArgument'],
    [
      'a part that is none',
      [
        ['partNumber', '0'],
        ['partNumber', '1'],
      ],
      'InvalidArgument',
    ],
  ];
  test.each(cases)('with %s is refused, whatever comes behind it', async (_what, query, code) => {
    const answer = await wire.ask(get(`/${Bucket}/kept`, query));
    expect(answer).toMatchObject({ status: 400, code });
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});

describe('a form', () => {
  const policy = Buffer.from(
    JSON.stringify({
      expiration: '2099-01-01T00:00:00Z',
      conditions: [{ bucket: Bucket }, ['starts-with', '$key', ''], ['starts-with', '$x-amz-meta-a', '']],
    }),
  ).toString('base64');
  const signature = createHmac('sha1', KEY.secretAccessKey).update(policy).digest('base64');
  const part = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const signedFor = (fields: Record<string, string>) =>
    Object.entries({ AWSAccessKeyId: KEY.accessKeyId, policy, signature, ...fields })
      .map(([name, value]) => part(name, value))
      .join('');
  const FILE = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nDATA';
  const posted = (body: string, length = Buffer.byteLength(body)) => [
    `POST /${Bucket} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\n\r\n`,
    body,
  ];

  const cases: [string, string, string][] = [
    ['ends in its file', `${signedFor({ key: 'new' })}${FILE}`, 'MalformedPOSTRequest'],
    ['ends behind its file', `${signedFor({ key: 'new' })}${FILE}\r\n`, 'MalformedPOSTRequest'],
    ['ends in the file of nobody', FILE, 'InvalidArgument'],
    [
      'ends in a file of another name',
      `${signedFor({ key: 'new' })}${FILE.replace('"file"', '"other"')}`,
      'MalformedPOSTRequest',
    ],
    [
      'has parts without names',
      '--b\r\nContent-Disposition: form-data; filename="f"\r\n\r\nDATA\r\n--b--\r\n',
      'InvalidArgument',
    ],
    [
      'brings a field of its own',
      `${signedFor({ key: 'new', 'x-amz-meta-a': 'x\r\nSet-Cookie: a=b' })}${FILE}\r\n--b--\r\n`,
      'InvalidArgument',
    ],
    ['has NUL in its key', `${signedFor({ key: 'n\0w' })}${FILE}\r\n--b--\r\n`, 'InvalidURI'],
    ['has a key of 1,025 bytes', `${signedFor({ key: 'x'.repeat(1025) })}${FILE}\r\n--b--\r\n`, 'KeyTooLongError'],
    [
      'has 300 fields',
      `${'abc'
        .repeat(100)
        .split('')
        .map((name, index) => part(name + index, 'x'))
        .join('')}${FILE}\r\n--b--\r\n`,
      'MalformedPOSTRequest',
    ],
  ];
  test.each(cases)('that %s is refused, and nothing of it is kept', async (_what, body, code) => {
    const [answer] = await wire.exchange(posted(body));
    expect(answer).toMatchObject({ status: 400, code });
  });

  test('that breaks off leaves nothing behind, with the process still there', async () => {
    await wire.exchange(posted(`${signedFor({ key: 'new' })}${FILE}`, 1 << 20), { cut: true });
    await wire.exchange(posted(FILE, 1 << 20), { cut: true });
    expect((await next()).status).toBe(200);
  });

  test('may say of its object what letters it likes', async () => {
    const [answer] = await wire.exchange(
      posted(`${signedFor({ key: 'new', 'x-amz-meta-a': '日本' })}${FILE}\r\n--b--\r\n`),
    );
    expect(answer!.status).toBe(204);
    const { Metadata } = await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'new' }));
    expect(Buffer.from(Metadata!.a!, 'latin1').toString()).toBe('日本');
    await site.s3.send(new DeleteObjectCommand({ Bucket, Key: 'new' }));
  });
});

describe('a connection', () => {
  const put = (more: Partial<Wish> = {}): Wish => ({ path: `/${Bucket}/new`, body: 'hello', ...more });
  const wrong = { ...KEY, secretAccessKey: 'wrong' };

  test('that is cut in the middle of a body leaves nothing behind', async () => {
    const half = Buffer.alloc(3 << 20);
    const whole = String(6 << 20);
    await wire.exchange(
      [wire.signed(put({ payload: 'UNSIGNED-PAYLOAD', headers: { 'content-length': whole } })).head, half],
      { cut: true },
    );
    const chunked = put({
      payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      headers: { 'x-amz-decoded-content-length': whole, 'content-length': whole },
    });
    await wire.exchange([wire.signed(chunked).head, '600000\r\n', half], { cut: true });
    await expect.poll(spool).toEqual([]);
  });

  test('on which a body stands still is closed after a while, and nothing is kept', async () => {
    const seen: { request: IncomingMessage; server: Server }[] = [];
    const see = (message: unknown) => void seen.push(message as (typeof seen)[0]);
    subscribe('http.server.request.start', see);
    const socket = connect(Number(new URL(site.url).port), '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.write(wire.signed(put({ payload: 'UNSIGNED-PAYLOAD', headers: { 'content-length': '1000000' } })).head);
    // more than what waits in memory
    socket.write(Buffer.alloc(200_000));
    await expect.poll(spool).toHaveLength(1);
    unsubscribe('http.server.request.start', see);
    const { server, request } = seen.find(({ request: { url } }) => url === `/${Bucket}/new`)!;
    expect(server.timeout).toBe(300_000);
    expect(server.headersTimeout).toBe(60_000);
    // five minutes are over
    request.socket.setTimeout(50);
    await closed;
    await expect.poll(spool).toEqual([]);
  });

  test('goes on, or is closed, after an early no, and what follows is answered as itself', async () => {
    const follow = wire.signed(get(`/${Bucket}/kept`)).head.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n');
    for (const size of [0, 10, 100_000, 3 << 20]) {
      const body = Buffer.from(`GET /${Bucket}/kept HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(1 + size / 20).slice(0, size));
      const [no, after, ...more] = await wire.exchange([wire.signed(put({ body, key: wrong })).head, body, follow]);
      expect(no).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
      // what stands in a body is never taken for a request
      expect(more).toEqual([]);
      if (after) expect(after).toMatchObject({ status: 200, text: 'as it was' });
      else expect(no!.headers.connection).toBe('close');
    }
  });

  test('tells also who sends all of a body before reading what was wrong with it', async () => {
    const body = Buffer.alloc(24 << 20);
    const answer = await wire.afterwards([wire.signed(put({ body, key: wrong })).head, body]);
    expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    const headers = { 'x-amz-decoded-content-length': String(body.length) };
    const broken = Buffer.concat([Buffer.from('5\r\nhello\r\nno size\r\n'), body]);
    const wish = put({ payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', headers, body: broken });
    expect(await wire.afterwards([wire.signed(wish).head, broken])).toMatchObject({ code: 'IncompleteBody' });
    const long = await wire.afterwards([wire.signed(deletion(body)).head, body]);
    expect(long).toMatchObject({ code: 'MaxMessageLengthExceeded' });
  });

  test('takes ten requests at once, errors among them, and answers in their order', async () => {
    const wishes = Array.from({ length: 10 }, (_, index) => get(`/${Bucket}/${index % 2 ? 'none' : 'kept'}`));
    const answers = await wire.exchange([wishes.map((wish) => wire.signed(wish).head).join('')], { count: 10 });
    expect(answers.map(({ status }) => status)).toEqual(wishes.map((_, index) => (index % 2 ? 404 : 200)));
  });

  test('hears no word to go on before a no: of a wrong key, a wrong condition, a bucket that is not there', async () => {
    const waiting = (more: Partial<Wish>) =>
      put({ ...more, headers: { 'content-length': '1000000', ...more.headers } });
    const asked = async (wish: Wish) =>
      (await wire.exchange([wire.signed(wish).head.replace('\r\n\r\n', '\r\nexpect: 100-continue\r\n\r\n')])).map(
        ({ status, code }) => [status, code],
      );
    expect(await asked(waiting({ key: wrong }))).toEqual([[403, 'SignatureDoesNotMatch']]);
    expect(await asked(waiting({ at: Date.now() - 1_000_000 }))).toEqual([[403, 'RequestTimeTooSkewed']]);
    expect(await asked(waiting({ path: `/${Bucket}/kept`, headers: { 'if-none-match': '*' } }))).toEqual([
      [412, 'PreconditionFailed'],
    ]);
    expect(await asked(waiting({ path: '/no-such-bucket/x' }))).toEqual([[404, 'NoSuchBucket']]);
    expect(await asked(waiting({ headers: { 'content-length': '9000000000' } }))).toEqual([[400, 'EntityTooLarge']]);
  });

  test('gets no body with a HEAD, whatever is wrong', async () => {
    const head = (wish: Wish) => wire.ask({ ...wish, method: 'HEAD' });
    for (const [wish, status] of [
      [{ path: `/${Bucket}/none` }, 404],
      [{ path: '/no-such-bucket' }, 404],
      [{ path: `/${Bucket}/kept`, key: wrong }, 403],
      [{ path: `/${Bucket}/%ff` }, 400],
      [{ path: `/${Bucket}/kept`, headers: { range: 'bytes=100-' } }, 416],
      [{ path: `/${Bucket}/kept`, headers: { 'if-match': 'x' } }, 412],
    ] as [Wish, number][]) {
      expect(await head(wish)).toMatchObject({ status, text: '' });
    }
  });

  test('may bring 50,000 chunks of a byte', async () => {
    const body = `${'1\r\na\r\n'.repeat(50_000)}0\r\n\r\n`;
    const headers = { 'x-amz-decoded-content-length': '50000' };
    const wish = put({ payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', headers, body });
    expect((await wire.ask(wish)).status).toBe(200);
    expect((await wire.ask(get(`/${Bucket}/new`))).text).toBe('a'.repeat(50_000));
    await site.s3.send(new DeleteObjectCommand({ Bucket, Key: 'new' }));
  });

  test.each([
    ['two lengths', 'PUT /hostile/new HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    [
      'a length and pieces',
      'PUT /hostile/new HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a field in a field', 'GET /hostile/kept HTTP/1.1\r\nHost: x\r\nx-amz-date: a\rb\r\n\r\n'],
    ['no host', 'GET /hostile/kept HTTP/1.1\r\n\r\n'],
  ])('with %s is refused and closed', async (_what, text) => {
    const [answer] = await wire.exchange([text]);
    expect(answer).toMatchObject({ status: 400, headers: { connection: 'close' } });
  });
});
