import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { HubApi } from './hub-api.ts';
import { type HubRepo, type RepoWish, repoOf } from './hub-repo.ts';

export type { HubRepo, RepoWish } from './hub-repo.ts';

/** Something that goes wrong with the next answers. */
export interface HubFault {
  /** Where: a part of the path of the hub or of its file host. */
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

export interface HubCall {
  method: string;
  /** With the query. */
  path: string;
  host: 'hub' | 'cdn';
  headers: IncomingMessage['headers'];
}

/** An origin on loopback that behaves like the hub: API and small files on one host, large files on another. */
export interface Hub {
  /** What `huggingface.origin` takes. */
  url: string;
  cdnUrl: string;
  /** Adds a repo, or gives it a new commit on `main` when it is there. */
  add(wish: RepoWish): HubRepo;
  repo(id: string): HubRepo;
  /** Old name → new name: answered with 307, as after a rename. */
  rename(from: string, to: string): void;
  fail(fault: HubFault): void;
  calls(part?: string): HubCall[];
  count(part: string, method?: string): number;
  goDark(): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
  /** Bytes per second and connection of the file host; unset: as fast as it can. */
  pace?: number;
}

export interface HubOptions {
  /** A token that opens gated repos. */
  token?: string;
  /** Entries on a page of a tree. */
  pageSize?: number;
}

export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const repos = new Map<string, HubRepo>();
  const renamed = new Map<string, string>();
  const calls: HubCall[] = [];
  const faults: (HubFault & { left: number })[] = [];
  const sockets = new Set<Socket>();
  let hub: Hub;

  const faultFor = (method: string, path: string) => {
    const fault = faults.find(
      (one) => one.left > 0 && path.includes(one.path) && (one.method === undefined || one.method === method),
    );
    if (fault) fault.left -= 1;
    return fault;
  };
  const answer = (host: 'hub' | 'cdn') => async (req: IncomingMessage, res: ServerResponse) => {
    const call: HubCall = { method: req.method!, path: req.url!, host, headers: req.headers };
    calls.push(call);
    const fault = faultFor(call.method, call.path);
    if (fault?.status) {
      req.resume();
      res.writeHead(fault.status, fault.headers).end(JSON.stringify({ error: 'a fault of the test' }));
      return;
    }
    const given = host === 'cdn' ? fileOf(req) : await api.answer(req);
    await reply(req, res, given, fault, hub.pace);
  };
  const servers = await Promise.all([open(answer('hub'), sockets, 0), open(answer('cdn'), sockets, 0)]);
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  const [url, cdnUrl] = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
  const api = new HubApi({ repos, renamed, url, cdnUrl, token: options.token, pageSize: options.pageSize ?? 1000 });
  const fileOf = (req: IncomingMessage): HubAnswer => {
    const sha256 = /^\/lfs\/([0-9a-f]{64})\?/.exec(req.url!)?.[1];
    const bytes = sha256 ? api.large(sha256) : undefined;
    if (!bytes) return { status: 403, headers: {}, body: Buffer.from('<Error>AccessDenied</Error>') };
    // addresses are signed for GET alone, as those of object stores are
    if (req.method === 'HEAD') return { status: 403, headers: {}, body: Buffer.alloc(0) };
    const etag = `"${createHash('md5').update(sha256!).digest('hex')}"`;
    return { status: 200, headers: { 'content-type': 'application/octet-stream', etag }, body: bytes, ranges: true };
  };
  const shut = async () => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) {
      server.close();
      if (server.listening) await once(server, 'close');
    }
  };
  const matching = (part: string, method?: string) =>
    calls.filter((call) => call.path.includes(part) && (method === undefined || call.method === method));
  hub = {
    url,
    cdnUrl,
    add(wish) {
      const repo = repoOf(wish, repos.get(wish.id));
      repos.set(wish.id, repo);
      return repo;
    },
    repo: (id) => repos.get(id)!,
    rename: (from, to) => void renamed.set(from, to),
    fail: (fault) => void faults.push({ ...fault, left: fault.times ?? 1 }),
    calls: (part = '') => matching(part),
    count: (part, method) => matching(part, method).length,
    goDark: shut,
    async comeBack() {
      servers[0] = await open(answer('hub'), sockets, ports[0]!);
      servers[1] = await open(answer('cdn'), sockets, ports[1]!);
    },
    close: shut,
  };
  return hub;
}

export interface HubAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** It answers ranges. */
  ranges?: boolean;
}

async function open(
  answer: (req: IncomingMessage, res: ServerResponse) => Promise<void>,
  sockets: Set<Socket>,
  port: number,
): Promise<Server> {
  const server = createServer((req, res) => {
    answer(req, res).catch((error) => res.destroy(error));
  });
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
  given: HubAnswer,
  fault: HubFault | undefined,
  pace: number | undefined,
): Promise<void> {
  const headers: Record<string, string | number> = { ...given.headers };
  const range = given.ranges ? /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') : null;
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
  await write(res, stop === undefined ? part : part.subarray(0, stop), pace);
  if (fault?.stallAfter !== undefined) return;
  if (fault?.cutAfter !== undefined) res.socket?.destroy();
  else res.end();
}

/** Resolves when more may be written, or nobody reads any more. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
    if (res.destroyed) done();
  });
}

async function write(res: ServerResponse, bytes: Buffer, pace: number | undefined): Promise<void> {
  const step = pace ? Math.max(1024, Math.floor(pace / 50)) : 1 << 20;
  for (let offset = 0; offset < bytes.length && !res.destroyed; offset += step) {
    if (!res.write(bytes.subarray(offset, offset + step))) await drained(res);
    if (pace) await new Promise((resolve) => setTimeout(resolve, (step / pace) * 1000));
  }
  await new Promise((resolve) => setImmediate(resolve));
}
