import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { writePaced } from './played.ts';

/** What stands at a path of the origin. */
export interface Thing {
  body: Buffer | string;
  /** Instead of `body`: what is said depends on what was asked. */
  answer?(call: Call): Buffer | string;
  type?: string;
  etag?: string;
  status?: number;
  headers?: Record<string, string>;
  /** No Range: the whole is sent whatever was asked for. */
  ignoreRange?: boolean;
  /** Bytes per second. */
  pace?: number;
}

/** How an answer goes wrong; each fault takes one answer unless `times` says more. */
export interface Fault {
  path: string;
  times?: number;
  /** Breaks the connection after so many bytes of the body. */
  cutAfter?: number;
  /** Says nothing more after so many bytes. */
  stallAfter?: number;
  /** Flips a bit of the last byte. */
  corrupt?: boolean;
  status?: number;
  headers?: Record<string, string>;
  /** Announces another length. */
  lengthOff?: number;
}

export interface Call {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** What was sent with it. */
  body: Buffer;
}

/** An origin on loopback, with everything that goes wrong with origins. */
export interface OriginServer {
  url: string;
  host: string;
  set(path: string, thing: Thing): void;
  remove(path: string): void;
  fail(fault: Fault): void;
  calls(path?: string): Call[];
  count(path: string, method?: string): number;
  /** Refuses connections, and breaks those there are. */
  goDark(): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

export async function startOriginServer(): Promise<OriginServer> {
  const things = new Map<string, Thing>();
  const faults: (Fault & { left: number })[] = [];
  const calls: Call[] = [];
  const sockets = new Set<Socket>();
  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const path = req.url!;
    const call: Call = { method: req.method!, path, headers: req.headers, body: Buffer.alloc(0) };
    calls.push(call);
    if (req.method === 'POST') call.body = Buffer.concat(await req.toArray());
    const fault = faults.find((one) => one.path === path && one.left > 0);
    if (fault) fault.left -= 1;
    const bare = things.get(path.split('?', 1)[0]!);
    const thing = things.get(path) ?? (bare?.answer ? bare : undefined);
    await reply(req, res, thing?.answer ? { ...thing, body: thing.answer(call) } : thing, fault);
  };
  let server = await open(answer, sockets, 0);
  const { port } = server.address() as AddressInfo;
  const shut = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    if (server.listening) await once(server, 'close');
  };
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    set: (path, thing) => void things.set(path, thing),
    remove: (path) => void things.delete(path),
    fail: (fault) => void faults.push({ ...fault, left: fault.times ?? 1 }),
    calls: (path) => calls.filter((call) => path === undefined || call.path === path),
    count: (path, method = 'GET') => calls.filter((call) => call.path === path && call.method === method).length,
    goDark: shut,
    async comeBack() {
      server = await open(answer, sockets, port);
    },
    close: shut,
  };
}

async function open(
  answer: (req: IncomingMessage, res: ServerResponse) => Promise<void>,
  sockets: Set<Socket>,
  port: number,
): Promise<Server> {
  // a client that leaves in the middle is met by whoever asked
  const server = createServer((req, res) => void answer(req, res).catch(() => res.destroy()));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function reply(
  req: IncomingMessage,
  res: ServerResponse,
  thing: Thing | undefined,
  fault: Fault | undefined,
): Promise<void> {
  const status = fault?.status ?? thing?.status ?? (thing ? 200 : 404);
  if (!thing || status !== 200) {
    res.writeHead(status, { ...thing?.headers, ...fault?.headers }).end(thing ? String(thing.body) : '');
    return;
  }
  const body = Buffer.from(thing.body);
  const etag = thing.etag;
  const headers: Record<string, string | number> = {
    'content-type': thing.type ?? 'application/octet-stream',
    ...(etag ? { etag } : {}),
    ...thing.headers,
  };
  if (etag && req.headers['if-none-match'] === etag) {
    res.writeHead(304, headers).end();
    return;
  }
  const range = thing.ignoreRange ? null : /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '');
  const applies = range && (req.headers['if-range'] === undefined || req.headers['if-range'] === etag);
  const start = applies ? Number(range[1]) : 0;
  const end = applies && range[2] ? Math.min(Number(range[2]), body.length - 1) : body.length - 1;
  if (applies) headers['content-range'] = `bytes ${start}-${end}/${body.length}`;
  const part = Buffer.from(body.subarray(start, end + 1));
  if (fault?.corrupt) part[part.length - 1] = part[part.length - 1]! ^ 1;
  headers['content-length'] = part.length + (fault?.lengthOff ?? 0);
  res.writeHead(applies ? 206 : 200, headers);
  if (req.method === 'HEAD') return void res.end();
  const stop = fault?.cutAfter ?? fault?.stallAfter;
  await writePaced(res, stop === undefined ? part : part.subarray(0, stop), thing.pace);
  if (fault?.stallAfter !== undefined) return;
  if (fault?.cutAfter !== undefined || fault?.lengthOff) res.socket?.destroy();
  else res.end();
}
