import { beforeAll, describe, expect, test } from 'vitest';
import { absent, BYTES, type Content, digestOf, fresh, image } from './content.ts';
import { newName, refusal } from './registry.ts';
import { basic, type Use } from './site.ts';

/** main, spec.md#registry-proxying; and what spec.md says of pulls, of what is at another registry */
export function proxyConformance(use: Use): void {
  let names = 0;
  /** A repository at the origins, which says by which name they know it. */
  const remote = () => {
    names += 1;
    return `proxied/r${names}`;
  };
  const offerManifest = (repository: string, content: Content, references = [content.digest]) => {
    const { bytes: body, mediaType: type, digest } = content;
    for (const reference of references)
      use().origin.set(`/v2/${repository}/manifests/${reference}`, {
        body,
        type,
        headers: { 'docker-content-digest': digest },
      });
  };
  const offer = (repository: string, content: Content, ...tags: string[]) => {
    offerManifest(repository, content, [content.digest, ...tags]);
    for (const blob of content.blobs) use().origin.set(`/v2/${repository}/blobs/${digestOf(blob)}`, { body: blob });
  };
  const get = (path: string, headers = {}) => use().anybody.get(path, headers);

  describe('a registry that proxies others', () => {
    const content = image();
    const [blob] = content.blobs as [Buffer];
    let repository: string;

    beforeAll(() => {
      repository = remote();
      offer(repository, content, 'v1');
    });

    // "A `ns` query parameter on pull operations is OPTIONAL, but when used specifies the host in a repository name used
    // by a client." "A proxy registry MAY use the `ns` query parameter to resolve an upstream registry host."
    test.each<[string, (name: string, what: string) => string]>([
      ['in front of its name', (name, what) => `/v2/nvcr.io/${name}/${what}`],
      ['as ns', (name, what) => `/v2/${name}/${what}?ns=nvcr.io`],
      ['in front of /v2/', (name, what) => `/nvcr.io/v2/${name}/${what}`],
      ['nowhere, for the usual one', (name, what) => `/v2/${name}/${what}`],
    ])('gives what is there, byte for byte, to who names its host %s', async (_what, address) => {
      for (const reference of ['v1', content.digest]) {
        const answer = await get(address(repository, `manifests/${reference}`));
        expect([answer.status, answer.headers['content-type'], answer.bytes.equals(content.bytes)]).toEqual([
          200,
          content.mediaType,
          true,
        ]);
        expect(answer.headers['docker-content-digest']).toBe(content.digest);
      }
      const pulled = await get(address(repository, `blobs/${digestOf(blob)}`));
      expect([pulled.status, pulled.headers['content-type'], pulled.bytes.equals(blob)]).toEqual([200, BYTES, true]);
      expect(pulled.headers['docker-content-digest']).toBe(digestOf(blob));
    });

    // "A registry that uses the `ns` query parameter to scope the request SHOULD return the `ns` query parameter value in
    // the `OCI-Namespace` header."
    test.each([
      'manifests/v1',
      () => `manifests/${content.digest}`,
      () => `blobs/${digestOf(blob)}`,
      () => `referrers/${content.digest}`,
    ])('says which namespace it took: %s', async (what) => {
      const path = `/v2/${repository}/${typeof what === 'string' ? what : what()}`;
      for (const method of ['GET', 'HEAD']) {
        expect((await use().anybody.ask(method, `${path}?ns=nvcr.io`)).headers['oci-namespace']).toBe('nvcr.io');
        expect((await use().anybody.ask(method, path)).headers['oci-namespace']).toBeUndefined();
      }
    });

    test('says so of what is not there as well', async () => {
      const answer = await get(`/v2/${repository}/manifests/none?ns=nvcr.io`);
      expect([...refusal(answer), answer.headers['oci-namespace']]).toEqual([404, 'MANIFEST_UNKNOWN', 'nvcr.io']);
    });

    test('takes its own host, as ns, for none', async () => {
      const name = newName('own');
      await use().writer.push(name, content, 'v1');
      const { host } = new URL(use().anybody.url);
      expect((await get(`/v2/${name}/manifests/v1?ns=${encodeURIComponent(host)}`)).status).toBe(200);
    });

    test('asks no host that it was not told of', async () => {
      for (const path of ['/v2/a/b/manifests/v1?ns=other.example', '/other.example/v2/a/b/manifests/v1'])
        expect(refusal(await get(path))).toEqual([404, 'NAME_UNKNOWN']);
    });

    // "`Host` header passed to the registry will be the host of the PROXY"; "Authorization credentials for an upstream
    // registry SHOULD NOT be sent to a proxy registry", nor those of the proxy to the upstream
    test("sends nothing of its client's upstream", async () => {
      const name = remote();
      offer(name, content, 'v1');
      const authorization = basic(use().secrets.reader);
      await use().anybody.as(authorization).get(`/v2/${name}/manifests/v1?ns=nvcr.io`, { cookie: 'a=b' });
      const calls = use().origin.calls(`/v2/${name}/manifests/v1`);
      expect(calls.length).toBeGreaterThan(0);
      for (const { headers } of calls)
        expect([headers.authorization, headers.cookie, headers.host]).toEqual([
          undefined,
          undefined,
          use().origin.host,
        ]);
    });

    // "A GET request may be redirected": the answer is the same as without
    test('follows redirects, and gives the bytes itself', async () => {
      const [name, bytes] = [remote(), fresh(3000)];
      const digest = digestOf(bytes);
      use().origin.set(`/v2/${name}/blobs/${digest}`, {
        body: '',
        status: 307,
        headers: { location: `${use().origin.url}/stored/${digest}?signed=1` },
      });
      use().origin.set(`/stored/${digest}?signed=1`, { body: bytes });
      const answer = await get(`/v2/nvcr.io/${name}/blobs/${digest}`);
      expect([answer.status, answer.headers.location, answer.bytes.equals(bytes)]).toEqual([200, undefined, true]);
    });

    test('answers HEAD before it has it as GET after, and parts of what it does not have', async () => {
      const [name, bytes] = [remote(), fresh(3000)];
      const path = `/v2/nvcr.io/${name}/blobs/${digestOf(bytes)}`;
      use().origin.set(path.replace('/nvcr.io', ''), { body: bytes });
      const head = await use().anybody.head(path);
      expect([head.status, head.headers['content-length'], head.headers['docker-content-digest']]).toEqual([
        200,
        '3000',
        digestOf(bytes),
      ]);
      const part = await get(path, { range: 'bytes=2000-5000' });
      expect([part.status, part.headers['content-range'], part.bytes.equals(bytes.subarray(2000))]).toEqual([
        206,
        'bytes 2000-2999/3000',
        true,
      ]);
      expect((await get(path)).bytes.equals(bytes)).toBe(true);
    });

    test('keeps and gives nothing that its origin damaged', async () => {
      const [name, bytes] = [remote(), fresh(3000)];
      const digest = absent();
      use().origin.set(`/v2/${name}/blobs/${digest}`, { body: bytes });
      for (let times = 0; times < 2; times += 1) {
        const got = await get(`/v2/nvcr.io/${name}/blobs/${digest}`).then(
          ({ status }) => status,
          () => 'cut',
        );
        expect(got).not.toBe(200);
      }
      offerManifest(name, { ...image(), digest });
      expect((await get(`/v2/nvcr.io/${name}/manifests/${digest}`)).status).toBeGreaterThanOrEqual(500);
    });

    test('lists the tags of its origin, in order and in pages of its own', async () => {
      const name = remote();
      const next = `/v2/${name}/tags/list?n=2&last=b`;
      use().origin.set(`/v2/${name}/tags/list`, {
        body: JSON.stringify({ name, tags: ['c', 'b'] }),
        headers: { link: `<${next}>; rel="next"` },
      });
      use().origin.set(next, { body: JSON.stringify({ name, tags: ['a', 'D'] }) });
      const answer = await get(`/v2/nvcr.io/${name}/tags/list`);
      expect(answer.json()).toEqual({ name: `nvcr.io/${name}`, tags: ['D', 'a', 'b', 'c'] });
      expect((await get(`/v2/${name}/tags/list?n=2&last=D&ns=nvcr.io`)).json()).toEqual({ name, tags: ['a', 'b'] });
    });

    test('says 404 of what its origin does not have', async () => {
      const name = remote();
      for (const what of ['manifests/v1', `manifests/${absent()}`, `blobs/${absent()}`, 'tags/list'])
        expect((await get(`/v2/nvcr.io/${name}/${what}`)).status).toBe(404);
    });
  });

  // main, spec.md#error-codes: "A `429 Too Many Requests` response SHOULD include a `Retry-After` header"
  test('an origin that is asked too much is passed on, with when to ask again', async () => {
    const name = remote();
    for (const times of [1, 2]) {
      use().origin.fail({
        path: `/v2/${name}/manifests/v${times}`,
        times: 5,
        status: 429,
        headers: { 'retry-after': '17' },
      });
      const answer = await get(`/v2/quay.io/${name}/manifests/v${times}`);
      expect(refusal(answer)).toEqual([429, 'TOOMANYREQUESTS']);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
  });
}
