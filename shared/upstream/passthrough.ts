import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { MirrorError } from '../model/errors.ts';
import { authorizationOf, type Credentials, shownUrl } from './credentials.ts';
import { agentOptions, type EgressOptions } from './egress.ts';
import { isRedirect } from './redirects.ts';

/** Where requests go that are not mirrored, in a service's words. */
export interface PassedOrigin {
  name: string;
  /** What stands for the address at which the handler is mounted. */
  url: string;
  /** The protocol's word for what is asked, for messages: "search". */
  subject: string;
  credentials?: Credentials;
  ca?: readonly string[];
}

/** As express calls it; `baseUrl` is where it is mounted. */
export type PassingHandler = (
  req: IncomingMessage & { baseUrl?: string },
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** Makes handlers that pass requests on to an origin and keep nothing of the answers: searches, audits. */
export type Passthrough = (origin: PassedOrigin) => PassingHandler;

/** What a client says to us alone: its secrets, and where it is. */
const OURS = /^(authorization|cookie|proxy-.*|forwarded|via|x-forwarded-.*|x-real-ip|www-authenticate)$/;
/** What an origin says to us alone, and what belongs to one connection (RFC 9110 §7.6.1). */
const ITS =
  /^(set-cookie|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|alt-svc|www-authenticate)$/;

/** The way on to origins, with the site's proxies and authorities. */
export function passthrough(options: EgressOptions): Passthrough {
  return (origin) => {
    const egress = agentOptions({ ...options, ca: [...(options.ca ?? []), ...(origin.ca ?? [])] });
    const calls = new WeakMap<IncomingMessage, (error: MirrorError) => void>();
    const proxy = createProxyMiddleware<IncomingMessage, ServerResponse>({
      target: origin.url.replace(/\/$/, ''),
      changeOrigin: true,
      agent: origin.url.startsWith('https:') ? new HttpsAgent(egress) : new HttpAgent(egress),
      proxyTimeout: options.headersTimeout ?? 30_000,
      selfHandleResponse: true,
      on: {
        proxyReq: (asked) => sayAsMirror(asked, origin),
        proxyRes: (answer, req, res) => answerWith(answer, req, res, origin).catch((error) => calls.get(req)?.(error)),
        error: (error, req) => calls.get(req)?.(unreachable(origin, error)),
      },
    });
    return (req, res, next) => {
      let told = false;
      // express, the proxy and the pipeline each watch it: eleven in all, and the usual warning begins there
      res.setMaxListeners(20);
      calls.set(req, (error) => {
        if (told || res.destroyed) return;
        told = true;
        // too late for words: a client must not take half an answer for a whole one
        if (res.headersSent) res.destroy();
        else next(error);
      });
      proxy(req, res, (error) => calls.get(req)?.(unreachable(origin, error))).catch((error: Error) =>
        calls.get(req)?.(unreachable(origin, error)),
      );
    };
  };
}

/** Only the mirror's own credentials go upstream. */
function sayAsMirror(asked: ClientRequest, { credentials }: PassedOrigin): void {
  for (const name of asked.getHeaderNames()) if (OURS.test(name)) asked.removeHeader(name);
  if (credentials) asked.setHeader('authorization', authorizationOf(credentials));
  // RFC 9110 §7.6.3: "An HTTP-to-HTTP gateway MUST send an appropriate Via header field in each inbound request message"
  asked.setHeader('via', '1.1 larder');
}

async function answerWith(
  answer: IncomingMessage,
  req: IncomingMessage & { baseUrl?: string },
  res: ServerResponse,
  origin: PassedOrigin,
): Promise<void> {
  const status = answer.statusCode!;
  const refusal = refusalOf(answer, req, origin);
  if (refusal) {
    answer.destroy();
    throw refusal;
  }
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !ITS.test(name)) res.setHeader(name, value);
  }
  if (isRedirect(status)) res.setHeader('location', ownAddress(answer, req, origin)!);
  res.writeHead(status);
  await pipeline(answer, res).catch((error) => {
    throw unreachable(origin, error);
  });
}

function refusalOf(answer: IncomingMessage, req: IncomingMessage, origin: PassedOrigin): MirrorError | undefined {
  const status = answer.statusCode!;
  const at = shownUrl(origin.url);
  if (status === 401 || status === 407) {
    const message = `${at} refused it to the mirror (${status}); check the credentials of the origin "${origin.name}"`;
    return new MirrorError('upstream-denied', origin.subject, message, { originStatus: status });
  }
  if (!isRedirect(status) || ownAddress(answer, req, origin)) return undefined;
  const message = `${at} sends on to an address that is not its own, where clients here cannot go`;
  return new MirrorError('upstream-failed', origin.subject, message, { originStatus: status });
}

/** A redirect inside of the origin, as an address of ours. */
function ownAddress(
  answer: IncomingMessage,
  req: IncomingMessage & { baseUrl?: string },
  origin: PassedOrigin,
): string | undefined {
  const base = origin.url.endsWith('/') ? origin.url : `${origin.url}/`;
  const asked = URL.parse((req.url ?? '/').slice(1), base);
  const next = asked && URL.parse(answer.headers.location ?? '', asked.href);
  if (!answer.headers.location || !next?.href.startsWith(base)) return undefined;
  return `${req.baseUrl ?? ''}/${next.href.slice(base.length)}`;
}

function unreachable(origin: PassedOrigin, cause: unknown): MirrorError {
  if (cause instanceof MirrorError) return cause;
  const { code, message } = (cause ?? {}) as { code?: string; message?: string };
  const why = code ?? message ?? 'unexpected error';
  return new MirrorError('upstream-failed', origin.subject, `${shownUrl(origin.url)} could not be asked (${why})`, {
    cause,
  });
}
