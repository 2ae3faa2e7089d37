import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorRequestHandler, Request, Response } from 'express';
import type { Logger } from 'pino';
import { fromSystemError, MirrorError } from '../model/errors.ts';
import { loggedPath } from './observe.ts';

/** Bytes and milliseconds for which a body that was refused is passed over. */
const MOST_PASSED_OVER = 64 << 20;
const LONGEST_PASSED_OVER = 5_000;

/** An error in a protocol's own words. A string body is text; anything else is JSON. */
export interface RenderedError {
  status: number;
  headers?: Record<string, string>;
  body?: string | object;
}

/**
 * Ends a request that failed, in the words of its protocol. After headers are out there are no words left: the socket
 * is destroyed, so that nobody takes a part for the whole.
 */
export function renderErrors(
  service: { renderError(error: MirrorError, requestId?: string): RenderedError },
  log: Logger,
): ErrorRequestHandler {
  return (thrown, req, res, _next) => {
    const error = asMirrorError(thrown);
    if (error.kind === 'internal' || error.kind === 'corrupt' || error.kind === 'out-of-space') {
      log.error(
        { event: 'error', kind: error.kind, err: error, cause: error.cause, path: loggedPath(req) },
        error.message,
      );
    }
    if (res.headersSent) {
      res.destroy();
      return;
    }
    clear(res);
    const {
      status,
      headers = {},
      body = '',
    } = service.renderError(error, res.getHeader('x-request-id') as string | undefined);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    if (error.retryAfter !== undefined) res.setHeader('retry-after', error.retryAfter);
    if (error.kind === 'unauthorized' && !res.hasHeader('www-authenticate')) {
      // RFC 9110 §15.5.2: "The server generating a 401 response MUST send a WWW-Authenticate header field"
      res.setHeader('www-authenticate', 'Basic realm="larder", charset="UTF-8"');
    }
    const text = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    if (!res.hasHeader('content-type'))
      res.setHeader('content-type', typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json');
    res.setHeader('content-length', text.length);
    res.setHeader('cache-control', 'no-store');
    res.statusCode = status;
    const isUnread = !req.complete && announcesBody(req.headers);
    // a request body that nobody wants any more must not be taken for the next request
    if (isUnread) res.setHeader('connection', 'close');
    if (isUnread && req.method !== 'HEAD' && req.headers.expect === undefined) endWhenSent(req, res, text);
    else res.end(req.method === 'HEAD' ? undefined : text);
  };
}

/**
 * Who sends all of a body before reading would find the connection closed, and never hear why: the answer goes out at
 * once, and what still comes is passed over for a while.
 */
function endWhenSent(req: Request, res: Response, text: Buffer): void {
  let left = MOST_PASSED_OVER;
  const end = () => {
    clearTimeout(timer);
    req.off('data', passOver);
    res.end();
  };
  const passOver = (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) end();
  };
  const timer = setTimeout(end, LONGEST_PASSED_OVER);
  res.write(text);
  // now, and not when what follows has been looked at: it may be no HTTP, and end the connection
  res.socket?.uncork();
  req.on('data', passOver).once('close', end).once('error', end).once('end', end);
  if (req.destroyed) end();
  else req.resume();
}

function announcesBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Fields of the answer that was not to be. */
function clear(res: Response): void {
  const id = res.getHeader('x-request-id');
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  if (id !== undefined) res.setHeader('x-request-id', id);
}

function asMirrorError(thrown: unknown): MirrorError {
  if (thrown instanceof URIError)
    return new MirrorError('bad-request', 'request', 'the address has a broken %-escape', { cause: thrown });
  const status = (thrown as { status?: unknown } | undefined)?.status;
  if (!(thrown instanceof MirrorError) && typeof status === 'number' && status >= 400 && status < 500) {
    return new MirrorError(
      status === 413 ? 'too-large' : 'bad-request',
      'request',
      'the request cannot be understood',
      { cause: thrown },
    );
  }
  return fromSystemError(thrown, 'request');
}
