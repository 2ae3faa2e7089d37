import { type Request, type RequestHandler, type Response, Router } from 'express';
import { send } from '../../shared/http/send.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { clientBase, sendJson } from './answers.ts';
import { HubError } from './errors.ts';
import { largeFile, nameLargeFile } from './local-documents.ts';
import { readJsonBody } from './paths-body.ts';
import { fileKey, ORIGIN } from './refs.ts';
import { isRepoId, type Repo, type RepoType } from './repo.ts';
import { askerOf } from './resolve.ts';
import { checkLocal, type WriteRooms } from './writing.ts';

/** Seconds that an address of an upload is good for: a large file on a slow line. */
const GOOD_FOR = 24 * 3600;
const MOST_OBJECTS = 1000;
const BATCH = /^\/(?:(models|datasets|spaces)\/)?((?:[^/]+\/)?[^/]+)\.git\/info\/lfs\/objects\/batch$/;

/**
 * `POST {id}.git/info/lfs/objects/batch` (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md): says of each
 * object where its bytes go to, or come from. Bytes that are here need not be sent again.
 */
export function lfsBatch(rooms: WriteRooms, mayWrite: RequestHandler): RequestHandler {
  return async (req, res, next) => {
    const match = BATCH.exec(req.path);
    if (!match) return next();
    const repo: Repo = { type: (match[1] ?? 'models') as RepoType, id: match[2]! };
    if (!isRepoId(repo.id)) return next();
    const { operation, objects } = await readJsonBody(req);
    if (!Array.isArray(objects) || objects.length > MOST_OBJECTS)
      throw new MirrorError('bad-request', 'request', `"objects" is a list of at most ${MOST_OBJECTS}`);
    if (operation === 'upload') {
      await allowed(mayWrite, req, res);
      await checkLocal(rooms, repo);
    } else await rooms.snapshots.at(repo, 'main', askerOf(req));
    const base = clientBase(req, rooms.context.publicUrl);
    const answers = [];
    for (const one of objects as { oid?: unknown; size?: unknown }[])
      answers.push(await objectOf(rooms, base, operation === 'upload', one));
    await sendJson(req, res, { transfer: 'basic', hash_algo: 'sha256', objects: answers });
  };
}

async function allowed(guard: RequestHandler, req: Request, res: Response): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const ran = guard(req, res, (error?: unknown) => (error ? reject(error) : resolve())) as unknown;
    Promise.resolve(ran).catch(reject);
  });
}

async function objectOf(
  { context }: WriteRooms,
  base: string,
  isUpload: boolean,
  { oid, size }: { oid?: unknown; size?: unknown },
) {
  if (typeof oid !== 'string' || !/^[0-9a-f]{64}$/.test(oid) || typeof size !== 'number' || !(size >= 0))
    return { oid, size, error: { code: 422, message: 'an object has a sha256 as its oid and a size' } };
  const held = await context.catalog.get(`lfs/${oid}`);
  const expires_in = GOOD_FOR;
  if (!isUpload) {
    if (!held) return { oid, size, error: { code: 404, message: 'this object is not held here' } };
    const grant = await context.grants.give(`get ${oid}`, GOOD_FOR);
    return {
      oid,
      size,
      authenticated: true,
      actions: { download: { href: `${base}/lfs/${oid}?grant=${grant}`, header: {}, expires_in } },
    };
  }
  if (held?.size === size) return { oid, size };
  if (size > context.config.uploadBytes)
    return {
      oid,
      size,
      error: { code: 413, message: `at most ${context.config.uploadBytes} bytes (huggingface.uploadBytes)` },
    };
  const grant = await context.grants.give(`put ${oid} ${size}`, GOOD_FOR);
  const upload = { href: `${base}/lfs/${oid}?size=${size}&grant=${grant}`, header: {}, expires_in };
  return {
    oid,
    size,
    authenticated: true,
    actions: { upload, verify: { href: `${base}/lfs/verify`, header: {}, expires_in } },
  };
}

/** Where the bytes themselves go; the address carries the leave to do so, since clients send no token with it. */
export function lfsBytes(rooms: WriteRooms): Router {
  const router = Router({ caseSensitive: true });
  router.put('/lfs/:oid', (req, res) => receive(rooms, req, res));
  router.get('/lfs/:oid', (req, res) => give(rooms, req, res));
  return router;
}

async function receive({ context }: WriteRooms, req: Request, res: Response): Promise<void> {
  const oid = String(req.params.oid);
  const query = new URLSearchParams(req.url.split('?')[1] ?? '');
  const size = Number(query.get('size'));
  await context.grants.check(`put ${oid} ${size}`, query.get('grant') ?? '');
  const announced = req.headers['content-length'];
  if (announced !== undefined && Number(announced) !== size)
    throw new MirrorError(
      'bad-request',
      'file',
      `${size} bytes were announced for ${oid}, and ${announced} are being sent`,
    );
  // the bytes are measured as they come: what is something else is refused, and kept nowhere
  await context.blobs.ingest(req, { subject: 'upload', promised: [{ sha256: oid, size }] }).catch((error) => {
    throw error instanceof MirrorError && error.kind === 'corrupt'
      ? new HubError('bad-request', 'upload', `the bytes are not those of ${oid}: ${error.message}`, { status: 422 })
      : error;
  });
  await nameLargeFile(context, largeFile('', oid, size), 'upload');
  return sendJson(req, res, {}, { etag: `"${oid}"` });
}

async function give({ context }: WriteRooms, req: Request, res: Response): Promise<void> {
  const oid = String(req.params.oid);
  await context.grants.check(`get ${oid}`, new URLSearchParams(req.url.split('?')[1] ?? '').get('grant') ?? '');
  const file = { path: oid, oid: '', size: 0, lfs: { oid, size: 0, pointerSize: 0 } };
  const ref = {
    key: fileKey(file),
    subject: 'file',
    label: oid,
    source: '',
    origin: ORIGIN,
    freshness: 'immutable' as const,
  };
  return send(req, res, await context.mirror.open(ref));
}

/** `POST /lfs/verify`: "the bytes are here". */
export function lfsVerify({ context }: WriteRooms): RequestHandler {
  return async (req, res) => {
    const { oid, size } = await readJsonBody(req);
    const held = typeof oid === 'string' ? await context.catalog.get(`lfs/${oid}`) : undefined;
    if (!held || held.size !== size)
      throw new MirrorError('not-found', 'upload', `${String(oid).slice(0, 80)} did not arrive; upload it again`);
    return sendJson(req, res, {});
  };
}
