import { describe, expect, test } from 'vitest';
import { type Algorithm, absent, BYTES, digestOf, fresh } from './content.ts';
import { locationOf, newName, refusal, withQuery } from './registry.ts';
import type { Use } from './site.ts';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** spec.md#pushing-a-blob-monolithically */
export function pushConformance(use: Use): void {
  describe('pushing a blob in one piece', () => {
    const name = newName('push');
    const uploads = `/v2/${name}/blobs/uploads/`;
    const writer = () => use().writer;
    const post = (query: string, body: Buffer) =>
      writer().ask('POST', `${uploads}?${query}`, { body, headers: { 'content-type': BYTES } });
    const put = (location: string, query: string, body: Buffer) =>
      writer().ask('PUT', withQuery(location, query), { body, headers: { 'content-type': BYTES } });
    const isHeld = async (bytes: Buffer, algorithm: Algorithm = 'sha256') =>
      (await use().anybody.get(`/v2/${name}/blobs/${digestOf(bytes, algorithm)}`)).bytes.equals(bytes);

    // "the response MUST have a code of `202 Accepted`, and MUST include the following header: Location"; "MUST contain
    // a UUID representing a unique session ID"
    test('begins with a POST that gives an address of its own to each upload', async () => {
      const [one, other] = [await writer().start(name), await writer().start(name)];
      expect(one).toMatch(UUID);
      expect(other).toMatch(UUID);
      expect(one).not.toBe(other);
    });

    // "the response MUST have code `201 Created` and MUST have the following header: Location … a pullable blob URL"
    test.each<[string, number, Algorithm]>([
      ['a small blob', 100, 'sha256'],
      ['a blob of no bytes', 0, 'sha256'],
      ['a blob of one byte', 1, 'sha256'],
      ['a blob of 20 MiB', 20 << 20, 'sha256'],
      ['a blob that is called by its sha512', 70_000, 'sha512'],
      ['a blob of no bytes that is called by its sha512', 0, 'sha512'],
    ])('and ends with a PUT: %s', async (_what, size, algorithm) => {
      const bytes = fresh(size);
      const digest = digestOf(bytes, algorithm);
      const location = await writer().start(name);
      const answer = await put(location, `digest=${digest}`, bytes);
      const pulled = await use().anybody.get(locationOf(answer, 201));
      expect([pulled.status, pulled.bytes.equals(bytes)]).toEqual([200, true]);
      expect(answer.headers['docker-content-digest']).toBe(digest);
      expect(await isHeld(bytes, algorithm)).toBe(true);
    });

    test('takes the digest with its colon escaped, and a body that does not say its length', async () => {
      const bytes = fresh(50_000);
      const query = `digest=${encodeURIComponent(digestOf(bytes))}`;
      const stream = [bytes.subarray(0, 10), bytes.subarray(10, 30_000), bytes.subarray(30_000)];
      const answer = await writer().ask('PUT', withQuery(await writer().start(name), query), { stream });
      expect(answer.status).toBe(201);
      expect(await isHeld(bytes)).toBe(true);
    });

    // "Successful completion of the request MUST return a `201 Created` and MUST include the following header: Location"
    test.each<[string, number, Algorithm]>([
      ['a blob', 5000, 'sha256'],
      ['a blob of no bytes', 0, 'sha256'],
      ['a blob that is called by its sha512', 5000, 'sha512'],
    ])('may be a single POST: %s', async (_what, size, algorithm) => {
      const bytes = fresh(size);
      const answer = await post(`digest=${digestOf(bytes, algorithm)}`, bytes);
      const pulled = await use().anybody.get(locationOf(answer, 201));
      expect([pulled.status, pulled.bytes.equals(bytes)]).toEqual([200, true]);
    });

    test('may be a single POST that does not say its length', async () => {
      const bytes = fresh(3000);
      const stream = [bytes.subarray(0, 1000), bytes.subarray(1000)];
      const answer = await writer().ask('POST', `${uploads}?digest=${digestOf(bytes)}`, { stream });
      expect(answer.status).toBe(201);
      expect(await isHeld(bytes)).toBe(true);
    });

    // "if the client provided digest is invalid or uses an unsupported algorithm, the registry SHOULD respond with a
    // response code `400 Bad Request`" (main)
    test.each([
      ['a digest that is none', 'sha256:baddigeststring'],
      ['a digest in capitals', `sha256:${'A'.repeat(64)}`],
      ['a digest that is too short', `sha256:${'a'.repeat(63)}`],
      ['an algorithm that is not known', `blake3:${'a'.repeat(64)}`],
      ['an algorithm that is no longer trusted', `md5:${'a'.repeat(32)}`],
      ['a word', 'latest'],
      ['nothing', ''],
    ])('is refused with %s', async (_what, digest) => {
      expect(refusal(await put(await writer().start(name), `digest=${digest}`, fresh()))).toEqual([
        400,
        'DIGEST_INVALID',
      ]);
      if (digest !== '') expect(refusal(await post(`digest=${digest}`, fresh()))).toEqual([400, 'DIGEST_INVALID']);
    });

    test('is refused without a digest', async () => {
      const answer = await writer().ask('PUT', await writer().start(name), { body: fresh() });
      expect(refusal(answer)).toEqual([400, 'DIGEST_INVALID']);
    });

    // "the `<digest>` MUST match the blob's digest"; code-4: "provided digest did not match uploaded content"
    test.each(['sha256', 'sha512'] as const)(
      'is refused, and kept nowhere, when the bytes have another %s',
      async (algorithm) => {
        const digest = absent(algorithm);
        const bytes = fresh();
        expect(refusal(await put(await writer().start(name), `digest=${digest}`, bytes))).toEqual([
          400,
          'DIGEST_INVALID',
        ]);
        expect(refusal(await post(`digest=${digest}`, bytes))).toEqual([400, 'DIGEST_INVALID']);
        for (const one of [digest, digestOf(bytes, algorithm)])
          expect((await use().anybody.head(`/v2/${name}/blobs/${one}`)).status).toBe(404);
      },
    );

    // "Layer Upload De-duplication": "both operations will proceed and the first to complete will be stored"
    test('may be done by ten clients at once with the same blob, and once more', async () => {
      const bytes = fresh(100_000);
      const pushed = await Promise.all(Array.from({ length: 10 }, () => writer().pushBlob(name, bytes)));
      expect(new Set(pushed)).toEqual(new Set([digestOf(bytes)]));
      await writer().pushBlob(name, bytes);
      expect(await isHeld(bytes)).toBe(true);
    });

    test('is for those with a token that may write, and nobody else', async () => {
      const bytes = fresh();
      const address = `${uploads}?digest=${digestOf(bytes)}`;
      expect(refusal(await use().anybody.ask('POST', address, { body: bytes }))).toEqual([401, 'UNAUTHORIZED']);
      const reader = use().anybody.as(`Bearer ${use().secrets.reader}`);
      expect(refusal(await reader.ask('POST', address, { body: bytes }))).toEqual([403, 'DENIED']);
      expect((await use().anybody.head(`/v2/${name}/blobs/${digestOf(bytes)}`)).status).toBe(404);
    });
  });
}
