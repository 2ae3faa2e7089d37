import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Context } from '../../shared/service/service.ts';
import { type Asked, parseAddress, plainPath } from './address.ts';
import type { NpmConfig } from './config.ts';
import { answerDistTags } from './dist-tags.ts';
import type { Origins } from './origins.ts';
import { packumentPage } from './packument-page.ts';
import { registryRoutes } from './registry-routes.ts';
import { type Rooms, roomsOf } from './rooms.ts';
import { tarballHandler } from './tarballs.ts';
import { verdaccioHandler } from './verdaccio/handler.ts';
import { answerVersion } from './version-page.ts';

/**
 * The addresses of a registry (https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md). What is read is answered
 * here; what writes, and the web interface, is Verdaccio's.
 */
export function routes(context: Context<NpmConfig>, origins: Origins): Router {
  const rooms = roomsOf(context, origins);
  // npm takes a moment to tell the default origin: it is asked now, and who needs it first waits
  if (context.listing === 'all')
    warnOfOrigins(context, origins).catch((error: Error) => context.log.warn({ event: 'origins' }, error.message));
  const router = Router({ caseSensitive: true, strict: true });
  // packuments, tarballs, versions, tags: by GET and HEAD
  router.use(readPath(rooms));
  // /-/ping, /-/whoami, /-/v1/search, /-/npm/v1/security, /-/npm/v1/keys, /-/npm/v1/attestations
  router.use(registryRoutes(rooms));
  // logins, all that writes, and the web interface
  router.use(verdaccioHandler(rooms));
  return router;
}

async function warnOfOrigins({ log }: Context<NpmConfig>, origins: Origins): Promise<void> {
  const silent = (await origins.list()).filter(({ secretInVariable }) => secretInVariable);
  for (const { name, url } of silent)
    log.warn(
      { event: 'origins', origin: name, url },
      'the secret that npm has for this registry stands in a variable, which is not read; set npm.origins with a token or tokenFile',
    );
}

/** Matched on the address as it came: a scope's slash may be escaped, and nothing else may. */
function readPath(rooms: Rooms): RequestHandler {
  const guard = rooms.access.require('read');
  const answer = answers(rooms);
  return (req, res, next) => {
    const path = plainPath(req.url);
    if ((req.method !== 'GET' && req.method !== 'HEAD') || isLookBeforeWrite(req.url)) return next();
    const asked = parseAddress(path);
    if (!asked) return next();
    return guard(req, res, (error?: unknown) => {
      if (error) next(error);
      else answer(asked, req, res).catch(next);
    });
  };
}

type Answer = (asked: Asked, req: Request, res: Response) => Promise<void>;

function answers(rooms: Rooms): Answer {
  const packument = packumentPage(rooms);
  const tarball = tarballHandler(rooms);
  return (asked, req, res) => {
    switch (asked.kind) {
      case 'packument':
        return packument(req, res, asked.name);
      case 'tarball':
        return tarball(req, res, asked);
      case 'version':
        return answerVersion(rooms, req, res, asked);
      case 'dist-tags':
        return answerDistTags(rooms, req, res, asked.name);
    }
  };
}

/** `npm deprecate`, `unpublish` and `owner` read what they are about to write: the document as it is, of who writes it. */
function isLookBeforeWrite(url: string): boolean {
  return url.includes('?') && new URLSearchParams(url.slice(url.indexOf('?'))).get('write') === 'true';
}
