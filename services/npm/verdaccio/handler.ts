import { type Request, type RequestHandler, type Response, Router } from 'express';
import { baseUrl } from '../../../shared/http/base-url.ts';
import { readBody } from '../../../shared/http/read-body.ts';
import { isKind, MirrorError } from '../../../shared/model/errors.ts';
import type { NpmIdentity } from '../access.ts';
import type { Rooms } from '../rooms.ts';
import { type Embedded, verdaccioOnDemand } from './embedded.ts';
import * as logins from './logins.ts';
import { answerLook, answerOwners, isOwners } from './owners.ts';
import { checkTags, isObject, readPublication } from './publication.ts';
import { isWebAddress, type WriteRow, writeRowOf } from './rows.ts';
import { type Unit, units } from './unit.ts';

/** Bytes of the login form. */
const MOST_FORM = 64 << 10;

/**
 * Everything that is not reading packages: logins and tokens, which are ours; publishing, tags, taking back and
 * deprecating, and the web interface, which are Verdaccio's. It is given these requests and no others.
 */
export function verdaccioHandler(rooms: Rooms): RequestHandler {
  const verdaccio = verdaccioOnDemand(rooms);
  const { context } = rooms;
  const tidying = tidyUp(rooms).catch((err: Error) => context.log.error({ event: 'tidy up', err }, err.message));
  context.atClose(() => tidying);
  const router = Router({ caseSensitive: true, strict: true });
  loginRows(router, rooms);
  const [read, write] = [rooms.access.require('read'), rooms.access.require('write')];
  router.use((req, res, next) => {
    req.writes = writeRowOf(req.method, req.url);
    if (!req.writes) return next('router');
    return req.writes.kind === 'look' ? read(req, res, next) : write(req, res, next);
  });
  router.use((req, res) => {
    if (req.writes!.kind === 'look') return answerLook(rooms, req, res, req.writes!.name);
    return handOn(verdaccio, rooms, req as Request & { writes: WriteRow }, res);
  });
  const outer = Router({ caseSensitive: true, strict: true });
  outer.use(router, webHandler(verdaccio, rooms));
  return outer;
}

/** What others left who are no more: publications in the middle, and logins of tokens that are over. */
async function tidyUp({ locals, access, context }: Rooms): Promise<void> {
  await locals.recover();
  await access.sessions.sweep(async (id) => (await context.access.tokens.byId(id)) !== undefined);
}

declare module 'express-serve-static-core' {
  interface Request {
    /** What it would change in the packages of this site. */
    writes?: WriteRow | undefined;
  }
}

/** https://github.com/npm/registry/blob/main/docs/user/authentication.md, and what npm's own client asks beside it. */
function loginRows(router: Router, rooms: Rooms): void {
  router.put(/^\/-\/user\/org\.couchdb\.user(?::|%3a)[^/]+(?:\/-rev\/[^/]+)?$/i, logins.loginHandler(rooms));
  router.get(/^\/-\/user\/org\.couchdb\.user(?::|%3a)[^/]+$/i, rooms.access.require('read'), logins.userHandler());
  router.delete('/-/user/token/:token', logins.logoutHandler(rooms));
  router.get('/-/npm/v1/tokens', logins.listTokensHandler(rooms));
  router.post('/-/npm/v1/tokens', logins.createTokenHandler(rooms));
  router.delete('/-/npm/v1/tokens/token/:key', logins.revokeTokenHandler(rooms));
  // npm takes a 404 for a registry without logins in a browser, and asks for name and password
  router.post('/-/v1/login', logins.refusal('there is no login in the browser; npm asks for a name and a password'));
  router.post('/-/npm/v1/user', logins.refusal('users are tokens of Larder: "larder token" makes and revokes them'));
}

async function handOn(
  verdaccio: () => Promise<Embedded>,
  rooms: Rooms,
  req: Request & { writes: WriteRow },
  res: Response,
) {
  const { writes } = req;
  const { context, locals } = rooms;
  const identity = req.identity as NpmIdentity;
  const body = req.method === 'DELETE' ? {} : await bodyOf(req, context.config.mostPublish);
  const unit: Unit = { kind: 'tags', log: context.log, identity, revision: writes.revision };
  if (writes.kind === 'document') {
    if (isOwners(body)) return answerOwners(rooms, req, res, body.maintainers);
    Object.assign(unit, documentUnit(writes, body));
    // what nobody may have is not taken either
    if (unit.kind === 'publish') rooms.packages.check(writes.name);
    // who deprecates sends all versions that were listed, and means none of the others
    if (unit.kind === 'deprecate') await addMissing(locals, writes.name, body as Record<string, unknown>);
  } else if (writes.kind === 'remove') unit.kind = 'unpublish';
  else if (req.method !== 'DELETE' && writes.kind === 'tag') checkTags({ [writes.tag!]: body });
  else if (writes.kind === 'tags') checkTags(body);
  const { kind, publication } = unit;
  res.once('finish', () => {
    if (res.statusCode >= 300) return;
    const what = { package: writes.name, version: publication?.version, tag: writes.tag, by: identity.user };
    context.log.info({ event: `npm ${writes.kind === 'document' ? kind : writes.kind}`, ...what }, 'a package changed');
  });
  pass(await verdaccio(), rooms, unit, req, res, { url: writes.url, body });
}

function documentUnit({ name, revision }: WriteRow, body: unknown): Partial<Unit> {
  if (!isObject(body)) throw new MirrorError('bad-request', 'package', 'the body is no JSON document');
  const hasTarball = isObject(body._attachments) && Object.keys(body._attachments).length > 0;
  if (hasTarball && revision === undefined) return { kind: 'publish', publication: readPublication(name, body) };
  if (hasTarball) throw new MirrorError('unsupported', 'package', 'a version is published without a revision');
  const seen = revision ?? (typeof body._rev === 'string' ? body._rev : undefined);
  if (!isObject(body.versions)) {
    if (isObject(body.users)) return { kind: 'star', revision: seen };
    throw new MirrorError('bad-request', 'package', 'there is nothing to publish or to change in the document');
  }
  if (revision !== undefined) return { kind: 'unpublish', revision };
  const deprecates = Object.values(body.versions).some((one) => isObject(one) && Object.hasOwn(one, 'deprecated'));
  if (!deprecates) throw new MirrorError('bad-request', 'package', 'it comes with no tarball, and deprecates nothing');
  return { kind: 'deprecate', revision: seen };
}

async function addMissing(locals: Rooms['locals'], name: string, body: Record<string, unknown>): Promise<void> {
  const known = (await locals.document(name))?.versions ?? {};
  const sent = body.versions as Record<string, unknown>;
  for (const version of Object.keys(known)) if (!Object.hasOwn(sent, version)) sent[version] = {};
}

/** `/`, `/-/web/…`, `/-/static/…`, and what the pages ask. Who logs in there has a token of Verdaccio's. */
function webHandler(verdaccio: () => Promise<Embedded>, rooms: Rooms): RequestHandler {
  const { context, access } = rooms;
  return async (req, res, next) => {
    const { path, method } = req;
    const isLogin = method === 'POST' && path === '/-/verdaccio/sec/login';
    const isPage = (method === 'GET' || method === 'HEAD') && isWebAddress(path);
    if (!context.config.web || !(isLogin || isPage)) return next();
    const kind = path === '/-/verdaccio/data/packages' ? 'list' : 'show';
    const identity = isWebToken(req.headers.authorization) ? undefined : await access.identify(req);
    const body = isLogin ? await bodyOf(req, MOST_FORM) : undefined;
    const embedded = await verdaccio();
    const find = (text: string) => embedded.storage.find(text);
    pass(embedded, rooms, { kind, log: context.log, find, identity }, req, res, { url: req.url, body });
  };
}

/** A JSON Web Token (RFC 7519): three parts with dots between. */
function isWebToken(authorization: string | undefined): boolean {
  return /^bearer [\w-]+\.[\w-]+\.[\w-]+$/i.test(authorization ?? '');
}

/** Gives a request to Verdaccio as if it had come by our one address, and with nothing of it still to be read. */
function pass(
  verdaccio: Embedded,
  { context }: Rooms,
  unit: Unit,
  req: Request,
  res: Response,
  { url, body }: { url: string; body?: unknown },
): void {
  const base = new URL(baseUrl(req, context.publicUrl));
  req.headers.host = base.host;
  req.headers['x-forwarded-proto'] = base.protocol.slice(0, -1);
  delete req.headers['x-forwarded-for'];
  if (unit.identity) delete req.headers.authorization;
  if (body !== undefined) {
    Object.assign(req, { body, _body: true });
    req.headers['content-type'] = 'application/json';
  }
  // Verdaccio's express is another one than ours, and leaves what ours has made of the query for its own
  const query = Object.fromEntries(new URLSearchParams(url.split('?')[1] ?? ''));
  Object.defineProperty(req, 'query', { value: query, configurable: true, writable: true });
  Object.assign(req, { url, originalUrl: url, baseUrl: '' });
  unit.fail = (error) => {
    context.log.error({ event: 'verdaccio', err: error }, 'Verdaccio failed on a request');
    if (res.headersSent) res.destroy();
    else
      res.writeHead(500, { 'content-type': 'application/json' }).end('{"error":"the mirror failed; its log says why"}');
  };
  units.run(unit, () => verdaccio.answer(req, res));
}

async function bodyOf(req: Request, most: number): Promise<unknown> {
  const bytes = await readBody(req, most, 'package').catch((error) => {
    if (!isKind(error, 'too-large')) throw error;
    const larger = `what is published is larger than the ${most} bytes that this registry takes at once`;
    throw new MirrorError('too-large', 'package', `${larger} (npm.mostPublish)`, { cause: error });
  });
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new MirrorError('bad-request', 'package', 'the body is no JSON document', { cause });
  }
}
