import { type NextFunction, type Request, type Response, Router } from 'express';
import { readBody } from '../../shared/http/read-body.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { sendDocument, sendJson } from './answers.ts';
import { isName } from './artifact.ts';
import { keyOf, secretOf } from './client-keys.ts';
import type { NgcConfig } from './config.ts';
import type { HeldIndex } from './listed.ts';
import { orgsAndTeams, ownOrg, SUCCESS } from './orgs.ts';

const MOST_FORM = 64 << 10;
/** Seconds: the SDK asks again five minutes before; a key that was revoked is told at its next use anyway. */
const LIFE = 3600;
/** The token of somebody without a key of ours: it opens what is open to all. */
const ANYBODY = 'anonymous';

/**
 * Who asks, and what there is for them (reference §2.2, "Other" in §2.3). All of it is about this mirror: what NVIDIA
 * grants to whom is not known here, and never answered for. Mounted before anybody has to be let in: some keys come in
 * bodies.
 */
export function account(context: Context<NgcConfig>, held: HeldIndex): Router {
  const read = context.access.require('read', 'ngc');
  const router = Router({ caseSensitive: true, strict: false });
  router.post('/v3/keys/get-caller-info', keyInBody, read, async (req, res) => {
    // a key of a service: clients ask nothing of users and roles then
    await sendJson(req, res, { type: 'SERVICE_KEY', orgName: await ownOrg(context, held), products: [] });
  });
  router.get('/token', read, giveToken);
  router.get('/v2/ping', read, (req, res) => sendJson(req, res, SUCCESS));
  router.get('/v2/products', read, (req, res) => sendJson(req, res, { ...SUCCESS, products: [] }));
  router.get(['/v2/roles', '/roles'], read, (req, res) => sendJson(req, res, { ...SUCCESS, roles: [] }));
  router.get('/v2/users/me', read, async (req, res) => {
    await sendJson(req, res, { ...SUCCESS, user: userOf(req, await ownOrg(context, held)) });
  });
  router.use(orgsAndTeams(context, held, read));
  return router;
}

/** The key that the form has counts, and not what the request carries: that is what is asked about. */
async function keyInBody(req: Request, _res: Response, next: NextFunction): Promise<void> {
  const form = new URLSearchParams((await readBody(req, MOST_FORM)).toString('utf8'));
  const key = form.get('credentials') ?? keyOf(req.headers.authorization);
  if (!key) throw new MirrorError('bad-request', 'request', 'the form has no field "credentials" with a key');
  const secret = secretOf(key);
  if (secret === undefined) delete req.headers.authorization;
  else req.headers.authorization = `Bearer ${secret}`;
  next();
}

/** Whoever was let in gets a token: their own key, when it is one of ours. */
function giveToken(req: Request, res: Response): Promise<void> {
  const token = req.identity ? keyOf(req.headers.authorization) : ANYBODY;
  const bytes = Buffer.from(JSON.stringify({ token, expires_in: LIFE }));
  return sendDocument(req, res, bytes, { cacheControl: 'no-store' });
}

function userOf({ identity }: Request, org: string): Record<string, unknown> {
  const name = identity?.name ?? ANYBODY;
  const role = { org: { name: org, displayName: org }, orgRoles: ['REGISTRY_READ'], teamRoles: [] };
  return { id: name, name, email: '', isActive: true, roles: isName(org) ? [role] : [] };
}
