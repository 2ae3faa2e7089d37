import type { Request, Response } from 'express';
import { baseUrl } from '../../shared/http/base-url.ts';
import { type SendOptions, sendBytes } from '../../shared/http/send.ts';
import type { Served } from '../../shared/mirror/resource.ts';
import { digestOf, hexOf } from '../../shared/model/digest.ts';
import { encodeRfc3986 } from '../../shared/storage/sigv4.ts';

/** What was taken off the front of a request's address: a prefix that clients have in theirs. */
type Prefixed = Request & { ngcPrefix?: string };

/** Sends a document as it is: `application/json`, and never coded, which some clients cannot read. */
export function sendDocument(
  req: Request,
  res: Response,
  bytes: Buffer,
  options: SendOptions & { served?: Served } = {},
): Promise<void> {
  const facts = { mediaType: 'application/json', etag: `"${hexOf(digestOf(bytes))}"`, headers: {} };
  return sendBytes(req, res, bytes, facts, { cacheControl: 'no-cache', ...options });
}

/** Sends a value as JSON. */
export function sendJson(req: Request, res: Response, value: object): Promise<void> {
  return sendDocument(req, res, Buffer.from(JSON.stringify(value)));
}

/** The path of the request as it came on the wire, and its query. */
export function wireOf({ url }: Pick<Request, 'url'>): { path: string; query: string } {
  const at = url.indexOf('?');
  return at === -1 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/**
 * The first value of a parameter, decoded once. Throws `URIError` for a broken escape.
 * @param plus what a `+` is, escaped: itself, or a space (`%20`) as forms have it
 */
export function parameterOf(query: string, name: string, plus: '%2B' | '%20' = '%2B'): string | undefined {
  const found = query.split('&').find((pair) => pair === name || pair.startsWith(`${name}=`));
  if (found === undefined) return undefined;
  return decodeURIComponent(found.slice(name.length + 1).replaceAll('+', plus));
}

/**
 * Takes prefixes off: the path of the public address, and `/ngc` (a NIM's `NGC_API_ENDPOINT` may have a path, and so may
 * this mirror behind a gateway). Doubled slashes before a path mean one.
 */
export function withoutPrefix(publicUrl: string | undefined) {
  const own = publicUrl ? new URL(publicUrl).pathname.replace(/\/+$/, '') : '';
  const prefixes = [...new Set([own, '/ngc'])].filter((prefix) => prefix !== '');
  return (req: Prefixed, _res: Response, next: () => void): void => {
    req.url = req.url.replace(/^\/{2,}/, '/');
    const prefix = prefixes.find((one) => req.url.startsWith(one) && /^([/?]|$)/.test(req.url.slice(one.length)));
    if (prefix !== undefined) {
      req.ngcPrefix = prefix;
      req.url = req.url.slice(prefix.length).replace(/^\/*/, '/');
    }
    next();
  };
}

/** Where the client reached us, its prefix included: what absolute addresses begin with. */
export function clientBase(req: Prefixed, publicUrl: string | undefined): string {
  const { headers, socket, ngcPrefix = '' } = req;
  return baseUrl({ headers, socket, baseUrl: ngcPrefix } as never, publicUrl);
}

/** RFC 6266, with the plain form for clients that know no other. */
export function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\]/g, '_');
  return plain === name
    ? `attachment; filename="${plain}"`
    : `attachment; filename="${plain}"; filename*=UTF-8''${encodeRfc3986(name)}`;
}
