import { randomBytes } from 'node:crypto';
import { digestOf, hexOf } from '../../shared/model/digest.ts';
import type { OriginServer } from '../support/origin-server.ts';
import type { ServiceSample } from './service.ts';

const PLACE = '/v2/models/acme/vision/detector';
const VERSION = 'trainable_v1.0';
const JSON_TYPE = { type: 'application/json', etag: '"1"' };

/** A model of one version, at an origin that knows nothing else. */
function offer(origin: OriginServer, files: Record<string, Buffer>): void {
  const model = { name: 'detector', orgName: 'acme', teamName: 'vision', latestVersionIdStr: VERSION };
  const modelVersion = { versionId: VERSION, status: 'UPLOAD_COMPLETE', totalFileCount: Object.keys(files).length };
  const modelFiles = Object.entries(files).map(([path, bytes]) => ({
    path,
    sizeInBytes: bytes.length,
    sha256_base64: Buffer.from(hexOf(digestOf(bytes)), 'hex').toString('base64'),
  }));
  const say = (path: string, value: object) => origin.set(path, { ...JSON_TYPE, body: JSON.stringify(value) });
  say(PLACE, { model });
  say(`${PLACE}/versions?page-size=1000`, { model, modelVersions: [modelVersion] });
  say(`${PLACE}/versions/${VERSION}`, { model, modelVersion });
  say(`${PLACE}/versions/${VERSION}/files?page-size=1000`, { modelFiles });
  for (const [path, bytes] of Object.entries(files))
    origin.set(`${PLACE}/versions/${VERSION}/files/${path}`, { body: bytes, etag: `"${bytes.length}-1"` });
}

/** A model of two files. */
export function ngcSample(origin: OriginServer): ServiceSample {
  const contents: Record<string, Buffer> = { 'weights/a.pth': randomBytes(300_000), 'b.onnx': randomBytes(300_000) };
  offer(origin, contents);
  const [first, second] = Object.entries(contents).map(([path, bytes]) => {
    const address = `${PLACE}/versions/${VERSION}/files/${path}`;
    return { path: address, originPath: address, bytes };
  });
  return {
    env: { LARDER_NGC_ORIGIN: origin.url, LARDER_PYPI_ENABLED: 'false', LARDER_HUGGINGFACE_ENABLED: 'false' },
    files: [first!, second!],
    page: { path: PLACE, originPath: PLACE },
    absent: '/v2/models/nobody/has-this',
    item: { ngc: `acme/vision/detector:${VERSION}` },
  };
}
