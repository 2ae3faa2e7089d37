import { request } from 'node:http';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Grants } from '../../../shared/http/grants.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import { presignUrl } from '../../../shared/storage/sigv4.ts';
import { KEY, type Site, startSite } from './support.ts';

let site: Site;
const LONG = { accessKeyId: `AKIA${'x/y'.repeat(800)}`, secretAccessKey: 'long' };
const READER = { accessKeyId: 'reader', secretAccessKey: 'reader-secret' };

beforeAll(async () => {
  const keys = [KEY, LONG, { ...READER, actions: ['read'], buckets: ['models-*'] }];
  site = await startSite({ keys, public: ['open'], domains: ['s3.site'] });
  for (const Bucket of ['models-1', 'secret', 'open']) {
    await site.s3.send(new CreateBucketCommand({ Bucket }));
    await site.s3.send(new PutObjectCommand({ Bucket, Key: 'a b', Body: Bucket }));
  }
});
afterAll(() => site?.close());

const readBy = async (more: S3ClientConfig, Bucket = 'models-1') => {
  const { Body } = await site.client(more).send(new GetObjectCommand({ Bucket, Key: 'a b' }));
  return Body!.transformToString();
};
const writeBy = (more: S3ClientConfig, Bucket = 'models-1') =>
  site.client(more).send(new PutObjectCommand({ Bucket, Key: 'new', Body: 'x' }));

describe('who may do what', () => {
  test('a key of any length, for any region', async () => {
    expect(await readBy({ credentials: LONG, region: 'mars-north-9' })).toBe('models-1');
  });

  test('a key for some buckets and for reading is for these, and for that', async () => {
    expect(await readBy({ credentials: READER })).toBe('models-1');
    await expect(readBy({ credentials: READER }, 'secret')).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(writeBy({ credentials: READER })).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('a key for some buckets is shown these and the public ones, and no others', async () => {
    const { Buckets } = await site.client({ credentials: READER }).send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toEqual(['models-1', 'open']);
  });

  test('a wrong secret and an unknown key are told apart', async () => {
    const wrong = { ...KEY, secretAccessKey: 'wrong' };
    await expect(readBy({ credentials: wrong })).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    const unknown = { ...KEY, accessKeyId: 'nobody' };
    await expect(readBy({ credentials: unknown })).rejects.toMatchObject({ name: 'InvalidAccessKeyId' });
  });

  test('a token is a key, until it is revoked', async () => {
    const { objects } = site.larder.store;
    const tokens = new Tokens(objects, { now: Date.now });
    const { token } = await tokens.create({ name: 'ci', actions: ['read'], services: ['s3'] });
    const accessKeyId = `lrd_${token.id}`;
    const secretAccessKey = await new Grants(objects, { now: Date.now }).secretFor(`s3 ${accessKeyId}`);
    const credentials = { accessKeyId, secretAccessKey };
    expect(await readBy({ credentials })).toBe('models-1');
    await expect(writeBy({ credentials })).rejects.toMatchObject({ name: 'AccessDenied' });
    expect(secretAccessKey).toHaveLength(40);
    const other = await tokens.create({ name: 'pip', actions: ['read', 'write'], services: ['pypi'] });
    const elsewhere = `lrd_${other.token.id}`;
    const secret = await new Grants(objects, { now: Date.now }).secretFor(`s3 ${elsewhere}`);
    const foreign = { accessKeyId: elsewhere, secretAccessKey: secret };
    await expect(readBy({ credentials: foreign })).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('nobody reads what is public, and nothing else, and writes nowhere', async () => {
    const ask = (path: string, init?: RequestInit) => fetch(site.url + path, init);
    expect(await (await ask('/open/a%20b')).text()).toBe('open');
    expect((await ask('/open?list-type=2')).status).toBe(200);
    for (const path of ['/secret/a%20b', '/secret', '/', '/none/x']) {
      const answer = await ask(path);
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')]);
    }
    expect((await ask('/open/x', { method: 'PUT', body: 'x' })).status).toBe(403);
    expect((await ask('/open/x', { headers: { authorization: 'Bearer x' } })).status).toBe(400);
  });
});

describe('an address that carries its signature', () => {
  const key = { ...KEY, region: 'us-east-1', service: 's3' };
  const presigned = (more: Partial<Parameters<typeof presignUrl>[0]> = {}) =>
    presignUrl({ method: 'GET', endpoint: site.url, path: '/secret/a b', expires: 60, now: Date.now(), ...more }, key);

  test('reads and writes, for a while', async () => {
    expect(await (await fetch(presigned())).text()).toBe('secret');
    const put = await fetch(presigned({ method: 'PUT', path: '/secret/put' }), { method: 'PUT', body: 'by address' });
    expect(put.status).toBe(200);
    expect(await (await fetch(presigned({ path: '/secret/put' }))).text()).toBe('by address');
    const old = await fetch(presigned({ now: Date.now() - 120_000 }));
    expect([old.status, await old.text()]).toEqual([403, expect.stringContaining('Request has expired')]);
    expect((await fetch(presigned(), { method: 'DELETE' })).status).toBe(403);
  });

  test('says what the answer looks like', async () => {
    const answer = await fetch(presigned({ query: [['response-content-disposition', 'attachment; filename="x"']] }));
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="x"');
  });
});

test('a bucket may stand in the host, before a domain of the settings', async () => {
  const wish = { method: 'GET', endpoint: 'http://models-1.s3.site', path: '/a b', expires: 60, now: Date.now() };
  const { pathname, search, host } = new URL(presignUrl(wish, { ...KEY, region: 'x', service: 's3' }));
  const { port } = new URL(site.url);
  const status = await new Promise((resolve, reject) => {
    request({ port, path: pathname + search, headers: { host } }, (answer) => resolve(answer.resume().statusCode))
      .on('error', reject)
      .end();
  });
  expect(status).toBe(200);
});

test('a refusal says under which number the log has it', async () => {
  const answer = await fetch(`${site.url}/secret`);
  const [, id] = /<RequestId>(.+)<\/RequestId><\/Error>$/.exec(await answer.text()) ?? [];
  expect(id).toMatch(/^[\w-]{8,}$/);
  expect([answer.headers.get('x-amz-request-id'), answer.headers.get('x-request-id')]).toEqual([id, id]);
});

test('a list of what is there needs a key that may read', async () => {
  await site.client({ credentials: READER }).send(new ListObjectsV2Command({ Bucket: 'models-1' }));
});
