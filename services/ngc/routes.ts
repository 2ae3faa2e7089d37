import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { clientBase, withoutPrefix } from './answers.ts';
import { catalog } from './catalog.ts';
import { ownKeysOnly } from './client-keys.ts';
import type { NgcConfig } from './config.ts';
import { Documents } from './documents.ts';
import { byGrant } from './url-answers.ts';

/** What the rooms of the catalog share. */
export interface Rooms {
  context: Context<NgcConfig>;
  documents: Documents;
  /** Where the client reached us: what absolute addresses begin with. */
  base(req: Request): string;
}

/** The addresses of NGC (reference/ngc.md §2.3). GET rows answer HEAD too. */
export function routes(context: Context<NgcConfig>): Router {
  const rooms: Rooms = {
    context,
    documents: new Documents(context),
    base: (req) => clientBase(req, context.publicUrl),
  };
  const router = Router({ caseSensitive: true });
  router.use(withoutPrefix(context.publicUrl), ownKeysOnly);
  // account: a mount of its own here, before anybody has to be let in (`/v3/keys/get-caller-info`, `/token`)
  router.use(byGrant(context, context.access.require('read', 'ngc')));
  // search: a mount of its own here
  router.use(onlyReads);
  // zip (form 6): a mount of its own here; one that is none of its own it passes on
  router.get(/^\//, catalog(rooms));
  return router;
}

/** Form 11: what is here is mirrored or added by whoever keeps it, and clients change none of it. */
function onlyReads(req: Request, _res: Response, next: () => void): void {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    const message = 'this is a mirror: models and resources are not uploaded or changed here';
    throw new MirrorError('unsupported', 'request', message);
  }
  next();
}
