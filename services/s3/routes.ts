import type { RequestHandler } from 'express';
import type { Context } from '../../shared/service/service.ts';
import { parseAddress } from './address.ts';
import { admit } from './admission.ts';
import { type Asked, field, has } from './asked.ts';
import { bucketLocation, createBucket, deleteBucket, headBucket, listBuckets } from './buckets.ts';
import { completeUpload } from './complete.ts';
import type { S3Config } from './config.ts';
import { copyObject } from './copy.ts';
import { deleteObjects } from './delete-many.ts';
import { S3Error } from './errors.ts';
import { KeyRing, patternOf, type Signer } from './key-ring.ts';
import { listObjects } from './lists.ts';
import { deleteObject, getObject, putObject } from './objects.ts';
import { bucketSetting, isBucketSetting, notThere, objectAcl } from './subresources.ts';
import { deleteTags, getTags, putTags } from './tagging.ts';
import { Turns } from './turns.ts';
import { abortUpload, createUpload, listParts, listUploads, putPart } from './uploads.ts';

/** All that is asked of S3: one address, and what it means is in its method, its query and its fields. */
export function routes(context: Context<S3Config>): RequestHandler {
  const ring = new KeyRing(context);
  const open = context.config.public.map(patternOf);
  const turns = new Turns();
  return async (req, res, next) => {
    try {
      const address = parseAddress(req, context.config.domains);
      const { bucket = '', key = '' } = address;
      const { signer, payload } = await admit(ring, req, address, context.now());
      checkAccess(signer, req.method, bucket, open);
      const identity = signer && { id: signer.id, name: signer.name };
      const asked: Asked = { context, req, res, address, bucket, key, identity, payload };
      if (bucket === '') await onSite(asked);
      else if (key === '') await onBucket(asked, turns);
      else await onObject(asked, turns);
    } catch (error) {
      next(error);
    }
  };
}

function checkAccess(signer: Signer | undefined, method: string, bucket: string, open: readonly RegExp[]): void {
  const action = method === 'GET' || method === 'HEAD' ? 'read' : 'write';
  const isOpen = action === 'read' && bucket !== '' && open.some((one) => one.test(bucket));
  if (isOpen || signer?.may(action, bucket)) return;
  const message = signer
    ? `the key of "${signer.name}" may not ${action} here`
    : 'this needs a signature; "larder token create <name> --write --s3" makes an access key';
  throw new S3Error('forbidden', 'AccessDenied', message);
}

async function onSite(asked: Asked): Promise<void> {
  if (asked.req.method === 'GET') return listBuckets(asked);
  throw notAllowed();
}

async function onBucket(asked: Asked, turns: Turns): Promise<void> {
  if (isBucketSetting(asked)) return bucketSetting(asked);
  switch (asked.req.method) {
    case 'GET':
      if (has(asked, 'location')) return bucketLocation(asked);
      return has(asked, 'uploads') ? listUploads(asked) : listObjects(asked);
    case 'HEAD':
      return headBucket(asked);
    case 'PUT':
      return createBucket(asked);
    case 'DELETE':
      return deleteBucket(asked);
    case 'POST':
      if (has(asked, 'delete')) return deleteObjects(asked, turns);
      throw notThere();
    default:
      throw notAllowed();
  }
}

async function onObject(asked: Asked, turns: Turns): Promise<void> {
  const { method } = asked.req;
  if (has(asked, 'acl')) return objectAcl(asked);
  if (has(asked, 'tagging')) return onTags(asked, turns);
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (['torrent', 'retention', 'legal-hold', 'attributes'].some((name) => has(asked, name))) throw notThere();
      return method === 'GET' && has(asked, 'uploadId') ? listParts(asked) : getObject(asked);
    case 'PUT':
      if (has(asked, 'uploadId')) return putPart(asked);
      return field(asked, 'x-amz-copy-source') === undefined ? putObject(asked, turns) : copyObject(asked, turns);
    case 'DELETE':
      return has(asked, 'uploadId') ? abortUpload(asked) : deleteObject(asked, turns);
    case 'POST':
      if (has(asked, 'uploads')) return createUpload(asked);
      if (has(asked, 'uploadId')) return completeUpload(asked, turns);
      throw notThere();
    default:
      throw notAllowed();
  }
}

async function onTags(asked: Asked, turns: Turns): Promise<void> {
  const { method } = asked.req;
  if (method === 'GET') return getTags(asked);
  if (method === 'PUT') return putTags(asked, turns);
  if (method === 'DELETE') return deleteTags(asked, turns);
  throw notAllowed();
}

function notAllowed(): S3Error {
  return new S3Error('unsupported', 'MethodNotAllowed', 'this method is not for this address');
}
