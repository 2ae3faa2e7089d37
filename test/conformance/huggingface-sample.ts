import { randomBytes } from 'node:crypto';
import { blobId, pointerText } from '../../services/huggingface/git-objects.ts';
import { digestOf } from '../../shared/model/digest.ts';
import type { OriginServer } from '../support/origin-server.ts';
import type { ServiceSample } from './service.ts';

const SHA = '83bdd5c9508e07b84b16be88ec22430264b480b3';

/** A repo of two large files at an origin that knows nothing else. */
function offer(origin: OriginServer, id: string, files: Record<string, Buffer>): void {
  const entries = Object.entries(files).map(([path, bytes]) => {
    const oid = digestOf(bytes).slice('sha256:'.length);
    const pointer = Buffer.from(pointerText(oid, bytes.length));
    const lfs = { oid, size: bytes.length, pointerSize: pointer.length };
    return { type: 'file', oid: blobId(pointer), size: bytes.length, lfs, path };
  });
  const info = { id, sha: SHA, gated: false, siblings: entries.map(({ path }) => ({ rfilename: path })) };
  const json = { type: 'application/json', etag: '"1"' };
  for (const rev of ['main', SHA])
    origin.set(`/api/models/${id}/revision/${rev}`, { ...json, body: JSON.stringify(info) });
  origin.set(`/api/models/${id}/tree/${SHA}?recursive=true&expand=false`, { ...json, body: JSON.stringify(entries) });
  for (const [path, bytes] of Object.entries(files))
    origin.set(`/${id}/resolve/${SHA}/${path}`, { body: bytes, etag: '"x"', headers: { 'x-repo-commit': SHA } });
}

/** A model of two files. */
export function hubSample(origin: OriginServer): ServiceSample {
  const contents: Record<string, Buffer> = {
    'a.safetensors': randomBytes(300_000),
    'b.safetensors': randomBytes(300_000),
  };
  offer(origin, 'acme/sample', contents);
  const [first, second] = Object.entries(contents).map(([path, bytes]) => {
    const address = `/acme/sample/resolve/${SHA}/${path}`;
    return { path: address, originPath: address, bytes };
  });
  return {
    env: { LARDER_HUGGINGFACE_ORIGIN: origin.url, LARDER_PYPI_ENABLED: 'false' },
    files: [first!, second!],
    page: { path: '/api/models/acme/sample', originPath: '/api/models/acme/sample/revision/main' },
    absent: '/api/models/nobody/has-this',
    item: { hf: 'acme/sample', include: ['a.*'] },
  };
}
