import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** Milliseconds for which bytes are still taken from somebody who was refused. */
const LINGER = 2_000;

/**
 * Answers what is no HTTP, or more of it than is read. What the client is still sending is taken, and thrown away, for a
 * while: RFC 9112 §9.6: "If a server performs an immediate close of a TCP connection, there is a significant risk that
 * the client will not be able to read the last HTTP response."
 */
export function refuseBroken(server: Server): void {
  const underWay = new WeakMap<object, ServerResponse>();
  const refused = new WeakSet<object>();
  const begin = (req: IncomingMessage, res: ServerResponse) => void underWay.set(req.socket, res);
  server.on('request', begin);
  server.on('checkContinue', begin);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // each further piece of what is broken is told of again
    if (refused.has(socket)) return;
    refused.add(socket);
    const running = underWay.get(socket);
    const isRunning = running !== undefined && !running.writableFinished;
    if (error.code === 'ECONNRESET' || !socket.writable || (isRunning && running.headersSent)) return socket.destroy();
    socket.end(answerTo(error));
    // who reads the request's body must hear that nothing more comes of it
    if (isRunning) return socket.destroySoon();
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once('close', () => clearTimeout(timer));
  });
}

/** One line in plain text: what cannot be read tells nothing of the protocol in which it would like to be refused. */
function answerTo({ code }: NodeJS.ErrnoException): string {
  const known: Record<string, [status: number, text: string]> = {
    HPE_HEADER_OVERFLOW: [431, 'the headers of this request are longer than is read here; send fewer or shorter ones'],
    HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'the chunk extensions of this request are longer than is read here'],
    ERR_HTTP_REQUEST_TIMEOUT: [408, 'the headers of this request did not come in time; send it again'],
  };
  const [status, text] = known[code ?? ''] ?? [400, 'this is not HTTP/1.1 as it is read here'];
  const body = `${text}\n`;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
