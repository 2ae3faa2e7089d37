import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { MirrorError } from '../model/errors.ts';
import { refuseBroken } from './broken-requests.ts';
import type { Certificate } from './certificate.ts';

/** Headers of one request; clients with long tokens and cookies stay far below. */
const MOST_HEADER_BYTES = 64 * 1024;
/** Milliseconds for which somebody may take to say hello. */
const HANDSHAKE = 20_000;

export interface Listening {
  /** `http://127.0.0.1:8082`, with the port that was taken. */
  url: string;
  /** Stops accepting, lets running requests finish for so long, then ends them. */
  drain(milliseconds: number): Promise<void>;
}

export interface Address {
  host: string;
  port: number;
  /** What the port is called in the settings. */
  setting: string;
  /** TLS is spoken with it; plain HTTP without one. */
  certificate?: Certificate;
}

/** Opens a port. Throws `bad-request`, naming the setting, when it cannot be had. */
export async function listen(handler: RequestListener, address: Address): Promise<Listening> {
  const server = serverFor(address.certificate, handler);
  server.on('checkContinue', (req, res) => {
    continueWhenRead(req, res);
    handler(req, res);
  });
  refuseBroken(server);
  // an upload may take hours; a connection on which nothing moves may not
  server.setTimeout(300_000);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(address, error)));
    server.listen(address.port, address.host, resolve);
  });
  const { address: host, family, port } = server.address() as AddressInfo;
  const shown = family === 'IPv6' ? `[${host}]` : host;
  const url = `${address.certificate ? 'https' : 'http'}://${shown}:${port}`;
  return { url, drain: (milliseconds) => drain(server, sockets, milliseconds) };
}

function serverFor(certificate: Certificate | undefined, handler: RequestListener): Server {
  const limits = {
    maxHeaderSize: MOST_HEADER_BYTES,
    requestTimeout: 0,
    headersTimeout: 60_000,
    keepAliveTimeout: 75_000,
  };
  if (!certificate) return createServer(limits, handler);
  const server = createTlsServer({ ...limits, handshakeTimeout: HANDSHAKE }, handler);
  certificate.serve(server);
  return server;
}

/**
 * Who sends `Expect: 100-continue` wants to hear a no before a long body: the word to go on is said when somebody reads.
 * RFC 9110 §10.1.1: "A server that responds with a final status code instead of reading the entire request content
 * SHOULD indicate whether it intends to close the connection".
 */
function continueWhenRead(req: IncomingMessage, res: ServerResponse): void {
  const read = req.read.bind(req);
  res.shouldKeepAlive = false;
  req.read = (size) => {
    req.read = read;
    if (!res.headersSent) {
      res.writeContinue();
      res.shouldKeepAlive = true;
    }
    return read(size);
  };
}

/** @param sockets also those that have not said hello yet, which an HTTP server does not know of */
async function drain(server: Server, sockets: ReadonlySet<Socket>, milliseconds: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  closeUnasked(server, sockets);
  const timer = setTimeout(() => {
    server.closeAllConnections();
    for (const socket of sockets) socket.destroy();
  }, milliseconds);
  // connections that become idle meanwhile are not kept open for a next request
  const sweep = setInterval(() => closeUnasked(server, sockets), 100);
  await closed;
  clearTimeout(timer);
  clearInterval(sweep);
}

/** Connections on which nothing is under way, those too that were opened ahead and never said a word. */
function closeUnasked(server: Server, sockets: ReadonlySet<Socket>): void {
  server.closeIdleConnections();
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
}

function cannotListen({ host, port, setting }: Address, error: NodeJS.ErrnoException): MirrorError {
  const [why, what] = {
    EADDRINUSE: ['another listener has it', `set ${setting} to a free port (0 takes any)`],
    EACCES: ['this user may not', `set ${setting} to a port above 1023`],
    EADDRNOTAVAIL: ['this machine has no such address', 'set listen to one that it has'],
    ENOTFOUND: ['nobody knows this name', 'set listen to an address of this machine'],
  }[error.code ?? ''] ?? [error.code ?? error.message, `see to ${setting} and listen`];
  const message = `${host}:${port} cannot be listened on: ${why}; ${what}`;
  return new MirrorError('bad-request', 'settings', message, { cause: error });
}
