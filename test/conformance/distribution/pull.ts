import { beforeAll, describe, expect, test } from 'vitest';
import { absent, BYTES, type Content, digestOf, fresh, image, manifestOf } from './content.ts';
import { type Answer, newName, refusal } from './registry.ts';
import type { Use } from './site.ts';

/** Fields that say when and how it was sent, and not what. */
const PASSING = ['date', 'connection', 'keep-alive', 'x-request-id', 'x-larder-served'];
const fieldsOf = ({ headers }: Answer) =>
  Object.entries(headers)
    .filter(([name]) => !PASSING.includes(name))
    .sort();

/** distribution-spec, spec.md#pull */
export function pullConformance(use: Use): void {
  describe('pulling', () => {
    const name = newName('pull');
    const other = newName('other');
    const content = image();
    const strong = image({}, 'sha512');
    const blob = fresh(5000);
    const digest = digestOf(blob);
    const at = (what: string) => `/v2/${name}/${what}`;
    const get = (what: string, headers = {}) => use().anybody.get(at(what), headers);

    beforeAll(async () => {
      await use().writer.push(name, content, 'v1');
      await use().writer.push(name, strong);
      await use().writer.pushBlob(name, blob);
      await use().writer.pushBlob(name, blob, 'sha512');
      await use().writer.push(other, image(), 'v1');
    });

    // "A GET request to an existing manifest URL MUST provide the expected manifest, with a response code that MUST be
    // `200 OK`. A successful response MUST contain the digest of the uploaded blob in the header
    // `Docker-Content-Digest`." (main; SHOULD in 1.1.1)
    test.each<[string, string, Content]>([
      ['a tag', 'v1', content],
      ['its sha256', content.digest, content],
      ['its sha512', strong.digest, strong],
    ])('gives a manifest by %s, byte for byte, and says its digest', async (_what, reference, pushed) => {
      const answer = await get(`manifests/${reference}`);
      expect(answer.status).toBe(200);
      expect(answer.bytes.equals(pushed.bytes)).toBe(true);
      expect(answer.headers['docker-content-digest']).toBe(pushed.digest);
    });

    // "The `Content-Type` header SHOULD match what the client pushed as the manifest's `Content-Type`. The registry
    // SHOULD NOT include parameters on the `Content-Type` header."
    test('gives a manifest as what it was pushed, without parameters, whatever the client says it accepts', async () => {
      const custom = manifestOf({
        ...JSON.parse(String(content.bytes)),
        mediaType: 'application/vnd.example.thing+json',
      });
      await use().writer.put(name, 'custom', custom);
      for (const accept of [custom.mediaType, 'application/vnd.oci.image.index.v1+json', '*/*'])
        expect((await get('manifests/custom', { accept })).headers['content-type']).toBe(custom.mediaType);
    });

    // "If the manifest is not found in the repository, the response code MUST be `404 Not Found`."
    test.each([
      ['a tag that nobody pushed', 'manifests/never-pushed'],
      ['a manifest that nobody pushed', `manifests/${absent()}`],
      ['one of that sha512', `manifests/${absent('sha512')}`],
      ['what is no tag', 'manifests/-latest'],
    ])('answers 404 to %s', async (_what, path) => {
      expect(refusal(await get(path))).toEqual([404, 'MANIFEST_UNKNOWN']);
      expect((await use().anybody.head(at(path))).status).toBe(404);
    });

    test('answers 404 to a manifest and a blob that another repository has', async () => {
      const there = (what: string) => use().anybody.get(`/v2/${other}/${what}`);
      expect(refusal(await there(`manifests/${content.digest}`))).toEqual([404, 'MANIFEST_UNKNOWN']);
      expect(refusal(await there(`blobs/${digest}`))).toEqual([404, 'BLOB_UNKNOWN']);
    });

    // "A GET request to an existing blob URL MUST provide the expected blob, with a response code that MUST be `200 OK`."
    test.each(['sha256', 'sha512'] as const)('gives a blob by its %s, and says that digest', async (algorithm) => {
      const answer = await get(`blobs/${digestOf(blob, algorithm)}`);
      expect(answer.status).toBe(200);
      expect(answer.bytes.equals(blob)).toBe(true);
      // "the value of this header MUST be a digest matching that of the response body"
      expect(answer.headers['docker-content-digest']).toBe(digestOf(blob, algorithm));
      expect(answer.headers['content-type']).toBe(BYTES);
    });

    // "If the blob is not found in the repository, the response code MUST be `404 Not Found`."
    test('answers 404 to a blob that nobody pushed', async () => {
      for (const one of [absent(), absent('sha512')]) {
        expect(refusal(await get(`blobs/${one}`))).toEqual([404, 'BLOB_UNKNOWN']);
        expect((await use().anybody.head(at(`blobs/${one}`))).status).toBe(404);
      }
    });

    // "A successful response MUST contain the size in bytes of the uploaded blob or manifest in the header
    // `Content-Length`." (main; SHOULD in 1.1.1)
    test.each([
      ['a manifest by its tag', 'manifests/v1', content.bytes.length],
      ['a manifest by its digest', `manifests/${content.digest}`, content.bytes.length],
      ['a manifest by its sha512', `manifests/${strong.digest}`, strong.bytes.length],
      ['a blob', `blobs/${digest}`, blob.length],
      ['a blob by its sha512', `blobs/${digestOf(blob, 'sha512')}`, blob.length],
    ])('answers HEAD of %s with all that GET says, and no body', async (_what, path, size) => {
      const [head, got] = [await use().anybody.head(at(path)), await get(path)];
      expect([head.status, head.bytes.length, head.headers['content-length']]).toEqual([200, 0, `${size}`]);
      expect(fieldsOf(head)).toEqual(fieldsOf(got));
    });

    test('answers HEAD of what is not there with no body', async () => {
      expect((await use().anybody.head(at(`blobs/${absent()}`))).bytes.length).toBe(0);
      expect((await use().anybody.head(at('manifests/no'))).bytes.length).toBe(0);
    });

    test('takes the colon of a digest as %3A, too', async () => {
      expect((await get(`blobs/${digest.replace(':', '%3A')}`)).bytes.equals(blob)).toBe(true);
      expect((await get(`manifests/${content.digest.replace(':', '%3a')}`)).status).toBe(200);
    });

    // "implementations SHOULD follow the HTTP semantics defined in RFC 9110" (main): §13.1.2, If-None-Match
    test('answers 304 to who has it already', async () => {
      for (const path of ['manifests/v1', `manifests/${content.digest}`, `blobs/${digest}`]) {
        const etag = String((await get(path)).headers.etag);
        expect(etag).toMatch(/^"sha256:[0-9a-f]{64}"$/);
        const again = await get(path, { 'if-none-match': etag });
        expect([again.status, again.bytes.length]).toEqual([304, 0]);
      }
    });
  });
}
