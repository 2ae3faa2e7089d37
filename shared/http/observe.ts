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
  });
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
    res.setHeader('x-request-id', id);
    running.inc();
    res.once('close', () => {
      const aborted = !res.writableFinished;
      const elapsed = performance.now() - started;
      const length = Number(res.getHeader('content-length') ?? 0);
      running.dec();
      seconds.observe(elapsed / 1000);
      requests.inc({ service, method: req.method, status: aborted ? 'aborted' : res.statusCode });
      if (!aborted && req.method !== 'HEAD') bytes.inc({ service }, length);
      log.info(lineOf(req, res, { id, aborted, elapsed, length }), 'request');
    });
    next();
  };
}

function requestId(req: Request): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomBytes(8).toString('hex');
}

function lineOf(
  req: Request,
  res: Response,
  { id, aborted, elapsed, length }: { id: string; aborted: boolean; elapsed: number; length: number },
) {
  return {
    event: 'request',
    id,
    method: req.method,
    // a query may carry a signature or a token: its path says enough
    path: req.originalUrl.split('?', 1)[0]!.slice(0, 512),
    status: res.statusCode,
    ...(aborted ? { aborted } : {}),
    length,
    ms: Math.round(elapsed * 10) / 10,
    served: res.getHeader('x-larder-served'),
    client: req.socket.remoteAddress,
    by: req.identity?.name,
  };
}
