import type { Request, RequestHandler } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Rooms } from './rooms.ts';

/** `/-/ping`: npm shows what is in it, so there is nothing. */
export const pingHandler: RequestHandler = (_req, res) => {
  res.json({});
};

/** `/-/whoami`. Throws `unauthorized` for nobody in particular. */
export function whoamiHandler({ access }: Pick<Rooms, 'access'>): RequestHandler {
  return async (req, res) => {
    res.json({ username: await userOf(access, req) });
  };
}

/** `/-/npm/v1/user`, as far as there is something to say: tokens have no mail address. */
export function profileHandler({ access }: Pick<Rooms, 'access'>): RequestHandler {
  return async (req, res) => {
    const name = await userOf(access, req);
    res.json({ tfa: null, name, email: '', email_verified: false, fullname: '', cidr_whitelist: null });
  };
}

async function userOf(access: Rooms['access'], req: Request): Promise<string> {
  const identity = await access.identify(req);
  if (identity) return identity.user;
  throw new MirrorError('unauthorized', 'request', 'nobody is logged in; "npm login" takes a token for the password');
}
