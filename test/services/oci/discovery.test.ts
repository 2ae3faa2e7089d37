import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactOf, type BuiltImage, imageOf, indexOf, sha } from '../../support/images.ts';
import { type Registry, startRegistry } from './registry.ts';

let registry: Registry;
let image: BuiltImage;
const ask: Registry['ask'] = (...asked) => registry.ask(...asked);
const tagsOf = async (query = '') => ask('GET', `/v2/list/tags/tags/list${query}`);

beforeAll(async () => {
  registry = await startRegistry();
  image = await imageOf();
  await registry.pushImage('list/tags', 'latest', image);
  for (const tag of ['b', 'B', 'a1', '0.9', '_x'])
    await ask('PUT', `/v2/list/tags/manifests/${tag}`, {
      body: image.bytes,
      headers: { 'content-type': image.mediaType },
    });
});
afterAll(() => registry?.close());

// distribution-spec 1.1.1, spec.md#listing-tags
describe('tags', () => {
  test('are listed in the order of their characters', async () => {
    expect((await tagsOf()).json).toEqual({ name: 'list/tags', tags: ['0.9', 'B', '_x', 'a1', 'b', 'latest'] });
  });

  test('come by n, and the Link leads through all of them', async () => {
    const found: string[] = [];
    let path: string | undefined = '/v2/list/tags/tags/list?n=4';
    while (path) {
      const answer: Awaited<ReturnType<typeof ask>> = await ask('GET', path);
      found.push(...(answer.json as { tags: string[] }).tags);
      path = /<(.+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    expect(found).toEqual(['0.9', 'B', '_x', 'a1', 'b', 'latest']);
  });

  test('begin behind "last", which need not be one, also without n', async () => {
    expect((await tagsOf('?last=a1')).json).toMatchObject({ tags: ['b', 'latest'] });
    expect((await tagsOf('?last=aaa&n=1')).json).toMatchObject({ tags: ['b'] });
  });

  test('n=0 is an empty list that leads nowhere, and what is no number is refused', async () => {
    const none = await tagsOf('?n=0');
    expect(none.json).toMatchObject({ tags: [] });
    expect(none.headers.get('link')).toBeNull();
    expect((await tagsOf('?n=some')).status).toBe(400);
  });

  test('of a repository that nobody knows are 404', async () => {
    expect(await ask('GET', '/v2/no/such/tags/list')).toMatchObject({ status: 404, code: 'NAME_UNKNOWN' });
  });
});

describe('repositories', () => {
  test('are listed page by page', async () => {
    for (const name of ['list/a', 'list/a-b', 'list/a/b']) await registry.pushImage(name, '1', image);
    const { json } = await ask('GET', '/v2/_catalog');
    expect(json).toEqual({ repositories: ['list/a', 'list/a-b', 'list/a/b', 'list/tags'] });
    const page = await ask('GET', '/v2/_catalog?n=2');
    expect(page.headers.get('link')).toBe('</v2/_catalog?n=2&last=list%2Fa-b>; rel="next"');
  });
});

// spec.md#listing-referrers
describe('referrers', () => {
  let bill: BuiltImage;
  let signature: BuiltImage;
  const listed = async (query = '', repository = 'list/refs') => {
    const answer = await ask('GET', `/v2/${repository}/referrers/${image.digest}${query}`);
    return { answer, manifests: (answer.json as { manifests: { digest: string }[] }).manifests };
  };

  beforeAll(async () => {
    bill = artifactOf(image, 'application/spdx+json', '{}');
    signature = artifactOf(image, 'application/vnd.example.sig', 'x');
    await registry.pushImage('list/refs', '1', image);
    await registry.pushImage('list/refs', bill.digest, bill);
    await registry.pushImage('list/refs', signature.digest, signature);
  });

  test('are an index of what says that it belongs to a manifest, type and annotations included', async () => {
    const { answer, manifests } = await listed();
    expect(answer.headers.get('content-type')).toBe('application/vnd.oci.image.index.v1+json');
    expect(manifests).toHaveLength(2);
    expect(manifests).toContainEqual({
      mediaType: bill.mediaType,
      digest: bill.digest,
      size: bill.size,
      artifactType: 'application/spdx+json',
      annotations: bill.annotations,
    });
  });

  test('may be of one type only, and the answer says that it counted', async () => {
    const { answer, manifests } = await listed(`?artifactType=${encodeURIComponent('application/spdx+json')}`);
    expect(manifests.map(({ digest }) => digest)).toEqual([bill.digest]);
    expect(answer.headers.get('oci-filters-applied')).toBe('artifactType');
  });

  test('come in pages', async () => {
    const { answer, manifests } = await listed('?n=1');
    expect(manifests).toHaveLength(1);
    const next = /<(.+)>; rel="next"/.exec(answer.headers.get('link')!)![1]!;
    const rest = (await ask('GET', next)).json as { manifests: { digest: string }[] };
    expect(new Set([...manifests, ...rest.manifests].map(({ digest }) => digest)).size).toBe(2);
  });

  test('are an empty index where there are none, even of a repository that nobody knows', async () => {
    expect(await ask('GET', `/v2/no/such/referrers/${sha('x')}`)).toMatchObject({
      status: 200,
      json: { manifests: [] },
    });
  });

  test('of what is no digest are 400', async () => {
    expect(await ask('GET', '/v2/list/refs/referrers/latest')).toMatchObject({ status: 400, code: 'DIGEST_INVALID' });
  });

  test('hold what older clients keep in a tag instead', async () => {
    await registry.pushImage('list/old', '1', image);
    await registry.pushImage('list/old', image.digest.replace(':', '-'), indexOf([signature]));
    expect((await listed('', 'list/old')).manifests.map(({ digest }) => digest)).toEqual([signature.digest]);
  });

  test('go when they are deleted', async () => {
    expect((await ask('DELETE', `/v2/list/refs/manifests/${signature.digest}`)).status).toBe(202);
    expect((await listed()).manifests.map(({ digest }) => digest)).toEqual([bill.digest]);
  });
});

// spec.md#content-management
describe('deletion', () => {
  beforeAll(async () => {
    for (const tag of ['1', '2']) await registry.pushImage('list/gone', tag, image);
  });

  test('of a tag leaves the manifest', async () => {
    expect((await ask('DELETE', '/v2/list/gone/manifests/1')).status).toBe(202);
    expect((await ask('GET', '/v2/list/gone/manifests/1')).code).toBe('MANIFEST_UNKNOWN');
    expect((await ask('GET', `/v2/list/gone/manifests/${image.digest}`)).status).toBe(200);
    expect((await ask('DELETE', '/v2/list/gone/manifests/1')).status).toBe(404);
  });

  test('of a manifest takes its tags with it, and leaves other repositories alone', async () => {
    expect((await ask('DELETE', `/v2/list/gone/manifests/${image.digest}`)).status).toBe(202);
    for (const reference of ['2', image.digest])
      expect((await ask('GET', `/v2/list/gone/manifests/${reference}`)).status).toBe(404);
    expect((await ask('GET', '/v2/list/gone/tags/list')).json).toMatchObject({ tags: [] });
    expect((await ask('GET', `/v2/list/tags/manifests/${image.digest}`)).status).toBe(200);
  });

  test('of a blob takes it out of its repository alone', async () => {
    const digest = await registry.push('list/gone', 'some bytes');
    await registry.push('list/tags', 'some bytes');
    expect((await ask('DELETE', `/v2/list/gone/blobs/${digest}`)).status).toBe(202);
    expect(await ask('GET', `/v2/list/gone/blobs/${digest}`)).toMatchObject({ status: 404, code: 'BLOB_UNKNOWN' });
    expect((await ask('GET', `/v2/list/tags/blobs/${digest}`)).status).toBe(200);
  });

  test('needs a token that may write', async () => {
    expect((await registry.site.ask('/v2/list/tags/manifests/latest', { method: 'DELETE' })).status).toBe(401);
  });
});
