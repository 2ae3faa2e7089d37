import { type Request, type RequestHandler, type Response, Router } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { gauge } from '../../shared/telemetry/telemetry.ts';
import { type Address, agentOf, parseAddress } from './address.ts';
import type { Asked, Rooms } from './asked.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { listRepositories, searchImages } from './catalog-list.ts';
import type { OciConfig } from './config.ts';
import { sendJson } from './documents.ts';
import { OciError, withHeaders } from './errors.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import type { RateLimits } from './rate-limits.ts';
import { getReferrers } from './referrers.ts';
import { roomsOf } from './rooms.ts';
import { TagLists } from './tags.ts';
import { allowed, challenged, readOwnToken, tokenHandler } from './tokens.ts';
import { cancelUpload, finishUpload, patchUpload, startUpload, uploadStatus } from './uploads.ts';

type Handler = (rooms: Rooms, asked: Asked) => Promise<void>;

/** By what is asked for and how (distribution-spec, spec.md#endpoints). HEAD is GET without a body. */
type Table = Record<Exclude<Address['kind'], 'base' | 'catalog'>, Partial<Record<string, Handler>>>;

function tableOf(tags: TagLists): Table {
  const listTags: Handler = (_rooms, asked) => tags.answer(asked);
  return {
    manifest: { GET: getManifest, PUT: putManifest, DELETE: deleteManifest },
    blob: { GET: getBlob, DELETE: deleteBlob },
    uploads: { POST: startUpload },
    upload: { GET: uploadStatus, PATCH: patchUpload, PUT: finishUpload, DELETE: cancelUpload },
    tags: { GET: listTags },
    referrers: { GET: getReferrers },
  };
}

/** The addresses of a registry. */
export function routes(context: Context<OciConfig>, limits: RateLimits): Router {
  const rooms = roomsOf(context);
  const router = Router({ caseSensitive: true });
  const read = context.access.require('read', 'oci');
  tellLimits(context, limits);
  router.use((_req, res, next) => {
    // docker takes nothing for a registry that does not say this
    res.setHeader('docker-distribution-api-version', 'registry/2.0');
    next();
  });
  const token = tokenHandler(context);
  const tokenOrChallenge: RequestHandler = (req, res, next) =>
    Promise.resolve(token(req, res, next)).catch((error) => next(challenged(context, req, undefined, error)));
  router.get('/token', readOwnToken, tokenOrChallenge);
  router.post('/token', tokenOrChallenge);
  router.use(readOwnToken);
  router.get('/v1/_ping', read, (req, res) => sendJson(req, res, {}));
  router.get('/v1/search', read, (req, res) => searchImages(rooms, req, res));
  router.use(registry(rooms, tableOf(new TagLists(rooms))));
  return router;
}

function registry(rooms: Rooms, table: Table): RequestHandler {
  const { access } = rooms.context;
  const guards = { read: access.require('read', 'oci'), write: access.require('write', 'oci') };
  return async (req, res, next) => {
    const address = parseAddress(req.url);
    if (!address) return next();
    const action = req.method === 'GET' || req.method === 'HEAD' ? 'read' : 'write';
    try {
      await allowed(address.kind === 'upload' ? guards.write : guards[action], req, res);
      if ((address.kind === 'base' || address.kind === 'catalog') && action === 'write')
        throw unsupported(req, { GET: true });
      if (address.kind === 'base') return await greet(rooms, req, res);
      if (asksByHead(rooms, req, address)) throw noToken();
    } catch (error) {
      throw challenged(rooms.context, req, scopeOf(address, action), error);
    }
    if (address.kind === 'catalog') return listRepositories(rooms, req, res, address);
    const handlers = table[address.kind];
    const handler = handlers[req.method === 'HEAD' ? 'GET' : req.method];
    if (!handler) throw unsupported(req, handlers);
    const repository = await repositoryOf(rooms, req, res, address, action === 'write' || address.kind === 'upload');
    // main, "Registry Proxying": "SHOULD return … `OCI-Namespace`", and an error is an answer, too
    const namespace = res.getHeader('oci-namespace');
    await handler(rooms, { req, res, address, repository }).catch((error) => {
      throw namespace === undefined ? error : withHeaders(error, { 'oci-namespace': String(namespace) });
    });
  };
}

/**
 * `GET /v2/`: docker decides by this answer whether it will ever say who it is, so whoever has no token is asked for
 * one, and anybody is given one.
 */
async function greet({ context }: Rooms, req: Request, res: Response): Promise<void> {
  if (!req.hasToken && context.config.challenge === 'bearer') throw noToken();
  await sendJson(req, res, {});
}

/**
 * containerd and what is built on it never ask for `/v2/`: they begin with a HEAD, to push as well as to pull. Told only
 * at the PUT of a manifest that they need a token, older ones of them wait for ever: its body cannot be sent twice.
 */
function asksByHead({ context }: Rooms, req: Request, { query }: Address): boolean {
  const isOne = /^(containerd|docker|nerdctl|buildkit)\//i.test(agentOf(req) ?? '');
  return isOne && req.method === 'HEAD' && !req.hasToken && !query.has('ns') && context.config.challenge === 'bearer';
}

function noToken(): MirrorError {
  return new MirrorError('unauthorized', 'request', 'ask for a token, with or without credentials');
}

async function repositoryOf(rooms: Rooms, req: Request, res: Response, address: Address, writes: boolean) {
  const ns = address.query.get('ns') ?? undefined;
  const isAbout = address.kind === 'blob' || address.kind === 'manifest';
  const repository = await rooms.repositories.find({
    name: address.name,
    host: address.host ?? ns,
    ownHost: req.headers.host,
    agent: agentOf(req),
    writes: writes || (req.pushes === true && isAbout),
  });
  if (ns !== undefined && repository.registry) res.setHeader('oci-namespace', ns);
  return repository;
}

function scopeOf({ kind, name }: Address, action: 'read' | 'write'): string | undefined {
  if (kind === 'base') return undefined;
  if (kind === 'catalog') return 'registry:catalog:*';
  return `repository:${name}:${action === 'read' ? 'pull' : 'pull,push'}`;
}

function unsupported(req: Request, handlers: object): OciError {
  const allow = Object.keys(handlers).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return new OciError('unsupported', 'request', `${req.method} is not for this address; ${allow.join(', ')} are`, {
    code: 'UNSUPPORTED',
    status: 405,
    headers: { allow: allow.join(', ') },
  });
}

/** What registries say of how much they will still give, for whoever watches. */
function tellLimits({ telemetry }: Context<OciConfig>, limits: RateLimits): void {
  const labelNames = ['registry'] as const;
  const limit = gauge(telemetry, {
    name: 'oci_rate_limit',
    help: 'pulls that a registry grants in its window',
    labelNames,
  });
  const left = gauge(telemetry, {
    name: 'oci_rate_limit_remaining',
    help: 'pulls that a registry still grants',
    labelNames,
  });
  limits.changed = (registry, { limit: all, remaining }) => {
    if (all !== undefined) limit.set({ registry }, all);
    if (remaining !== undefined) left.set({ registry }, remaining);
  };
}
