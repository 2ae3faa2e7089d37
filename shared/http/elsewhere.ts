import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Facts } from '../model/entry.ts';
import type { Elsewhere, Wanted } from '../storage/delivery.ts';

/** Conditions are about our validators, and who sends the bytes would judge them by its own. */
const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'];

interface Deliverable {
  facts: Facts;
  elsewhere?(wanted: Wanted): Promise<Elsewhere | undefined>;
}

/**
 * Has somebody else send the body, where the settings say so: the client is redirected, or the web server before us is
 * told which file it is. The fields of the answer are set already.
 * @param bytes of the body: the whole, or the one range that is asked for
 * @returns true when the answer is given
 */
export async function sendElsewhere(
  req: IncomingMessage,
  res: ServerResponse,
  thing: Deliverable,
  bytes: number | undefined,
): Promise<boolean> {
  if (!thing.elsewhere || req.method !== 'GET' || bytes === undefined || res.hasHeader('content-encoding'))
    return false;
  if (CONDITIONS.some((name) => req.headers[name] !== undefined)) return false;
  const disposition = res.getHeader('content-disposition') as string | undefined;
  const place = await thing.elsewhere({ bytes, mediaType: thing.facts.mediaType, disposition });
  if (!place) return false;
  return 'url' in place ? redirect(req, res, place.url) : accelerate(req, res, place.accel);
}

/** 307, and no body: the method stays what it was. */
function redirect(req: IncomingMessage, res: ServerResponse, url: string): boolean {
  if (keepsToken(req, url) || isDowngrade(req, url)) return false;
  res.statusCode = 307;
  res.setHeader('location', url);
  // the bytes may be kept for ever, the way to them is over in an hour
  res.setHeader('cache-control', 'no-store');
  res.setHeader('content-length', 0);
  for (const name of ['content-type', 'content-disposition', 'accept-ranges', 'last-modified']) res.removeHeader(name);
  res.end();
  return true;
}

/**
 * Go's clients keep `Authorization` on the way to the same host and to hosts below it, whatever the port, and engines
 * answer 400 to a request that says twice who it is.
 */
function keepsToken(req: IncomingMessage, url: string): boolean {
  // as it came: services take away what says nothing to them
  if (!req.rawHeaders.some((name, at) => at % 2 === 0 && /^authorization$/i.test(name))) return false;
  const asked = URL.parse(`http://${req.headers.host ?? ''}`)?.hostname;
  return asked !== undefined && isSameOrBelow(new URL(url).hostname, asked);
}

/** True for `s3.site` and `site`. */
export function isSameOrBelow(host: string, other: string): boolean {
  return host === other || host.endsWith(`.${other}`);
}

function isDowngrade(req: IncomingMessage, url: string): boolean {
  const isSecure = (req.socket as TLSSocket).encrypted || req.headers['x-forwarded-proto'] === 'https';
  return isSecure && url.startsWith('http:');
}

/**
 * https://nginx.org/en/docs/http/ngx_http_proxy_module.html, "X-Accel-Redirect". Only for a server that says it
 * understands: whoever reaches us past it would get nothing and take it for the whole. The path is ours alone.
 */
function accelerate(req: IncomingMessage, res: ServerResponse, path: string): boolean {
  if (!/^x-accel-redirect$/i.test(String(req.headers['x-sendfile-type'] ?? ''))) return false;
  res.statusCode = 200;
  res.setHeader('x-accel-redirect', path);
  // said by whoever serves ranges, and it would be said twice
  res.removeHeader('accept-ranges');
  res.end();
  return true;
}
