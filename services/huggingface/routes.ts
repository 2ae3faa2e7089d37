import { type NextFunction, type Request, type RequestHandler, type Response, Router } from 'express';
import type { Context } from '../../shared/service/service.ts';
import { commit, preupload } from './commit-api.ts';
import type { HuggingfaceConfig } from './config.ts';
import { GgufManifests } from './gguf-manifests.ts';
import { lfsBatch, lfsBytes, lfsVerify } from './lfs-api.ts';
import { listHandler } from './lists.ts';
import { LocalRepos } from './local-repos.ts';
import { REPO_TYPES } from './repo.ts';
import { type ApiRooms, pathsInfo, repoApi } from './repo-api.ts';
import { RepoIndex } from './repo-index.ts';
import { reposApi } from './repos-api.ts';
import { EXPOSED, resolveHandler } from './resolve.ts';
import { Snapshots } from './snapshots.ts';
import { stubs } from './stubs.ts';
import type { WriteRooms } from './writing.ts';
import { Xet } from './xet.ts';

/** The addresses of the hub (reference/huggingface.md §1). GET rows answer HEAD too. */
export function routes(context: Context<HuggingfaceConfig>): Router {
  const snapshots = new Snapshots(context);
  const index = new RepoIndex(context);
  const xet = new Xet(context, snapshots);
  const repos = new LocalRepos(context);
  const rooms: ApiRooms & WriteRooms = { context, snapshots, index, repos, xetHash: (file) => xet.hashOf(file) };
  const router = Router({ caseSensitive: true });
  const read = context.access.require('read', 'huggingface');

  router.use(tokenInPath, ownPrefix(context.publicUrl), openToScripts);
  // addresses that carry their own leave: clients send no token with them
  router.use(xet.routes());
  router.use(lfsBytes(rooms));

  const write = context.access.require('write', 'huggingface');
  router.post(/\.git\/info\/lfs\/objects\/batch$/, read, lfsBatch(rooms, write));
  router.post('/lfs/verify', write, lfsVerify(rooms));
  router.use(read);
  router.use(stubs());
  router.get(
    REPO_TYPES.map((type) => `/api/${type}`),
    listHandler(context, snapshots.refs, index),
  );
  router.get(/^\/api\//, xet.token());
  router.post(/^\/api\//, pathsInfo(rooms));
  router.post(/^\/api\/.*\/preupload\//, write, preupload(rooms));
  router.post(/^\/api\/.*\/commit\//, write, commit(rooms));
  router.get(/^\/api\//, repoApi(rooms));
  router.use(new GgufManifests(context, snapshots).routes());
  router.use(onlyWrites(write), reposApi(rooms));
  router.get(/^\//, resolveHandler(context, snapshots, xet.fields));
  return router;
}

/** Asks for a token that may write, of those who want to change something. */
function onlyWrites(write: RequestHandler): RequestHandler {
  return (req, res, next) => (/^(POST|PUT|DELETE)$/.test(req.method) ? write(req, res, next) : next());
}

/** For clients that can send no token: `HF_ENDPOINT=http://…/token/hf_…`. Taken off before anything else looks. */
function tokenInPath(req: Request, _res: Response, next: NextFunction): void {
  const match = /^\/+token\/([A-Za-z0-9_]{16,128})(?=\/|$|\?)/.exec(req.url);
  if (match) {
    req.url = req.url.slice(match[0].length) || '/';
    req.headers.authorization ??= `Bearer ${match[1]}`;
    (req as Request & { larderPathToken?: string }).larderPathToken = match[1];
  }
  next();
}

/** The path of the public address is in front of every request that comes straight here; doubled slashes mean one. */
function ownPrefix(publicUrl: string | undefined) {
  const prefix = publicUrl ? new URL(publicUrl).pathname.replace(/\/+$/, '') : '';
  return (req: Request, _res: Response, next: NextFunction): void => {
    if (prefix !== '' && (req.url === prefix || req.url.startsWith(`${prefix}/`)))
      req.url = req.url.slice(prefix.length) || '/';
    req.url = req.url.replace(/^\/{2,}/, '/');
    next();
  };
}

/** transformers.js asks from browsers. */
function openToScripts(req: Request, res: Response, next: NextFunction): void {
  if (req.method !== 'OPTIONS') {
    next();
    return;
  }
  res.setHeader('access-control-allow-origin', '*');
  res.setHeader('access-control-allow-methods', 'GET, HEAD, POST, PUT, DELETE, OPTIONS');
  res.setHeader('access-control-allow-headers', 'Authorization, Content-Type, Range, If-None-Match, User-Agent');
  res.setHeader('access-control-expose-headers', EXPOSED);
  res.setHeader('access-control-max-age', '86400');
  res.status(204).end();
}
