import type { RequestHandler } from 'express';
import { DocumentCache } from '../../shared/mirror/document-cache.ts';
import { Turns } from '../../shared/mirror/turns.ts';
import type { Context } from '../../shared/service/service.ts';
import { parseAddress } from './address.ts';
import { admit } from './admission.ts';
import { type Asked, field, has } from './asked.ts';
import { getAttributes } from './attributes.ts';
import { bucketLocation, createBucket, deleteBucket, headBucket, listBuckets } from './buckets.ts';
import { completeUpload } from './complete.ts';
import type { S3Config } from './config.ts';
import { copyObject } from './copy.ts';
import { deleteObjects } from './delete-many.ts';
import { S3Error } from './errors.ts';
import { postObject } from './form/post-object.ts';
import { KeyRing, patternOf, type Signer } from './key-ring.ts';
import { listParts, listUploads } from './list-uploads.ts';
import { listObjects } from './lists.ts';
import { deleteObject, putObject } from './objects.ts';
import { getObject } from './read-object.ts';
import { bucketSetting, isBucketSetting, isObjectSetting, notThere, objectAcl, objectSetting } from './subresources.ts';
import { deleteTags, getTags, putTags } from './tagging.ts';
import { sweepUploads } from './upload-sweep.ts';
import { abortUpload, createUpload, putPart } from './uploads.ts';
import { checkWritable, viewsOf } from './views.ts';
import { checkOwner } from './wishes.ts';

/** All that is asked of S3: one address, and what it means is in its method, its query and its fields. */
export function routes(context: Context<S3Config>): RequestHandler {
  const ring = new KeyRing(context);
  const open = context.config.public.map(patternOf);
  const turns = new Turns();
  const views = viewsOf(context);
  const small = new DocumentCache();
  sweepUploads(context);
  return async (req, res, next) => {
    try {
      const address = parseAddress(req, context.config.domains);
      const { bucket = '', key = '' } = address;
      const { signer, payload } = await admit(ring, req, address, context.now());
      const identity = signer && { id: signer.id, name: signer.name };
      const check = (action: Action, of: string, by = signer) => checkAccess(by, action, of, open);
      const asked: Asked = {
        ...{ context, req, res, address, bucket, key, identity, payload, views, view: views(bucket), small },
        checkRead: (of) => check('read', of),
        mayRead: (of) => isAllowed(signer, 'read', of, open),
      };
      if (isForm(asked)) return await postObject(asked, turns, ring, (by) => check('write', bucket, by));
      check(req.method === 'GET' || req.method === 'HEAD' ? 'read' : 'write', bucket);
      checkOwner(asked);
      if (bucket === '') await onSite(asked);
      else if (key === '') await onBucket(asked, turns);
      else await onObject(asked, turns);
    } catch (error) {
      next(error);
    }
  };
}

type Action = 'read' | 'write';

function isAllowed(signer: Signer | undefined, action: Action, bucket: string, open: readonly RegExp[]): boolean {
  const isOpen = action === 'read' && bucket !== '' && open.some((one) => one.test(bucket));
  return isOpen || signer?.may(action, bucket) === true;
}

function checkAccess(signer: Signer | undefined, action: Action, bucket: string, open: readonly RegExp[]): void {
  if (isAllowed(signer, action, bucket, open)) return;
  const hint = signer
    ? `the key of "${signer.name}" may not ${action} here`
    : 'this needs a signature; "larder token create <name> --write --s3" makes an access key';
  throw new S3Error('forbidden', 'AccessDenied', `Access Denied: ${hint}`);
}

/** A form brings its own signature among its fields. */
function isForm({ req, bucket, key, identity, address }: Asked): boolean {
  const isPlain = identity === undefined && address.query.length === 0;
  return req.method === 'POST' && bucket !== '' && key === '' && isPlain;
}

async function onSite(asked: Asked): Promise<void> {
  if (asked.req.method === 'GET') return listBuckets(asked);
  throw notAllowed();
}

async function onBucket(asked: Asked, turns: Turns): Promise<void> {
  if (changes(asked)) checkWritable(asked.view, asked.bucket);
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
  if (changes(asked)) checkWritable(asked.view, asked.bucket);
  const { method } = asked.req;
  if (has(asked, 'acl')) return objectAcl(asked);
  if (has(asked, 'tagging')) return onTags(asked, turns);
  if (isObjectSetting(asked)) return objectSetting(asked);
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (has(asked, 'attributes')) return getAttributes(asked);
      return method === 'GET' && has(asked, 'uploadId') ? listParts(asked) : getObject(asked);
    case 'PUT':
      if (has(asked, 'uploadId') && has(asked, 'partNumber')) return putPart(asked);
      if (has(asked, 'uploadId') || has(asked, 'partNumber')) throw notAllowed();
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

const changes = ({ req: { method } }: Asked) => method !== 'GET' && method !== 'HEAD';

function notAllowed(): S3Error {
  return new S3Error('unsupported', 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
}
