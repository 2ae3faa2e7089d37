import { beforeAll, describe, expect, test } from 'vitest';
import {
  CONFIG,
  type Content,
  descriptorOf,
  digestOf,
  EMPTY,
  fresh,
  imageOn,
  index,
  LAYER,
  MANIFEST,
  manifestOf,
  rawManifest,
} from './content.ts';
import { locationOf, newName, refusal } from './registry.ts';
import type { Use } from './site.ts';

const DOCKER_IMAGE = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

/** spec.md#pushing-manifests */
export function manifestConformance(use: Use): void {
  const name = newName('manifests');
  const blob = fresh();
  const [config, layer] = [descriptorOf(blob, CONFIG), descriptorOf(blob, LAYER)];
  const made = (more: object = {}) => imageOn(blob, more);
  const put = (content: Content, reference = content.digest, headers = {}) =>
    use().writer.put(name, reference, content, headers);
  const get = (reference: string) => use().anybody.get(`/v2/${name}/manifests/${reference}`);

  beforeAll(async () => {
    await use().writer.pushBlob(name, blob);
    await use().writer.pushBlob(name, Buffer.from('{}'));
  });

  describe('pushing a manifest', () => {
    // "The registry MUST store the manifest in the exact byte representation provided by the client. Upon a successful
    // upload, the registry MUST return response code `201 Created`, and MUST have the following header: Location … a
    // pullable manifest URL."
    test.each<[string, () => Content]>([
      ['an image', made],
      [
        'one with fields that nobody knows',
        () => made({ 'org.example': { deep: [1, { er: null }] }, layers: [{ ...layer, more: 'é' }] }),
      ],
      [
        'one that is written with white space, and says no media type',
        () => rawManifest(JSON.stringify({ schemaVersion: 2, config, layers: [] }, null, 4).concat('\n\n')),
      ],
      [
        'one whose descriptors carry their data',
        () => made({ config: { mediaType: EMPTY, digest: digestOf('{}'), size: 2, data: 'e30=' } }),
      ],
      ['one without layers', () => made({ layers: [] })],
      ['one with the same layer twice', () => made({ layers: [layer, layer] })],
      [
        'an artifact of a type of its own',
        () => made({ artifactType: 'application/vnd.example.sbom', layers: [{ ...layer, mediaType: 'text/plain' }] }),
      ],
      ['an image of Docker', () => made({ mediaType: DOCKER_IMAGE })],
      ['a list of Docker', () => manifestOf({ schemaVersion: 2, mediaType: DOCKER_LIST, manifests: [] })],
      ['an index of nothing', () => index([])],
      [
        'an index with a type of its own',
        () => index([], { artifactType: 'application/vnd.example.set', annotations: { a: 'b' } }),
      ],
      [
        'one that says when it was made, with a zone',
        () => made({ annotations: { 'org.opencontainers.image.created': '2026-11-24T12:00:00+01:00' } }),
      ],
    ])('keeps it byte for byte, by tag and by digest: %s', async (_what, make) => {
      const content = make();
      const { mediaType } = content;
      for (const reference of [content.digest, `t-${content.digest.slice(7, 20)}`]) {
        const answer = await put(content, reference);
        const pulled = await use().anybody.get(locationOf(answer, 201));
        // "MUST be equal to the client provided digest"
        expect(answer.headers['docker-content-digest']).toBe(content.digest);
        expect([pulled.status, pulled.headers['content-type'], pulled.bytes.equals(content.bytes)]).toEqual([
          200,
          mediaType,
          true,
        ]);
        expect((await get(reference)).bytes.equals(content.bytes)).toBe(true);
      }
    });

    test('keeps an index of images, and an index of indexes', async () => {
      const [one, two] = [made(), made()];
      const inner = index([one.descriptor, { ...two.descriptor, platform: { os: 'linux', architecture: 'arm64' } }]);
      const outer = index([inner.descriptor, one.descriptor]);
      for (const content of [one, two, inner, outer]) expect((await put(content)).status).toBe(201);
      for (const content of [inner, outer]) expect((await get(content.digest)).bytes.equals(content.bytes)).toBe(true);
    });

    test('keeps one under its sha512, and under its sha256 when it is pushed as that too', async () => {
      const content = made();
      const strong = digestOf(content.bytes, 'sha512');
      expect((await put(content, strong)).headers['docker-content-digest']).toBe(strong);
      expect((await get(strong)).headers['docker-content-digest']).toBe(strong);
      expect((await put(content)).headers['docker-content-digest']).toBe(content.digest);
      expect((await get(content.digest)).headers['docker-content-digest']).toBe(content.digest);
    });

    // "The registry SHOULD ignore parameters on the `Content-Type` header."
    test('ignores parameters of its Content-Type', async () => {
      const content = made();
      expect((await put(content, 'parameters', { 'content-type': `${MANIFEST}; charset=utf-8` })).status).toBe(201);
      expect((await get('parameters')).headers['content-type']).toBe(MANIFEST);
    });

    test('takes one that does not say its length', async () => {
      const content = made();
      const stream = [content.bytes.subarray(0, 20), content.bytes.subarray(20)];
      const headers = { 'content-type': MANIFEST };
      const answer = await use().writer.ask('PUT', `/v2/${name}/manifests/streamed`, { stream, headers });
      expect(answer.status).toBe(201);
      expect((await get('streamed')).bytes.equals(content.bytes)).toBe(true);
    });

    test('moves a tag, and leaves what it meant before under its digest', async () => {
      const [before, after] = [made(), made()];
      await put(before, 'moving');
      await put(after, 'moving');
      expect((await get('moving')).headers['docker-content-digest']).toBe(after.digest);
      expect((await get(before.digest)).status).toBe(200);
    });

    // "Client and registry implementations SHOULD expect to be able to support manifest pushes of at least 4 megabytes."
    test('takes one of 4 MiB', async () => {
      const content = made({ annotations: { 'org.example.big': 'x'.repeat((4 << 20) - 700) } });
      const padded = rawManifest(String(content.bytes).padEnd(4 << 20));
      expect((await put(padded)).status).toBe(201);
      expect((await get(padded.digest)).bytes.equals(padded.bytes)).toBe(true);
    });

    // "A registry SHOULD enforce some limit on the maximum manifest size … SHOULD respond … `413 Payload Too Large`"
    test.each(['its length said', 'its length not said'])('refuses one that is too large, %s', async (said) => {
      const content = made({ annotations: { 'org.example.big': 'x'.repeat(9 << 20) } });
      const path = `/v2/${name}/manifests/${content.digest}`;
      const body = said === 'its length said' ? { body: content.bytes } : { stream: [content.bytes] };
      const answer = await use().writer.ask('PUT', path, { ...body, headers: { 'content-type': MANIFEST } });
      expect(refusal(answer)).toEqual([413, 'SIZE_INVALID']);
    });

    test('of twenty clients at once keeps all of them', async () => {
      const contents = Array.from({ length: 20 }, made);
      await Promise.all(contents.map((content, at) => put(content, `at-once-${at}`)));
      for (const [at, content] of contents.entries())
        expect((await get(`at-once-${at}`)).headers['docker-content-digest']).toBe(content.digest);
    });
  });
}
