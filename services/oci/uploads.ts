import type { Request, Response } from 'express';
import { isKind, type MirrorError } from '../../shared/model/errors.ts';
import { type Asked, pathOf, type Rooms, sendEmpty } from './asked.ts';
import { checkAlgorithm, checkDigest, isDigest, promisedBy } from './digests.ts';
import { OciError } from './errors.ts';
import { DIGEST_HEADER } from './keys.ts';
import type { UploadSession } from './upload-sessions.ts';

/** POST (distribution-spec, spec.md#pushing-blobs): begins an upload, takes a blob whole, or mounts one. */
export async function startUpload(rooms: Rooms, asked: Asked): Promise<void> {
  const { req, address, repository } = asked;
  const { query } = address;
  const mount = query.get('mount');
  // "from" may be left out: what is held anywhere here will do. What cannot be mounted is uploaded.
  if (mount !== null && isDigest(mount) && (await mounted(rooms, asked, mount))) return created(asked, mount);
  const digest = query.get('digest');
  if (mount === null && digest !== null && announcesBody(req)) {
    await receiveWhole(rooms, asked, checkDigest(digest));
    return created(asked, digest);
  }
  const algorithm = checkAlgorithm(query.get('digest-algorithm') ?? 'sha256');
  const session = await rooms.uploads.start(repository.name, algorithm);
  progress(asked, session, 202);
}

async function mounted({ images, context }: Rooms, { repository }: Asked, digest: string): Promise<boolean> {
  if (repository.registry) return (await images.hasBlob(digest)) !== undefined;
  const done = await images.mountBlob(repository.name, digest);
  if (done) context.log.debug({ event: 'mount', repository: repository.name, digest }, 'blob mounted');
  return done;
}

function announcesBody(req: Request): boolean {
  return req.headers['transfer-encoding'] !== undefined || req.headers['content-length'] !== undefined;
}

/** The whole blob in one request goes straight into the store. */
async function receiveWhole(rooms: Rooms, { req, repository }: Asked, digest: string): Promise<void> {
  const { context, images } = rooms;
  const most = context.config.blobBytes;
  if (Number(req.headers['content-length'] ?? 0) > most)
    throw new OciError('too-large', 'upload', `a blob has at most ${most} bytes here (oci.blobBytes)`);
  const kept = await context.blobs.ingest(req, { subject: 'blob', promised: [promisedBy(digest)] }).catch(asInvalid);
  await images.nameBlob(repository.name, digest, kept, 'upload', repository.registry === undefined);
}

/** GET of an upload: how much of it is here. */
export async function uploadStatus(rooms: Rooms, asked: Asked): Promise<void> {
  progress(asked, sessionOf(rooms, asked), 204);
}

/** PATCH: one piece, in its place or, without `Content-Range`, behind what is here. */
export async function patchUpload(rooms: Rooms, asked: Asked): Promise<void> {
  const session = sessionOf(rooms, asked);
  checkPlace(asked, session);
  await rooms.uploads.append(session, asked.req);
  progress(asked, session, 202);
}

/** PUT: the last piece, if there is one, and what the whole is called. */
export async function finishUpload(rooms: Rooms, asked: Asked): Promise<void> {
  const { req, address, repository } = asked;
  const session = sessionOf(rooms, asked);
  const digest = checkDigest(address.query.get('digest') ?? '');
  checkPlace(asked, session);
  if (session.size === 0 && !session.busy) {
    await receiveWhole(rooms, asked, digest);
    await rooms.uploads.cancel(session);
    return created(asked, digest);
  }
  if (announcesBody(req)) await rooms.uploads.append(session, req);
  const kept = await rooms.uploads.finish(session, digest).catch(asInvalid);
  await rooms.images.nameBlob(repository.name, digest, kept, 'upload', repository.registry === undefined);
  created(asked, digest);
}

/** DELETE of an upload (spec.md#canceling-an-upload). */
export async function cancelUpload(rooms: Rooms, asked: Asked): Promise<void> {
  await rooms.uploads.cancel(sessionOf(rooms, asked));
  sendEmpty(asked.res, 204, {});
}

function sessionOf(rooms: Rooms, { address, repository }: Asked): UploadSession {
  const session = rooms.uploads.get(repository.name, address.reference);
  if (session) return session;
  throw new OciError(
    'not-found',
    'upload',
    'there is no such upload: it is over, was given up, or this registry was started anew; begin again',
    {
      code: 'BLOB_UPLOAD_UNKNOWN',
    },
  );
}

/** "Chunks MUST be uploaded in order … If a chunk is uploaded out of order, the registry MUST respond with 416". */
function checkPlace(asked: Asked, session: UploadSession): void {
  const field = asked.req.headers['content-range'];
  if (field === undefined) return;
  const [, start, end] = /^(?:bytes )?(\d+)-(\d+)(?:\/(?:\d+|\*))?$/.exec(field) ?? [];
  const length = asked.req.headers['content-length'];
  const isWhole = length === undefined || Number(length) === Number(end) - Number(start) + 1;
  if (start !== undefined && Number(start) === session.size && isWhole) return;
  throw new OciError(
    'range',
    'upload',
    `the piece "${field.slice(0, 80)}" does not follow the ${session.size} bytes that are here`,
    {
      code: 'BLOB_UPLOAD_INVALID',
      headers: fieldsOf(asked, session),
    },
  );
}

function progress(asked: Asked, session: UploadSession, status: number): void {
  sendEmpty(asked.res, status, fieldsOf(asked, session));
}

function fieldsOf(asked: Asked, session: UploadSession): Record<string, string> {
  return {
    location: pathOf(asked, `blobs/uploads/${session.id}`),
    range: `0-${Math.max(0, session.size - 1)}`,
    'docker-upload-uuid': session.id,
    // a piece of any size is taken
    'oci-chunk-min-length': '1',
  };
}

function created(asked: Asked, digest: string): void {
  sendEmpty(asked.res as Response, 201, { location: pathOf(asked, `blobs/${digest}`), [DIGEST_HEADER]: digest });
}

/** Bytes that are not what their sender says are the sender's mistake, and no damage of ours. */
function asInvalid(error: unknown): never {
  if (!isKind(error, 'corrupt')) throw error;
  throw new OciError('bad-request', 'digest', (error as MirrorError).message, { cause: error, code: 'DIGEST_INVALID' });
}
