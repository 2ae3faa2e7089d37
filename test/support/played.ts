import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { drained } from '../../shared/http/send.ts';
import type { Certificate } from './tls.ts';

/** What an origin of a test answers. */
export interface Played {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** It answers ranges. */
  ranges?: boolean;
  /** Its ETag is heeded: `If-None-Match`, `If-Range`. */
  conditions?: boolean;
}

/** Something that goes wrong with the next answers. */
export interface PlayedFault {
  /** Where: a part of the path. */
  path: string;
  method?: string;
  times?: number;
  status?: number;
  headers?: Record<string, string>;
  /** Breaks the connection after so many bytes of the body. */
  cutAfter?: number;
  /** Falls silent after so many bytes. */
  stallAfter?: number;
  /** Another last byte. */
  corrupt?: boolean;
}

/** A server on loopback, by TLS where there is a certificate. Its sockets are kept in `sockets`. */
export async function openPlayed(
  answer: (req: IncomingMessage, res: ServerResponse) => Promise<void>,
  { sockets, port = 0, tls }: { sockets: Set<Socket>; port?: number; tls?: Certificate },
): Promise<Server> {
  const listener: RequestListener = (req, res) => {
    answer(req, res).catch((error) => res.destroy(error));
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Writes an answer: the part that was asked for, and what goes wrong with it. */
export async function reply(
  req: IncomingMessage,
  res: ServerResponse,
  given: Played,
  fault: PlayedFault | undefined,
  pace: number | undefined,
): Promise<void> {
  const headers: Record<string, string | number> = { ...given.headers };
  const { etag } = given.headers;
  if (given.conditions && etag !== undefined && req.headers['if-none-match'] === etag) {
    res.writeHead(304, { etag }).end();
    return;
  }
  const applies = given.conditions !== true || [undefined, etag].includes(String(req.headers['if-range'] ?? etag));
  const range = given.ranges && applies ? /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') : null;
  const size = given.body.length;
  const start = range ? Number(range[1]) : 0;
  if (range && start >= size) {
    res.writeHead(416, { 'content-range': `bytes */${size}` }).end();
    return;
  }
  const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
  if (given.ranges) headers['accept-ranges'] = 'bytes';
  if (range) headers['content-range'] = `bytes ${start}-${end}/${size}`;
  let part = given.body.subarray(start, end + 1);
  if (fault?.corrupt && part.length > 0) {
    part = Buffer.from(part);
    part[part.length - 1] = part[part.length - 1]! ^ 1;
  }
  headers['content-length'] = part.length;
  res.writeHead(range ? 206 : given.status, headers);
  if (req.method === 'HEAD') return void res.end();
  const stop = fault?.cutAfter ?? fault?.stallAfter;
  await writePaced(res, stop === undefined ? part : part.subarray(0, stop), pace);
  if (fault?.stallAfter !== undefined) return;
  if (fault?.cutAfter !== undefined) res.socket?.destroy();
  else res.end();
}

/** Writes bytes at a pace, if there is one: bytes a second. */
export async function writePaced(res: ServerResponse, bytes: Buffer, pace: number | undefined): Promise<void> {
  const step = pace ? Math.max(1024, Math.floor(pace / 50)) : 1 << 20;
  for (let offset = 0; offset < bytes.length && !res.destroyed; offset += step) {
    if (!res.write(bytes.subarray(offset, offset + step))) await drained(res);
    if (pace) await new Promise((resolve) => setTimeout(resolve, (step / pace) * 1000));
  }
  // what was written must leave before the connection is broken
  await new Promise((resolve) => setImmediate(resolve));
}
