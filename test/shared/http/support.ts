import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express, { type RequestHandler } from 'express';
import { observe } from '../../../shared/http/observe.ts';
import { type RenderedError, renderErrors } from '../../../shared/http/render-errors.ts';
import type { MirrorError } from '../../../shared/model/errors.ts';
import { createTelemetry, type Telemetry } from '../../../shared/telemetry/telemetry.ts';

/** A server on loopback for one test. */
export interface Loopback {
  port: number;
  url: string;
  close(): void;
}

export async function serveOnLoopback(listener: RequestListener): Promise<Loopback> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A request as it stands on the wire: `wire('GET /a', { range: 'bytes=0-1' })`. */
export function wire(line: string, headers: Record<string, string> = {}): string {
  const fields = Object.entries({ host: 'a', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${fields.join('')}\r\n`;
}

/** Writes to one connection. @returns all that came until the server ended it, cleanly or not */
export async function spoken(port: number, ...requests: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.write(requests.join(''));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

/** A service's app around one handler. */
export interface TestApp extends Loopback {
  telemetry: Telemetry;
  log: Record<string, unknown>[];
  /** Lines of requests, when there are so many; a line is written after its client has the answer. */
  lines(count: number): Promise<Record<string, unknown>[]>;
}

export async function startApp(
  handler: RequestHandler,
  renderError: (error: MirrorError) => RenderedError = ({ kind, message }) => ({
    status: 418,
    body: { kind, message },
  }),
): Promise<TestApp> {
  const log: Record<string, unknown>[] = [];
  let written = () => {};
  const stream = {
    write(line: string) {
      log.push(JSON.parse(line));
      written();
    },
  };
  const telemetry = createTelemetry({ stream });
  const app = express();
  app.disable('x-powered-by');
  app.use(observe(telemetry, 'notes'));
  app.use(handler);
  app.use(renderErrors({ renderError }, telemetry.log));
  return {
    ...(await serveOnLoopback(app)),
    telemetry,
    log,
    async lines(count) {
      for (;;) {
        const found = log.filter(({ event }) => event === 'request');
        if (found.length >= count) return found;
        await new Promise<void>((resolve) => {
          written = resolve;
        });
      }
    },
  };
}
