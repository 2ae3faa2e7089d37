import { BlockList } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { readBody } from '../../../shared/http/read-body.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import { addNetwork, forbidden, mayDo, type NpmIdentity } from '../access.ts';
import type { Rooms } from '../rooms.ts';
import type { Session } from '../sessions.ts';

const MOST_BODY = 64 << 10;
const MOST_NAME = 128;
const DAY = 86_400_000;

/**
 * `PUT /-/user/org.couchdb.user:NAME`: `npm login`, with any user name and a token of Larder's as the password. What it
 * hands out ends with that token, or with `npm logout`. Verdaccio would put the password itself into its tokens.
 */
export function loginHandler({ access, context }: Rooms): RequestHandler {
  return async (req, res) => {
    const { name, password } = await bodyOf(req);
    const user = nameIn(req);
    if (name !== user || user.length > MOST_NAME || /[\s:]/.test(user))
      throw new MirrorError('bad-request', 'login', 'the user name in the address is not the one in the body');
    const identity = await identityOf(access, req, password);
    const { secret } = await access.sessions.create({
      kind: 'login',
      parent: identity.id,
      user,
      readonly: false,
      cidr: [],
    });
    context.log.info({ event: 'npm login', user, by: identity.name }, 'somebody logged in');
    sendJson(res, 201, {
      ok: `you are authenticated as '${user}'`,
      id: `org.couchdb.user:${user}`,
      rev: '1',
      token: secret,
    });
  };
}

/** `GET /-/user/org.couchdb.user:NAME`: `npm owner` looks there for who is to be an owner; any name may be one. */
export function userHandler(): RequestHandler {
  return (req, res) => {
    const name = nameIn(req);
    sendJson(res, 200, { _id: `org.couchdb.user:${name}`, name, email: '', type: 'user', roles: [] });
  };
}

/** `DELETE /-/user/token/TOKEN`: `npm logout`. A token of Larder's own is left alone: others use it, too. */
export function logoutHandler({ access }: Rooms): RequestHandler {
  return async (req, res) => {
    const identity = await mustBeSomebody(access, req);
    const secret = lastSegment(req);
    const named = await access.identifySecret(secret, req.socket.remoteAddress);
    if (named?.id !== identity.id) throw new MirrorError('not-found', 'token', 'there is no such login of yours');
    if (named.session) await access.sessions.revoke(identity.id, named.session);
    sendJson(res, 200, { ok: 'Logged out' });
  };
}

/** `GET /-/npm/v1/tokens`: those that were made with the token that asks. */
export function listTokensHandler({ access }: Rooms): RequestHandler {
  return async (req, res) => {
    const { id } = await mustBeSomebody(access, req);
    const objects = (await access.sessions.list(id)).map(shown);
    sendJson(res, 200, { objects, urls: {}, total: objects.length });
  };
}

/** `POST /-/npm/v1/tokens`: `npm token create`, with a token of Larder's as the password. */
export function createTokenHandler({ access, context }: Rooms): RequestHandler {
  return async (req, res) => {
    const asking = await mustBeSomebody(access, req);
    const wish = await bodyOf(req);
    const identity = await identityOf(access, req, wish.password);
    if (identity.id !== asking.id)
      throw new MirrorError('forbidden', 'token', 'the password is the token that you are logged in with');
    refuseNarrower(wish);
    const cidr = Array.isArray(wish.cidr_whitelist) ? wish.cidr_whitelist.map(String) : [];
    for (const one of cidr) addNetwork(new BlockList(), one);
    const days = typeof wish.expires === 'number' && wish.expires > 0 ? wish.expires : undefined;
    const { session, secret } = await access.sessions.create({
      ...{ kind: 'token', parent: identity.id, user: asking.user, cidr },
      readonly: asksForReading(wish) || !mayDo(asking, 'write'),
      ...(days === undefined ? {} : { expires: new Date(context.now() + days * DAY).toISOString() }),
      ...(typeof wish.name === 'string' ? { name: wish.name.slice(0, MOST_NAME) } : {}),
    });
    sendJson(res, 200, { ...shown(session), token: secret });
  };
}

/** `DELETE /-/npm/v1/tokens/token/KEY`: `npm token revoke`, by its id or by itself. */
export function revokeTokenHandler({ access }: Rooms): RequestHandler {
  return async (req, res) => {
    const { id } = await mustBeSomebody(access, req);
    await access.sessions.revoke(id, lastSegment(req));
    res.status(204).end();
  };
}

/** What npm asks that this registry does another way: it goes on without, or says the words. */
export function refusal(message: string): RequestHandler {
  return () => {
    throw new MirrorError('not-found', 'address', message);
  };
}

/** Newer npms say it in the words of granular tokens. */
function asksForReading({ readonly, packages_and_scopes_permission: may }: Record<string, unknown>): boolean {
  return readonly === true || (may !== undefined && may !== 'read-write');
}

/** Throws `unsupported` for what would be a narrower token than can be made here: nobody is handed more than was asked. */
function refuseNarrower(wish: Record<string, unknown>): void {
  for (const field of ['packages', 'scopes', 'orgs']) {
    const list = wish[field];
    if (!Array.isArray(list) || list.length === 0) continue;
    const message = `tokens are for all packages here, not for some ${field}; leave out --${field}`;
    throw new MirrorError('unsupported', 'token', message);
  }
}

async function identityOf(access: Rooms['access'], req: Request, password: unknown): Promise<NpmIdentity> {
  const secret = typeof password === 'string' ? password : '';
  const identity = await access.identifySecret(secret, req.socket.remoteAddress);
  if (!identity)
    throw new MirrorError(
      'unauthorized',
      'login',
      'the password is a token of Larder; make one with "larder token create <name> --write --service npm"',
    );
  if (!mayDo(identity, 'read') && !mayDo(identity, 'write')) throw forbidden(identity, 'read');
  return identity;
}

async function mustBeSomebody(access: Rooms['access'], req: Request): Promise<NpmIdentity> {
  const identity = await access.identify(req);
  if (!identity) throw new MirrorError('unauthorized', 'request', 'this needs a login; run "npm login"');
  return identity;
}

function shown({ id, readonly, cidr, created, expires, name }: Session): object {
  const token = `lrd_npm_${id.slice(0, 6)}`;
  return { token, key: id, name: name ?? null, cidr_whitelist: cidr, readonly, created, updated: created, expires };
}

const segmentsOf = (req: Request) => req.path.split('/').map((segment) => decodeURIComponent(segment));
const lastSegment = (req: Request) => segmentsOf(req).at(-1)!;

function nameIn(req: Request): string {
  const segment = segmentsOf(req).find((one) => one.startsWith('org.couchdb.user:')) ?? '';
  return segment.slice('org.couchdb.user:'.length);
}

async function bodyOf(req: Request): Promise<Record<string, unknown>> {
  const bytes = await readBody(req, MOST_BODY);
  try {
    const body: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
  } catch {}
  throw new MirrorError('bad-request', 'request', 'the body is no JSON');
}

function sendJson(res: Response, status: number, body: object): void {
  res.status(status).setHeader('cache-control', 'no-store').json(body);
}
