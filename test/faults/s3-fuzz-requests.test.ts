import { CreateBucketCommand, CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { encodePath } from '../../shared/storage/sigv4.ts';
import { KEY, type Site, startSite } from '../services/s3/support.ts';
import { type Dice, FUZZ_TIMEOUT, fuzz, ODD } from '../support/fuzz.ts';
import { Wire, type Wish } from '../support/s3-wire.ts';

vi.setConfig({ testTimeout: FUZZ_TIMEOUT });

const Bucket = 'fuzzed';
const KEYS = ['plain', 'deep/er/key', 'ü 日本😀', 'a+b%2Fc', 'x//y', 'control\u0001\u001f'];
let site: Site;
let wire: Wire;
let upload: string;

beforeAll(async () => {
  site = await startSite();
  wire = new Wire(site.url, KEY);
  await site.s3.send(new CreateBucketCommand({ Bucket }));
  for (const Key of KEYS) await site.s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
  upload = (await site.s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'plain' }))).UploadId!;
});
afterAll(() => site?.close());

const NUMBERS = ['0', '1', '2', '-1', '1000', '10001', '99999999999', '1e3', '0x1', ' 1', 'NaN', '1.5', ''];
const token = (dice: Dice) =>
  Buffer.from(dice.oneOf(2) ? dice.pick(KEYS) : dice.bytes(5)).toString(
    dice.pick(['base64', 'base64url', 'hex'] as const),
  );

/** What the parameters of lists may be, and what they may not. */
function listQuery(dice: Dice): [string, string][] {
  const of: [string, () => string][] = [
    ['list-type', () => dice.pick(['1', '2', '3', ''])],
    ['versions', () => ''],
    ['uploads', () => ''],
    ['location', () => ''],
    ['prefix', () => dice.pick(['deep/', dice.text(3), ''])],
    ['delimiter', () => dice.pick(['/', dice.text(2), ''])],
    ['marker', () => dice.pick([...KEYS, dice.text(4)])],
    ['key-marker', () => dice.text(4)],
    ['upload-id-marker', () => dice.text(4)],
    ['version-id-marker', () => dice.text(4)],
    ['start-after', () => dice.pick([...KEYS, dice.text(4)])],
    ['continuation-token', () => dice.pick([token(dice), dice.text(8), ''])],
    ['max-keys', () => dice.pick(NUMBERS)],
    ['max-uploads', () => dice.pick(NUMBERS)],
    ['encoding-type', () => dice.pick(['url', 'URL', 'x', ''])],
    ['fetch-owner', () => dice.pick(['true', 'x'])],
    ['allow-unordered', () => 'true'],
    [dice.text(5) || 'a', () => dice.text(5)],
  ];
  return dice.list(6, () => dice.pick(of)).map(([name, value]) => [name, value()]);
}

function objectQuery(dice: Dice): [string, string][] {
  const of: [string, () => string][] = [
    ['partNumber', () => dice.pick(NUMBERS)],
    ['uploadId', () => dice.pick([upload, dice.text(36), ''])],
    ['versionId', () => dice.pick(['null', '', 'x'])],
    ['max-parts', () => dice.pick(NUMBERS)],
    ['part-number-marker', () => dice.pick(NUMBERS)],
    ['attributes', () => ''],
    ['tagging', () => ''],
    ['acl', () => ''],
    ['response-content-type', () => dice.text(8)],
    ['response-expires', () => dice.text(8)],
    [dice.text(5) || 'a', () => dice.text(5)],
  ];
  return dice.list(4, () => dice.pick(of)).map(([name, value]) => [name, value()]);
}

const VISIBLE = ODD.filter((one) => /^[\x20-\x7e\xa0-\xff]$/.test(one));

/** Fields that mean something here, and say anything. */
function fields(dice: Dice): Record<string, string> {
  const visible = (most: number) => dice.text(most, VISIBLE).trim();
  const source = () =>
    dice.pick([
      `${Bucket}/${encodePath(dice.pick(KEYS))}`,
      `/${Bucket}/${encodePath(dice.text(8))}`,
      `${Bucket}/plain?versionId=${visible(4)}`,
      `${visible(5)}/${visible(8)}`,
      `%${visible(4)}`,
    ]);
  const of: [string, () => string][] = [
    ['range', () => dice.pick(['bytes=0-', `bytes=${dice.pick(NUMBERS)}-${dice.pick(NUMBERS)}`, visible(10)])],
    ['if-match', () => visible(10)],
    ['if-none-match', () => dice.pick(['*', visible(10)])],
    ['if-modified-since', () => visible(20)],
    ['x-amz-copy-source', source],
    ['x-amz-copy-source-range', () => `bytes=${dice.pick(NUMBERS)}-${dice.pick(NUMBERS)}`],
    ['x-amz-copy-source-if-match', () => visible(5)],
    ['x-amz-metadata-directive', () => dice.pick(['COPY', 'REPLACE', visible(5)])],
    ['x-amz-tagging', () => visible(20)],
    ['x-amz-meta-a', () => visible(20)],
    ['x-amz-checksum-algorithm', () => dice.pick(['CRC32', 'sha1', visible(4)])],
    ['x-amz-checksum-type', () => dice.pick(['FULL_OBJECT', 'COMPOSITE', visible(4)])],
    ['x-amz-checksum-crc32', () => dice.pick(['AAAAAA==', visible(8)])],
    ['x-amz-checksum-mode', () => 'ENABLED'],
    ['x-amz-object-attributes', () => dice.pick(['ETag,ObjectParts', 'constructor', visible(10)])],
    ['x-amz-website-redirect-location', () => visible(10)],
    ['x-amz-mp-object-size', () => dice.pick(NUMBERS)],
    ['content-md5', () => visible(24)],
    ['content-encoding', () => dice.pick(['aws-chunked', 'aws-chunked,gzip', visible(5)])],
  ];
  return Object.fromEntries(dice.list(4, () => dice.pick(of)).map(([name, value]) => [name, value() || 'x']));
}

/** An answer of S3's: never a failure of ours, and an error with a name. */
async function expectAnswer(wish: Wish): Promise<void> {
  const answer = await wire.ask(wish);
  const shown = JSON.stringify({ ...wish, status: answer.status, text: answer.text.slice(0, 300) });
  expect([200, 204, 206, 304, 400, 403, 404, 405, 409, 411, 412, 416, 501], shown).toContain(answer.status);
  if (answer.status >= 400 && wish.method !== 'HEAD') expect(answer.code, shown).toMatch(/^[A-Z]\w+$/);
  expect(answer.code, shown).not.toBe('InternalError');
}

describe('whatever a request says', () => {
  test('of a list, it is answered', async () => {
    await fuzz(250, (dice) => expectAnswer({ method: 'GET', path: `/${Bucket}`, query: listQuery(dice) }));
  });

  test('of an object, it is answered', async () => {
    await fuzz(250, (dice) => {
      const key = dice.oneOf(2) ? dice.pick(KEYS) : dice.text(10) || 'a';
      const method = dice.pick(['GET', 'HEAD', 'GET', 'PUT', 'POST', 'DELETE']);
      // deletes what is not there: what is there is to be read in the next round
      const path = method === 'DELETE' ? `/${Bucket}/none/${encodePath(key)}` : `/${Bucket}/${encodePath(key)}`;
      const body =
        method === 'PUT' || method === 'POST'
          ? dice.pick(['', 'body', '<Tagging/>', '<CompleteMultipartUpload/>'])
          : '';
      return expectAnswer({ method, path, query: objectQuery(dice), headers: fields(dice), body });
    });
  });

  test('every page of a list leads on to the next one, in whatever size and from whatever prefix', async () => {
    const all = KEYS.map((key) => Buffer.from(key))
      .sort(Buffer.compare)
      .map(String);
    await fuzz(40, async (dice) => {
      const prefix = dice.pick(['', 'deep/', 'x/', dice.text(1)]);
      const size = String(1 + dice.int(4));
      const found: string[] = [];
      let next: string | undefined;
      do {
        const query: [string, string][] = [
          ['list-type', '2'],
          ['prefix', prefix],
          ['max-keys', size],
          ['encoding-type', 'url'],
        ];
        if (next !== undefined) query.push(['continuation-token', next]);
        const { text } = await wire.ask({ method: 'GET', path: `/${Bucket}`, query });
        for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) found.push(decodeURIComponent(key!));
        next = /<NextContinuationToken>([^<]+)</.exec(text)?.[1];
        expect(found.length).toBeLessThan(1000);
      } while (next !== undefined);
      // other tests write, too
      expect(found.filter((key) => all.includes(key))).toEqual(all.filter((key) => key.startsWith(prefix)));
    });
  });
});
