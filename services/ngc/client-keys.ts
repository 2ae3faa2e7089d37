import type { NextFunction, Request, Response } from 'express';
import { secretOf as given } from '../../shared/http/access.ts';

/** Keys of ours as NVIDIA's clients take them: `nvapi-` in front, so that they are said as they are (reference §2.2). */
const PREFIX = 'nvapi-';

/** A secret of ours in a client's key; undefined for keys that NVIDIA gave out, and for what is none. */
export function secretOf(key: string): string | undefined {
  const secret = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key;
  return /^(lrd|hf)_/.test(secret) ? secret : undefined;
}

/** The key that a request carries: Bearer, Basic (`$oauthtoken:key`), or ApiKey. */
export function keyOf(authorization: string | undefined): string | undefined {
  return given(authorization?.replace(/^\s*apikey\s/i, 'Bearer '));
}

/**
 * Clients bring keys of NVIDIA's, since most of them do nothing without one. Such a key is nobody's here: its owner reads
 * what anybody may read, and nothing more. A key of ours is judged as any token is.
 */
export function ownKeysOnly(req: Request, _res: Response, next: NextFunction): void {
  const { authorization } = req.headers;
  if (authorization !== undefined) {
    const secret = secretOf(keyOf(authorization) ?? '');
    if (secret === undefined) delete req.headers.authorization;
    else req.headers.authorization = `Bearer ${secret}`;
  }
  next();
}
