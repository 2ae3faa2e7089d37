import { randomBytes } from 'node:crypto';
import { digestOf } from '../../shared/model/digest.ts';
import type { OriginServer } from '../support/origin-server.ts';
import type { ServiceSample } from './service.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** An image of two layers at a registry that knows nothing else. */
function offer(origin: OriginServer, repository: string, layers: Buffer[]): void {
  const config = Buffer.from('{"architecture":"amd64","os":"linux"}');
  const blob = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: blob(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((bytes) => blob(bytes, LAYER)),
  });
  const digest = digestOf(manifest);
  for (const reference of ['1', digest])
    origin.set(`/v2/${repository}/manifests/${reference}`, {
      body: manifest,
      type: MANIFEST,
      etag: `"${digest}"`,
      headers: { 'docker-content-digest': digest },
    });
  for (const bytes of [config, ...layers]) origin.set(`/v2/${repository}/blobs/${digestOf(bytes)}`, { body: bytes });
}

/** An image of two layers. */
export function imageSample(origin: OriginServer): ServiceSample {
  const layers = [randomBytes(300_000), randomBytes(300_000)];
  offer(origin, 'acme/sample', layers);
  const [first, second] = layers.map((bytes) => ({
    path: `/v2/quay.io/acme/sample/blobs/${digestOf(bytes)}`,
    originPath: `/v2/acme/sample/blobs/${digestOf(bytes)}`,
    bytes,
  }));
  const registries = [{ name: 'quay.io', url: origin.url }];
  return {
    env: { LARDER_OCI_REGISTRIES: JSON.stringify(registries), LARDER_PYPI_ENABLED: 'false' },
    files: [first!, second!],
    page: { path: '/v2/quay.io/acme/sample/manifests/1', originPath: '/v2/acme/sample/manifests/1' },
    absent: '/v2/quay.io/nobody/has-this/manifests/1',
    item: { oci: 'quay.io/acme/sample:1' },
  };
}
