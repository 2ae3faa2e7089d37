import { send, sendFacts } from '../../shared/http/send.ts';
import type { Facts } from '../../shared/model/entry.ts';
import { type Asked, pathOf, type Rooms, sendEmpty } from './asked.ts';
import { checkDigest } from './digests.ts';
import { OciError } from './errors.ts';
import { blobKey, DIGEST_HEADER, layerKey } from './keys.ts';
import { missing } from './missing.ts';

/**
 * GET and HEAD of a blob (distribution-spec, spec.md#pulling-blobs): one range or several, headers at once, also while
 * it is still on its way here.
 */
export async function getBlob(rooms: Rooms, asked: Asked): Promise<void> {
  const { req, res, address, repository } = asked;
  const digest = checkDigest(address.reference);
  const ref = rooms.refs.blob(repository, digest);
  const told = (error: unknown) => missing(rooms, asked, ref, error);
  const options = { cacheControl: 'max-age=31536000, immutable', headers: headersOf(asked, digest) };
  const asBlob = (facts: Facts) => ({ ...facts, mediaType: 'application/octet-stream', etag: `"${digest}"` });
  if (req.method === 'HEAD') {
    const { facts, served } = await rooms.context.mirror.describe(ref).catch(told);
    return sendFacts(req, res, asBlob(facts), { ...options, served });
  }
  const resource = await rooms.context.mirror.open(ref).catch(told);
  return send(req, res, { ...resource, facts: asBlob(resource.facts), open: (range) => resource.open(range) }, options);
}

/** Ollama goes nowhere without a `Location`, on an answer that needs none (reference oci.md §3.7). */
function headersOf(asked: Asked, digest: string): Record<string, string> {
  const isOllama = /^ollama\//i.test(asked.req.headers['user-agent'] ?? '');
  return { [DIGEST_HEADER]: digest, ...(isOllama ? { location: pathOf(asked, `blobs/${digest}`) } : {}) };
}

/** DELETE of a blob: it leaves this repository, and stays where others need it (spec.md#deleting-blobs). */
export async function deleteBlob(rooms: Rooms, asked: Asked): Promise<void> {
  const { res, address, repository } = asked;
  const digest = checkDigest(address.reference);
  const { catalog } = rooms.context;
  const key = repository.registry ? blobKey(digest) : layerKey(repository.name, digest);
  if (!(await catalog.get(key)))
    throw new OciError('not-found', 'blob', `${repository.name} has no blob ${digest}`, { code: 'BLOB_UNKNOWN' });
  await catalog.delete(key);
  sendEmpty(res, 202, {});
}
