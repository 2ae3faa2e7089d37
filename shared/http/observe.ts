import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { counter, gauge, histogram, type Telemetry } from '../telemetry/telemetry.ts';

/** One line and some numbers for each request, when it is over. */
export function observe(telemetry: Telemetry, service: string): RequestHandler {
  const log = telemetry.log.child({ service });
  const requests = counter(telemetry, {
    name: 'http_requests_total',
    help: 'Requests',
    labelNames: ['service', 'method', 'status'],
  });
  const bytes = counter(telemetry, {
    name: 'http_response_bytes_total',
    help: 'Bytes of bodies sent',
    labelNames: ['service'],
  }).labels({ service });
  const running = gauge(telemetry, {
    name: 'http_requests_running',
    help: 'Requests under way',
    labelNames: ['service'],
  }).labels({ service });
  const seconds = histogram(telemetry, {
    name: 'http_request_seconds',
    help: 'Length of requests, bodies included',
    labelNames: ['service'],
    buckets: [0.002, 0.01, 0.05, 0.2, 1, 5, 30, 120, 600],
  }).labels({ service });
  return (req, res, next) => {
    const started = performance.now();
    const id = requestId(req);
    // a socket that is closed no longer knows whose it was
    const client = req.socket.remoteAddress;
    res.setHeader('x-request-id', id);
    running.inc();
    res.once('close', () => {
      const aborted = !res.writableFinished;
      const elapsed = performance.now() - started;
      const length = Number(res.getHeader('content-length') ?? 0);
      running.dec();
      seconds.observe(elapsed / 1000);
      requests.inc({ service, method: req.method, status: aborted ? 'aborted' : res.statusCode });
      if (!aborted && req.method !== 'HEAD') bytes.inc(length);
      if (log.isLevelEnabled('info')) log.info(lineOf(req, res, { id, client, aborted, elapsed, length }), 'request');
    });
    next();
  };
}

/**
 * What a log may hold of an address: a query may carry a signature, an absolute form a password (RFC 9112 §3.2.2), and
 * a path a token, for clients that can send none.
 */
export function loggedPath(req: Request): string {
  return req.originalUrl
    .split('?', 1)[0]!
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
    .replace(/\b(hf_|lrd_)[0-9A-Za-z_]{8,}/g, '$1…')
    .slice(0, 512);
}

function requestId(req: Request): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : nextId();
}

/** Of this process, and then a number: told apart from all others, and made without asking for randomness each time. */
const PROCESS = randomBytes(5).toString('hex');
let requestsSoFar = 0;

function nextId(): string {
  requestsSoFar = (requestsSoFar + 1) % 0x1000000;
  return PROCESS + requestsSoFar.toString(16).padStart(6, '0');
}

function lineOf(
  req: Request,
  res: Response,
  about: { id: string; client: string | undefined; aborted: boolean; elapsed: number; length: number },
) {
  return {
    event: 'request',
    id: about.id,
    method: req.method,
    path: loggedPath(req),
    status: res.statusCode,
    ...(about.aborted ? { aborted: true } : {}),
    length: about.length,
    ms: Math.round(about.elapsed * 10) / 10,
    served: res.getHeader('x-larder-served'),
    client: about.client,
    agent: req.headers['user-agent']?.slice(0, 256),
    by: req.identity?.name,
  };
}
