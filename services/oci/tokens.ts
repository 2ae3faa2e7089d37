import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { baseUrl } from '../../shared/http/base-url.ts';
import { readBody } from '../../shared/http/read-body.ts';
import { isKind } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { OciConfig } from './config.ts';
import { sendJson } from './documents.ts';
import { OciError } from './errors.ts';

/** What a client gets that says nothing of who it is; it opens what is open to all. */
const ANYBODY = 'anonymous';
/** In front of a token that was asked for in order to push: a name that is being pushed is no origin's. */
const PUSHING = 'push.';
/** Seconds: clients ask again, and a token that was revoked is told at its next use anyway. */
const LIFE = 300;
const MOST_FORM = 64 << 10;

declare module 'express-serve-static-core' {
  interface Request {
    /** It brought a token of ours, if only the one for anybody. */
    hasToken?: boolean;
    /** Its token was asked for in order to push. */
    pushes?: boolean;
  }
}

/** Takes apart what the token endpoint gave, before anything else looks. */
export function readOwnToken(req: Request, _res: Response, next: NextFunction): void {
  const { authorization } = req.headers;
  req.hasToken = authorization !== undefined;
  const token = /^bearer (.+)$/i.exec(authorization ?? '')?.[1];
  if (token === ANYBODY || isNobody(authorization)) delete req.headers.authorization;
  else if (token?.startsWith(PUSHING)) {
    req.pushes = true;
    const rest = token.slice(PUSHING.length);
    if (rest === ANYBODY) delete req.headers.authorization;
    else req.headers.authorization = `Bearer ${rest}`;
  }
  next();
}

/** Clients that were given no name and no password send two empty ones. */
function isNobody(authorization: string | undefined): boolean {
  const [scheme, value = ''] = authorization?.trim().split(/\s+/, 2) ?? [];
  return /^basic$/i.test(scheme ?? '') && /^:?$/.test(Buffer.from(value, 'base64').toString('utf8'));
}

/**
 * The token endpoint, as distribution's "Token Authentication" and its OAuth2 form have it: GET with Basic, POST with a
 * form. A token says who asks; what it may do is looked up at each request, so nothing asked for is too much.
 */
export function tokenHandler(context: Context<OciConfig>): RequestHandler {
  const guard = context.access.require('read', 'oci');
  return async (req, res) => {
    const form = req.method === 'POST' ? await formOf(req) : new URLSearchParams(req.url.split('?')[1] ?? '');
    if (req.method === 'POST') takeCredentials(req, form);
    await allowed(guard, req, res);
    const secret = req.identity ? secretOf(req.headers.authorization!) : ANYBODY;
    const scopes = form.getAll('scope').flatMap((list) => list.split(' '));
    const pushes = scopes.some((scope) => /:(?:[^:]*,)?(push|delete|\*)(,|$)/.test(scope));
    const token = pushes ? `${PUSHING}${secret}` : secret;
    const wantsRefresh = form.get('offline_token') === 'true' || form.get('access_type') === 'offline';
    await sendJson(req, res, {
      token,
      access_token: token,
      expires_in: LIFE,
      issued_at: new Date(context.now()).toISOString(),
      ...(wantsRefresh && req.identity ? { refresh_token: secret } : {}),
      ...(req.method === 'POST' ? { token_type: 'Bearer', scope: scopes.join(' ') } : {}),
    });
  };
}

async function formOf(req: Request): Promise<URLSearchParams> {
  return new URLSearchParams((await readBody(req, MOST_FORM)).toString('utf8'));
}

/** `grant_type` password or refresh_token. Throws `unsupported` for others. */
function takeCredentials(req: Request, form: URLSearchParams): void {
  const type = form.get('grant_type');
  const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  if (type === 'password') req.headers.authorization = basic(form.get('username') ?? '', form.get('password') ?? '');
  else if (type === 'refresh_token') req.headers.authorization = `Bearer ${form.get('refresh_token') ?? ''}`;
  else
    throw new OciError('bad-request', 'request', 'grant_type is password or refresh_token', {
      code: 'UNSUPPORTED',
    });
}

/** The secret that was just found to be right. */
function secretOf(authorization: string): string {
  const [scheme, value] = authorization.split(/\s+/, 2) as [string, string];
  if (/^bearer$/i.test(scheme)) return value;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const password = pair.slice(pair.indexOf(':') + 1);
  return password === '' ? pair.replace(/:$/, '') : password;
}

/** Runs a guard of express by hand. */
export async function allowed(guard: RequestHandler, req: Request, res: Response): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const ran = guard(req, res, (error?: unknown) => (error ? reject(error) : resolve())) as unknown;
    Promise.resolve(ran).catch(reject);
  });
}

/** Tells a client that lacks a token where it gets one: by its own address of us, so that it can reach it. */
export function challenged(
  context: Context<OciConfig>,
  req: Request,
  scope: string | undefined,
  error: unknown,
): unknown {
  if (!isKind(error, 'unauthorized')) return error;
  const forScope = scope ? `,scope="${scope}"` : '';
  const field =
    context.config.challenge === 'basic'
      ? 'Basic realm="larder", charset="UTF-8"'
      : `Bearer realm="${baseUrl(req, context.publicUrl)}/token",service="larder"${forScope}`;
  return new OciError('unauthorized', error.subject, error.message, {
    cause: error,
    headers: { 'www-authenticate': field },
  });
}
