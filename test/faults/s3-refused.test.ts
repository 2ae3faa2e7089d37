import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Algorithm, fieldOf, startChecksum } from '../../services/s3/body/checksums.ts';
import { presignUrl } from '../../shared/storage/sigv4.ts';
import { KEY, type Site, startSite } from '../services/s3/support.ts';
import { type Answer, frames, sha256, Wire, type Wish } from '../support/s3-wire.ts';

const Bucket = 'refused';
const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
const SIGNED_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
const UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

let site: Site;
let wire: Wire;

beforeAll(async () => {
  site = await startSite({ public: ['*-open'] });
  wire = new Wire(site.url, KEY);
  await site.s3.send(new CreateBucketCommand({ Bucket }));
  await site.s3.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'as it was' }));
});

/** Whatever was asked: nothing is lost, nothing is half there, and nothing of ours failed. */
afterEach(async () => {
  const { Contents } = await site.s3.send(new ListObjectsV2Command({ Bucket }));
  expect(Contents?.map(({ Key }) => Key)).toEqual(['kept']);
  expect((await wire.ask({ method: 'GET', path: `/${Bucket}/kept` })).text).toBe('as it was');
  await expect.poll(() => readdir(join(site.larder.store.workDir, 'spool'))).toEqual([]);
  expect(site.larder.log().filter(({ event }) => event === 'error')).toEqual([]);
});
afterAll(() => site?.close());

/** Asks, and asks for something else on the same connection: the answer to that must be its own, if there is one. */
async function refused(wish: Wish): Promise<Answer> {
  const next = wire
    .signed({ method: 'GET', path: `/${Bucket}/kept` })
    .head.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n');
  const [answer, after, ...more] = await wire.exchange([wire.signed(wish).head, wish.body ?? '', next], {});
  expect(more).toEqual([]);
  if (after) expect(after).toMatchObject({ status: 200, text: 'as it was' });
  else expect(answer!.headers.connection).toBe('close');
  return answer!;
}

const put = (more: Partial<Wish>): Wish => ({ method: 'PUT', path: `/${Bucket}/new`, body: 'hello', ...more });
const post = (query: string, body: string | Buffer, headers = {}): Wish => ({
  method: 'POST',
  path: `/${Bucket}`,
  query: [[query, '']],
  body,
  headers,
});

async function sumOf(algorithm: Algorithm, bytes: string): Promise<string> {
  const checksum = await startChecksum(algorithm);
  checksum.update(Buffer.from(bytes));
  return checksum.digest();
}

const md5 = (text: string) => createHash('md5').update(text).digest('base64');

describe.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('a wrong %s', (algorithm) => {
  const field = fieldOf(algorithm);

  test('in front of a body or of a document', async () => {
    const headers = { [field]: await sumOf(algorithm, 'other') };
    expect(await refused(put({ headers }))).toMatchObject({ status: 400, code: 'BadDigest' });
    const document = '<Delete><Object><Key>kept</Key></Object></Delete>';
    expect(await refused(post('delete', document, headers))).toMatchObject({ status: 400, code: 'BadDigest' });
    expect(await refused(put({ headers: { [field]: 'AAA' } }))).toMatchObject({ code: 'InvalidRequest' });
    expect(await refused(post('delete', document, { [field]: 'AAA' }))).toMatchObject({ code: 'InvalidRequest' });
  });

  test('behind a body, its chunks signed or not', async () => {
    const headers = { 'x-amz-trailer': field, 'x-amz-decoded-content-length': '5' };
    const [wrong, right] = [await sumOf(algorithm, 'other'), await sumOf(algorithm, 'hello')];
    const plain = (value: string) =>
      put({ payload: UNSIGNED_TRAILER, headers, body: `5\r\nhello\r\n0\r\n${field}:${value}\r\n\r\n` });
    expect(await refused(plain(wrong))).toMatchObject({ status: 400, code: 'BadDigest' });
    expect(await refused(plain('x'))).toMatchObject({ code: 'InvalidRequest' });
    expect(await refused({ ...plain(right), body: '5\r\nhello\r\n0\r\n\r\n' })).toMatchObject({
      code: 'MalformedTrailerError',
    });
    const signed = await inChunks(['hello', ''], {
      payload: SIGNED_TRAILER,
      headers,
      rest: (trailer) => `${field}:${wrong}\r\nx-amz-trailer-signature:${trailer(`${field}:${wrong}\n`)}\r\n\r\n`,
    });
    expect(signed).toMatchObject({ status: 400, code: 'BadDigest' });
    const forged = await inChunks(['hello', ''], {
      payload: SIGNED_TRAILER,
      headers,
      rest: (trailer) => `${field}:${right}\r\nx-amz-trailer-signature:${trailer(`${field}:${wrong}\n`)}\r\n\r\n`,
    });
    expect(forged).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
  });
});

describe('what a request says of its body', () => {
  const cases: [string, Wish, number, string][] = [
    ['another MD5', put({ headers: { 'content-md5': md5('other') } }), 400, 'BadDigest'],
    ['no MD5 at all', put({ headers: { 'content-md5': 'YWJj' } }), 400, 'InvalidDigest'],
    ['another MD5 of a document', post('delete', '<Delete/>', { 'content-md5': md5('x') }), 400, 'BadDigest'],
    ['no MD5 of a document', post('delete', '<Delete/>', { 'content-md5': 'x' }), 400, 'InvalidDigest'],
    ['another sha256', put({ payload: sha256('other') }), 400, 'XAmzContentSHA256Mismatch'],
    [
      'another sha256 of a document',
      { ...post('delete', '<Delete/>'), payload: sha256('x') },
      400,
      'XAmzContentSHA256Mismatch',
    ],
    [
      'another sha256 of a bucket',
      { path: '/another', body: '<CreateBucketConfiguration/>', payload: sha256('x') },
      400,
      'XAmzContentSHA256Mismatch',
    ],
    ['the name of something else', put({ payload: 'constructor' }), 400, 'InvalidArgument'],
    ['an algorithm that there is not', put({ headers: { 'x-amz-checksum-crc7': 'AA==' } }), 400, 'InvalidRequest'],
    [
      'two checksums',
      put({ headers: { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' } }),
      400,
      'InvalidRequest',
    ],
    [
      'a trailer that is none of ours',
      put({
        payload: UNSIGNED_TRAILER,
        headers: { 'x-amz-trailer': 'x-amz-meta-a', 'x-amz-decoded-content-length': '5' },
      }),
      400,
      'InvalidRequest',
    ],
    [
      'chunks, and it is a document',
      { ...post('delete', '0\r\n\r\n'), payload: UNSIGNED_TRAILER },
      501,
      'NotImplemented',
    ],
  ];
  test.each(cases)('and it is %s', async (_what, wish, status, code) => {
    expect(await refused(wish)).toMatchObject({ status, code });
  });
});

describe('who signs', () => {
  const QUARTER = 900_000;
  const cases: [string, Wish, number, string][] = [
    ['with a wrong secret', put({ key: { ...KEY, secretAccessKey: 'other' } }), 403, 'SignatureDoesNotMatch'],
    ['with an unknown key', put({ key: { ...KEY, accessKeyId: 'nobody' } }), 403, 'InvalidAccessKeyId'],
    ['by a clock that is late', put({ at: Date.now() - QUARTER - 60_000 }), 403, 'RequestTimeTooSkewed'],
    ['by a clock that is early', put({ at: Date.now() + QUARTER + 60_000 }), 403, 'RequestTimeTooSkewed'],
  ];
  test.each(cases)('%s is refused in front of a body', async (_how, wish, status, code) => {
    const answer = await refused(wish);
    expect(answer).toMatchObject({ status, code });
    if (code === 'RequestTimeTooSkewed') expect(answer.text).toMatch(/<MaxAllowedSkewMilliseconds>900000</);
  });

  test('an address that is over, or that is signed twice, is refused by both versions', async () => {
    const key = { ...KEY, region: 'us-east-1', service: 's3' };
    const wish = { method: 'PUT', endpoint: site.url, path: `/${Bucket}/new`, expires: 60, now: Date.now() };
    const over = await fetch(presignUrl({ ...wish, now: Date.now() - 61_000 }, key), { method: 'PUT', body: 'x' });
    expect([over.status, await over.text()]).toEqual([
      403,
      expect.stringContaining('<Code>AccessDenied</Code><Message>Request has expired'),
    ]);
    const longer = await fetch(`${presignUrl(wish, key)}&X-Amz-Expires=600000`, { method: 'PUT', body: 'x' });
    expect([longer.status, await longer.text()]).toEqual([403, expect.stringContaining('SignatureDoesNotMatch')]);
    const old = `${site.url}/${Bucket}/kept?AWSAccessKeyId=${KEY.accessKeyId}&Signature=x&Expires=1700000000`;
    expect(await (await fetch(old)).text()).toContain('Request has expired');
  });

  test('chunks needs version 4: what stands around them would become the object', async () => {
    const body = `5;chunk-signature=${'0'.repeat(64)}\r\nhello\r\n0;chunk-signature=${'0'.repeat(64)}\r\n\r\n`;
    const answer = await fetch(`${site.url}/${Bucket}/new`, {
      method: 'PUT',
      body,
      headers: { 'x-amz-content-sha256': SIGNED },
    });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('InvalidArgument')]);
  });

  test('for a bucket in a bucket’s name reads nothing of the outer one', async () => {
    const answer = await fetch(`${site.url}/${Bucket}%2Fx-open/y`);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('InvalidBucketName')]);
  });
});

/** Sends chunks in a request that says of itself what `more` says; `change` has the frames as they would be right. */
async function inChunks(
  chunks: string[],
  more: {
    payload: string;
    headers?: Record<string, string>;
    path?: string;
    change?(framed: Buffer[]): (Buffer | string)[];
    rest?(trailer: (lines: string) => string): string;
  },
): Promise<Answer> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const wish = (body: Buffer | string): Wish => ({
    ...put({ payload: more.payload, body, ...(more.path ? { path: more.path } : {}) }),
    headers: { 'x-amz-decoded-content-length': String(length), ...more.headers },
  });
  const bodyOf = (seed: ReturnType<Wire['signed']>['seed']) => {
    const { frames: framed, trailer } = frames(chunks, seed);
    const pieces = (more.change?.(framed) ?? framed).map((piece) => Buffer.from(piece));
    return Buffer.concat([...pieces, Buffer.from(more.rest?.(trailer) ?? '\r\n')]);
  };
  // its length is not signed, and does not hang on what the signatures are
  const at = Date.now();
  const { seed } = wire.signed({ ...wish(''), at });
  return refused({ ...wish(bodyOf(seed)), at });
}

describe('of chunks that are signed', () => {
  const chunks = ['a'.repeat(9000), 'b'.repeat(9000), 'c'.repeat(10), ''];
  const other = () => {
    const { seed } = wire.signed(put({ payload: SIGNED, at: Date.now() - 5000 }));
    return frames(chunks, seed).frames;
  };
  const cases: [string, (framed: Buffer[]) => (Buffer | string)[], string][] = [
    ['one comes from another request', ([first, , ...rest]) => [first!, other()[1]!, ...rest], 'SignatureDoesNotMatch'],
    ['all come from another request', () => other(), 'SignatureDoesNotMatch'],
    ['two change places', ([one, two, ...rest]) => [two!, one!, ...rest], 'SignatureDoesNotMatch'],
    ['one is left out', ([one, , ...rest]) => [one!, ...rest], 'SignatureDoesNotMatch'],
    ['one comes twice', ([one, ...rest]) => [one!, one!, ...rest], 'SignatureDoesNotMatch'],
    ['the last is missing', (framed) => framed.slice(0, -1), 'IncompleteBody'],
    [
      'the last comes before the others',
      (framed) => [framed.at(-1)!, '\r\n', ...framed.slice(0, -1)],
      'SignatureDoesNotMatch',
    ],
    ['one has no signature', ([, ...rest]) => [`2328\r\n${chunks[0]}\r\n`, ...rest], 'IncompleteBody'],
    [
      'a byte is another',
      ([one, ...rest]) => [one!.toString().replace('aaa', 'aba'), ...rest],
      'SignatureDoesNotMatch',
    ],
  ];
  test('all are taken as they are: what follows is about what was changed in them', async () => {
    const path = `/${Bucket}/kept`;
    expect(await inChunks(['as it ', 'was', ''], { payload: SIGNED, path })).toMatchObject({ status: 200 });
  });

  test.each(cases)('when %s, none is kept', async (_what, change, code) => {
    expect(await inChunks(chunks, { payload: SIGNED, change })).toMatchObject({ code });
  });
});

describe('a body in chunks whose', () => {
  const frame = '5\r\nhello\r\n0\r\n\r\n';
  const cases: [string, string, string | undefined, number, string][] = [
    ['length is said too long', frame, '6', 400, 'IncompleteBody'],
    ['length is said too short', frame, '4', 400, 'IncompleteBody'],
    ['length is not said', frame, undefined, 411, 'MissingContentLength'],
    ['length is below zero', frame, '-5', 411, 'MissingContentLength'],
    ['length is too much for anybody', frame, '9'.repeat(14), 400, 'EntityTooLarge'],
    ['length is no number', frame, '5,5', 411, 'MissingContentLength'],
    [
      'chunk has more bytes than can be counted',
      'ffffffffffffffffff\r\nhello\r\n0\r\n\r\n',
      '5',
      400,
      'IncompleteBody',
    ],
    ['chunk has less bytes than none', '-5\r\nhello\r\n0\r\n\r\n', '5', 400, 'IncompleteBody'],
    ['chunk has a head of a megabyte', `5;a=${'x'.repeat(1 << 20)}\r\nhello\r\n0\r\n\r\n`, '5', 400, 'IncompleteBody'],
    ['chunk has an extension that nobody knows', '5;a=b\r\nhello\r\n0\r\n\r\n', '5', 400, 'IncompleteBody'],
    ['chunk has a size in another notation', '0x5\r\nhello\r\n0\r\n\r\n', '5', 400, 'IncompleteBody'],
    ['chunk ends with a line feed alone', '5\nhello\n0\n\n', '5', 400, 'IncompleteBody'],
    ['end is followed by more', `${frame}5\r\nhello\r\n`, '5', 400, 'IncompleteBody'],
    ['trailers nobody announced', '5\r\nhello\r\n0\r\nx-amz-meta-a:1\r\n\r\n', '5', 400, 'MalformedTrailerError'],
  ];
  test.each(cases)('%s', async (_what, body, length, status, code) => {
    const headers: Record<string, string> = length === undefined ? {} : { 'x-amz-decoded-content-length': length };
    expect(await refused(put({ payload: UNSIGNED_TRAILER, headers, body }))).toMatchObject({ status, code });
  });
});
