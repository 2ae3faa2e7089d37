import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { account } from './account.ts';
import { clientBase, withoutPrefix } from './answers.ts';
import { catalog } from './catalog.ts';
import { ownKeysOnly } from './client-keys.ts';
import type { NgcConfig } from './config.ts';
import { Documents } from './documents.ts';
import { HeldIndex } from './listed.ts';
import { search } from './search.ts';
import { byGrant } from './url-answers.ts';
import { zip } from './zip.ts';

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
  const held = new HeldIndex(context);
  const preparing = held.prepare();
  context.atClose(() => preparing);
  const router = Router({ caseSensitive: true });
  router.use(withoutPrefix(context.publicUrl), ownKeysOnly);
  router.use(account(context, held));
  router.use(byGrant(context, context.access.require('read', 'ngc')));
  router.use(search(context, held));
  router.use(onlyReads);
  router.get(/^\//, zip(rooms));
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
