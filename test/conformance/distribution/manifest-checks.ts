import { beforeAll, describe, expect, test } from 'vitest';
import {
  CONFIG,
  type Content,
  descriptorOf,
  digestOf,
  fresh,
  INDEX,
  imageOn,
  index,
  LAYER,
  MANIFEST,
  rawManifest,
} from './content.ts';
import { type ErrorBody, newName, refusal } from './registry.ts';
import type { Use } from './site.ts';

const FOREIGN = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
const DOCKER_FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
/** A descriptor of what is nowhere. */
const somewhere = (mediaType: string, more: object = {}) => ({
  mediaType,
  digest: digestOf(fresh()),
  size: 1234,
  ...more,
});

/** spec.md#push and spec.md#pushing-manifests: what may be refused, what must be, and how */
export function manifestCheckConformance(use: Use): void {
  const name = newName('checks');
  const blob = fresh();
  const [config, layer] = [descriptorOf(blob, CONFIG), descriptorOf(blob, LAYER)];
  const made = (more: object = {}) => imageOn(blob, more);
  const put = (content: Content, reference = content.digest) => use().writer.put(name, reference, content);
  const get = (reference: string) => use().anybody.get(`/v2/${name}/manifests/${reference}`);

  beforeAll(async () => {
    await use().writer.pushBlob(name, blob);
  });

  describe('a manifest that names others', () => {
    // "A registry MAY reject a manifest … with descriptors in other fields that reference a manifest or blob that does
    // not exist in the registry. When a manifest is rejected for this reason, it MUST result in one or more
    // `MANIFEST_BLOB_UNKNOWN` errors"
    test.each([
      ['a layer', { layers: [layer, somewhere(LAYER)] }],
      ['its config', { config: somewhere(CONFIG) }],
      [
        'a layer that is called by its sha512',
        { layers: [{ ...somewhere(LAYER), digest: digestOf(fresh(), 'sha512') }] },
      ],
    ])('is refused when %s is nowhere, and is not there', async (_what, more) => {
      const content = made(more);
      const answer = await put(content);
      const { errors } = answer.json<ErrorBody>();
      expect(errors.map(({ code }) => code)).toEqual(['MANIFEST_BLOB_UNKNOWN']);
      expect([400, 404]).toContain(answer.status);
      expect((await get(content.digest)).status).toBe(404);
    });

    test('is taken when these are images, as an index that is brought without some of its platforms', async () => {
      const here = made();
      const sparse = index([
        here.descriptor,
        somewhere(MANIFEST, { platform: { os: 'linux', architecture: 's390x' } }),
        somewhere(INDEX),
      ]);
      await put(here);
      expect((await put(sparse)).status).toBe(201);
      expect((await get(sparse.digest)).bytes.equals(sparse.bytes)).toBe(true);
    });

    // image-spec, layer.md#non-distributable-layers: "SHOULD NOT be uploaded"
    test.each([FOREIGN, DOCKER_FOREIGN])(
      'is taken without a layer that is not to be distributed: %s',
      async (mediaType) => {
        const content = made({
          layers: [somewhere(mediaType, { urls: ['https://example.com/layer'] }), somewhere(mediaType)],
        });
        expect((await put(content)).status).toBe(201);
      },
    );

    test('is refused when one has another size than it says', async () => {
      const answer = await put(made({ layers: [{ ...layer, size: layer.size + 1 }] }));
      expect(refusal(answer)).toEqual([400, 'SIZE_INVALID']);
    });
  });

  describe('what is no manifest', () => {
    test.each<[string, string, string?]>([
      ['nothing', ''],
      ['no JSON', '{"schemaVersion": 2'],
      ['a list', '[]'],
      ['null', 'null'],
      ['a descriptor that is none', JSON.stringify({ schemaVersion: 2, config: 'c', layers: [] })],
      [
        'a digest that is none',
        JSON.stringify({ schemaVersion: 2, config: { ...config, digest: 'sha256:bad' }, layers: [] }),
      ],
      ['a size below 0', JSON.stringify({ schemaVersion: 2, config: { ...config, size: -1 }, layers: [] })],
      ['layers that are no list', JSON.stringify({ schemaVersion: 2, config, layers: {} })],
      ['a subject that is none', JSON.stringify({ schemaVersion: 2, config, layers: [], subject: 'sha256' })],
      [
        'another type than it says of itself',
        JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] }),
        MANIFEST,
      ],
    ])('is refused: %s', async (_what, text, mediaType) => {
      expect(refusal(await put(rawManifest(text, mediaType), 'invalid'))).toEqual([400, 'MANIFEST_INVALID']);
      expect((await get('invalid')).status).toBe(404);
    });

    test.each(['sha256', 'sha512'] as const)('is refused under the %s of something else', async (algorithm) => {
      const wrong = digestOf(fresh(), algorithm);
      const content = made();
      expect(refusal(await put(content, wrong))).toEqual([400, 'DIGEST_INVALID']);
      for (const one of [wrong, content.digest]) expect((await get(one)).status).toBe(404);
    });

    test.each(['sha256:baddigeststring', `sha256:${'Z'.repeat(64)}`, `md5:${'a'.repeat(32)}`])(
      'is refused under %s',
      async (reference) => {
        expect(refusal(await put(made(), reference))).toEqual([400, 'DIGEST_INVALID']);
        expect([400, 404]).toContain((await get(reference)).status);
      },
    );
  });
}
