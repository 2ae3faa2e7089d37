import type { Request, RequestHandler } from 'express';
import { MirrorError } from '../model/errors.ts';
import type { Action, Identity, Tokens } from './tokens.ts';

declare module 'express-serve-static-core' {
  interface Request {
    /** Who asks; unset for nobody in particular. */
    identity?: Identity;
  }
}

/** Says who may ask a service for what. Reads may be open to all; a token that is given must be right all the same. */
export class Access {
  /** Whether reading is open to all. */
  readonly anonymousRead: boolean;
  /** For protocols in which clients send no token, but sign with one. */
  readonly tokens: Tokens;

  constructor(options: { anonymousRead: boolean; tokens: Tokens }) {
    this.anonymousRead = options.anonymousRead;
    this.tokens = options.tokens;
  }

  /** Lets a request on that may do `action` in `service`. */
  require(action: Action, service: string): RequestHandler {
    return async (req, _res, next) => {
      req.identity = await this.#identify(req);
      if (action === 'read' && this.anonymousRead) return next();
      if (!req.identity)
        throw new MirrorError(
          'unauthorized',
          'request',
          `this needs a token; make one with "larder token create <name> --${action} --service ${service}"`,
        );
      const { actions, services, name } = req.identity;
      const may =
        (actions.includes(action) || actions.includes('admin')) &&
        (services.includes('*') || services.includes(service));
      if (!may) throw new MirrorError('forbidden', 'request', `the token "${name}" may not ${action} in ${service}`);
      next();
    };
  }

  /**
   * Has something done with a token that reads a service and ends with it; with none where reading is open to all. For
   * programs of ours that ask a service as clients do.
   */
  async lendRead<T>(service: string, act: (secret: string | undefined) => Promise<T>): Promise<T> {
    return this.anonymousRead ? act(undefined) : this.tokens.lend(service, act);
  }

  async #identify(req: Request): Promise<Identity | undefined> {
    const secret = secretOf(req.headers.authorization);
    if (secret === undefined) return undefined;
    const identity = await this.tokens.verify(secret);
    if (!identity)
      throw new MirrorError(
        'unauthorized',
        'request',
        'the token is not known here: it is mistyped, expired or revoked',
      );
    return identity;
  }
}

/** Clients put a token where they have room for it: Bearer, or Basic as the password, or as the user without one. */
export function secretOf(authorization: string | undefined): string | undefined {
  const [scheme, value] = authorization?.trim().split(/\s+/, 2) ?? [];
  if (!scheme || value === undefined) return undefined;
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return undefined;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  const password = pair.slice(colon + 1);
  return colon === -1 || password === '' ? pair.replace(/:$/, '') : password;
}
