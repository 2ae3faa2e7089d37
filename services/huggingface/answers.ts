import type { Request, Response } from 'express';
import { baseUrl } from '../../shared/http/base-url.ts';
import { CodedBody, sendCoded } from '../../shared/http/coded-body.ts';
import { EXPOSED } from './resolve.ts';

/** Fields of every JSON answer. */
const OPEN = { 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED };
const JSON_TYPE = 'application/json; charset=utf-8';

/** Sends JSON. `body` is text that was rendered before, or a value. */
export function sendJson(
  req: Request,
  res: Response,
  body: CodedBody | object,
  headers: Record<string, string> = {},
): Promise<void> {
  const coded = body instanceof CodedBody ? body : new CodedBody(JSON.stringify(body));
  return sendCoded(req, res, coded, JSON_TYPE, { cacheControl: 'no-cache', headers: { ...OPEN, ...headers } });
}

/** Where the client reached us, a prefix and a token in the path included: what absolute links begin with. */
export function clientBase(req: Request, publicUrl: string | undefined): string {
  const token = (req as Request & { larderPathToken?: string }).larderPathToken;
  const base = baseUrl({ ...hostOf(req), baseUrl: '' } as never, publicUrl);
  return token === undefined ? base : `${base}/token/${token}`;
}

function hostOf(req: Request) {
  return { headers: req.headers, socket: req.socket };
}

/** Values of a query field that may come once, often, with `[]`, or by commas. */
export function valuesOf(query: URLSearchParams, name: string): string[] {
  return [...query.getAll(name), ...query.getAll(`${name}[]`)]
    .flatMap((value) => value.split(','))
    .filter((value) => value !== '');
}

/** `true`, `True` and `1` are what clients of several ages send. */
export function isTrue(value: unknown): boolean {
  return value === true || (typeof value === 'string' && /^(true|1)$/i.test(value));
}

export function queryOf(req: Request): URLSearchParams {
  const { url } = req;
  const at = url.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : url.slice(at + 1));
}
