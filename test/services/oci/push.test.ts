import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactOf, type BuiltImage, imageOf, indexOf, sha } from '../../support/images.ts';
import { OCTETS, type Registry, startRegistry } from './registry.ts';

let registry: Registry;
let image: BuiltImage;
const ask: Registry['ask'] = (...asked) => registry.ask(...asked);

beforeAll(async () => {
  registry = await startRegistry();
  image = await imageOf();
});
afterAll(() => registry?.close());

async function begin(repository: string, query = ''): Promise<string> {
  const answer = await ask('POST', `/v2/${repository}/blobs/uploads/${query}`);
  expect(answer.status).toBe(202);
  return answer.headers.get('location')!;
}

// distribution-spec 1.1.1, spec.md#pushing-blobs
describe('a blob', () => {
  test('goes by POST and PUT: 202 with a Location, then 201 with where it is', async () => {
    const digest = sha('post+put');
    const location = await begin('push/blob');
    const done = await ask('PUT', `${location}?digest=${digest}`, { body: 'post+put' });
    expect(done.status).toBe(201);
    expect(done.headers.get('location')).toBe(`/v2/push/blob/blobs/${digest}`);
    expect(done.headers.get('docker-content-digest')).toBe(digest);
    expect((await ask('GET', `/v2/push/blob/blobs/${digest}`)).text).toBe('post+put');
  });

  test('goes in one POST', async () => {
    const digest = await registry.push('push/single', 'single');
    expect((await ask('HEAD', `/v2/push/single/blobs/${digest}`)).headers.get('content-length')).toBe('6');
  });

  test('of no bytes is a blob, too', async () => {
    const digest = await registry.push('push/empty', '');
    expect((await ask('GET', `/v2/push/empty/blobs/${digest}`)).status).toBe(200);
  });

  test('is called by its sha512 where the client likes that', async () => {
    const digest = sha('five hundred', 'sha512');
    const location = await begin('push/long', '?digest-algorithm=sha512');
    await ask('PATCH', location, { body: 'five ' });
    expect((await ask('PUT', `${location}?digest=${digest}`, { body: 'hundred' })).status).toBe(201);
    const got = await ask('GET', `/v2/push/long/blobs/${digest}`);
    expect(got.headers.get('docker-content-digest')).toBe(digest);
    expect(got.text).toBe('five hundred');
  });

  test('that was begun for another algorithm is measured again', async () => {
    const digest = sha('changed mind', 'sha512');
    const location = await begin('push/long');
    await ask('PATCH', location, { body: 'changed mind' });
    expect((await ask('PUT', `${location}?digest=${digest}`)).status).toBe(201);
  });

  test('that is not what its digest says is refused, and kept nowhere', async () => {
    const digest = sha('something else');
    for (const path of [
      `${await begin('push/wrong')}?digest=${digest}`,
      `/v2/push/wrong/blobs/uploads/?digest=${digest}`,
    ]) {
      const method = path.includes('uploads/?') ? 'POST' : 'PUT';
      expect(await ask(method, path, { body: 'these' })).toMatchObject({ status: 400, code: 'DIGEST_INVALID' });
    }
    expect((await ask('HEAD', `/v2/push/wrong/blobs/${digest}`)).status).toBe(404);
  });

  test('is mounted from another repository, or from wherever it is; else an upload begins', async () => {
    const digest = await registry.push('push/from', 'mount me');
    const mount = (query: string) => ask('POST', `/v2/push/to/blobs/uploads/?${query}`);
    expect((await mount(`mount=${digest}&from=push/from`)).status).toBe(201);
    expect((await ask('POST', `/v2/push/too/blobs/uploads/?mount=${digest}`)).status).toBe(201);
    expect((await ask('GET', `/v2/push/to/blobs/${digest}`)).text).toBe('mount me');
    const unknown = await mount(`mount=${sha('nowhere')}&from=push/from`);
    expect(unknown.status).toBe(202);
    expect(unknown.headers.get('location')).toBeTruthy();
  });
});

// spec.md#pushing-a-blob-in-chunks
describe('a blob in pieces', () => {
  test('comes in order, and each answer says how much is there', async () => {
    const location = await begin('push/pieces');
    const first = await ask('PATCH', location, { body: 'hello ', headers: { 'content-range': '0-5' } });
    expect(first.status).toBe(202);
    expect(first.headers.get('range')).toBe('0-5');
    const status = await ask('GET', location);
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-5']);
    const digest = sha('hello world');
    const path = `${location}?digest=${digest}`;
    expect((await ask('PUT', path, { body: 'world', headers: { 'content-range': '6-10' } })).status).toBe(201);
    expect((await ask('GET', location)).code).toBe('BLOB_UPLOAD_UNKNOWN');
  });

  test('out of order is 416 with where to go on, and then goes on', async () => {
    const location = await begin('push/order');
    await ask('PATCH', location, { body: 'abc', headers: { 'content-range': '0-2' } });
    const wrong = await ask('PATCH', location, { body: 'ghi', headers: { 'content-range': '6-8' } });
    expect([wrong.status, wrong.headers.get('range')]).toEqual([416, '0-2']);
    expect((await ask('PATCH', location, { body: 'def', headers: { 'content-range': '3-5' } })).status).toBe(202);
    expect((await ask('PUT', `${location}?digest=${sha('abcdef')}`)).status).toBe(201);
  });

  test('that is given up is gone', async () => {
    const location = await begin('push/cancel');
    await ask('PATCH', location, { body: 'never mind' });
    expect((await ask('DELETE', location)).status).toBe(204);
    expect((await ask('PATCH', location, { body: 'more' })).status).toBe(404);
  });

  test('that nobody goes on with is given up after a while', async () => {
    const location = await begin('push/idle');
    await ask('PATCH', location, { body: 'half' });
    registry.site.clock.now += 86_401_000;
    await begin('push/idle');
    expect((await ask('GET', location)).status).toBe(404);
  });

  test('belongs to one repository', async () => {
    const location = await begin('push/mine');
    expect((await ask('GET', location.replace('push/mine', 'push/theirs'))).status).toBe(404);
  });
});

// spec.md#pushing-manifests
describe('a manifest', () => {
  test('is kept byte for byte, fields that nobody knows included', async () => {
    await registry.pushImage('push/image', '1', image);
    const odd = Buffer.from(image.bytes.toString().replace('{', '{ "org.example.odd": [1, 2],'));
    const put = await ask('PUT', '/v2/push/image/manifests/odd', {
      body: odd,
      headers: { 'content-type': image.mediaType },
    });
    expect(put.status).toBe(201);
    expect(put.headers.get('location')).toBe(`/v2/push/image/manifests/${sha(odd)}`);
    const got = await ask('GET', '/v2/push/image/manifests/odd');
    expect(got.bytes).toEqual(odd);
    expect(got.headers.get('content-type')).toBe(image.mediaType);
    expect(got.headers.get('docker-content-digest')).toBe(sha(odd));
  });

  test('whose blobs are not here is refused, and says which', async () => {
    const other = await imageOf({ annotations: { blobs: 'missing' }, cmd: ['/missing'] });
    const answer = await ask('PUT', '/v2/push/lacking/manifests/1', {
      body: other.bytes,
      headers: { 'content-type': other.mediaType },
    });
    expect(answer).toMatchObject({ status: 404, code: 'MANIFEST_BLOB_UNKNOWN' });
    expect(answer.message).toContain([...other.blobs.keys()][0]);
  });

  test.each([
    ['no JSON', 'hello', 'MANIFEST_INVALID'],
    ['a list', '[]', 'MANIFEST_INVALID'],
    ['another media type than it says of itself', '{"schemaVersion":2,"mediaType":"text/plain"}', 'MANIFEST_INVALID'],
    ['a layer without a digest', '{"schemaVersion":2,"layers":[{"size":1}]}', 'MANIFEST_INVALID'],
  ])('that is %s is refused', async (_what, body, code) => {
    const headers = { 'content-type': image.mediaType };
    expect(await ask('PUT', '/v2/push/bad/manifests/1', { body, headers })).toMatchObject({ status: 400, code });
  });

  test('of 4 MiB is taken, and one over what the settings say is 413', async () => {
    const wide = (length: number) =>
      Buffer.from(image.bytes.toString().replace('{', `{ "pad": "${'x'.repeat(length)}",`));
    await registry.pushImage('push/wide', '1', image);
    const put = (bytes: Buffer) =>
      ask('PUT', '/v2/push/wide/manifests/w', { body: bytes, headers: { 'content-type': image.mediaType } });
    expect((await put(wide(4 << 20))).status).toBe(201);
    expect(await put(wide(9 << 20))).toMatchObject({ status: 413, code: 'SIZE_INVALID' });
  });

  test('goes by its digest with tags beside it', async () => {
    await registry.pushImage('push/tagged', '1', image);
    const put = await ask('PUT', `/v2/push/tagged/manifests/${image.digest}?tag=a&tag=b`, {
      body: image.bytes,
      headers: { 'content-type': image.mediaType },
    });
    expect(put.headers.get('oci-tag')).toBe('a, b');
    expect((await ask('GET', '/v2/push/tagged/manifests/b')).bytes).toEqual(image.bytes);
    const wrong = await ask('PUT', `/v2/push/tagged/manifests/${sha('x')}`, {
      body: image.bytes,
      headers: { 'content-type': image.mediaType },
    });
    expect(wrong).toMatchObject({ status: 400, code: 'DIGEST_INVALID' });
  });

  test('may be an index of which not all is here', async () => {
    const other = await imageOf({ platform: { os: 'linux', architecture: 's390x' } });
    const answer = await registry.pushImage('push/sparse', '1', indexOf([other]));
    expect(answer.status).toBe(201);
    expect((await ask('GET', `/v2/push/sparse/manifests/${other.digest}`)).code).toBe('MANIFEST_UNKNOWN');
  });

  test('that belongs to another says so, and need not find it here', async () => {
    const absent = await imageOf({ annotations: { never: 'pushed' } });
    const answer = await registry.pushImage('push/refers', 'sig', artifactOf(absent, 'text/sig', 'x'));
    expect([answer.status, answer.headers.get('oci-subject')]).toEqual([201, absent.digest]);
  });
});

// spec.md#error-codes
describe('names', () => {
  test.each(['UPPER/case', '-a/b', 'a/b_', 'a..b'])('"%s" is none', async (name) => {
    const answer = await ask('POST', `/v2/${name}/blobs/uploads/`);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
  });

  test('a tag of 129 characters, or with a dot in front, is none', async () => {
    for (const tag of ['x'.repeat(129), '.dot'])
      expect((await ask('PUT', `/v2/push/image/manifests/${tag}`, { body: '{}' })).status).toBe(400);
  });

  test('a method that is not for an address is 405 with those that are', async () => {
    const answer = await ask('POST', '/v2/push/image/tags/list');
    expect([answer.status, answer.code, answer.headers.get('allow')]).toEqual([405, 'UNSUPPORTED', 'GET, HEAD']);
  });
});

// access: anybody reads, a token writes
describe('who pushes', () => {
  const anybody = (path: string, init?: RequestInit) => registry.site.ask(path, init);
  const post = '/v2/push/access/blobs/uploads/';

  test('is asked for a token, by an address that the client can reach', async () => {
    const answer = await anybody(post, { method: 'POST' });
    expect(answer).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    const scope = 'repository:push/access:pull,push';
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="${registry.site.url}/token",service="larder",scope="${scope}"`,
    );
  });

  test('/v2/ asks everybody, so that docker learns to, and gives anybody a token that reads', async () => {
    const first = await anybody('/v2/');
    expect(first.status).toBe(401);
    expect(first.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    const { token, access_token } = (await anybody('/token?service=larder')).json as Record<string, string>;
    expect(token).toBe(access_token);
    const headers = { authorization: `Bearer ${token}` };
    expect((await anybody('/v2/', { headers })).status).toBe(200);
    expect((await anybody('/v2/push/image/manifests/1', { headers })).status).toBe(200);
    expect((await anybody(post, { method: 'POST', headers })).status).toBe(401);
  });

  test('gets a token by GET with Basic, or by POST with a form, and pushes with it', async () => {
    const { authorization } = await registry.site.writer();
    const password = Buffer.from(authorization!.split(' ')[1]!, 'base64').toString().split(':')[1]!;
    const scope = 'repository:push/access:pull,push';
    const got = await anybody(`/token?service=larder&scope=${scope}`, { headers: { authorization: authorization! } });
    const form = new URLSearchParams({ grant_type: 'password', username: 'ci', password, service: 'larder', scope });
    const posted = await anybody('/token', { method: 'POST', body: form });
    for (const answer of [got, posted]) {
      const { token, expires_in } = answer.json as { token: string; expires_in: number };
      expect(expires_in).toBeGreaterThanOrEqual(60);
      expect((await anybody(post, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).status).toBe(202);
    }
    const wrong = await anybody('/token', {
      headers: { authorization: `Basic ${Buffer.from('ci:no').toString('base64')}` },
    });
    expect(wrong.status).toBe(401);
  });

  test('has Content-Type of JSON and no compression in every answer', async () => {
    const headers = { 'accept-encoding': 'gzip, zstd', ...OCTETS };
    const answer = await anybody('/v2/push/image/manifests/1', { headers });
    expect(answer.headers.get('content-encoding')).toBeNull();
  });
});
