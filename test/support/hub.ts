import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { HubApi } from './hub-api.ts';
import { type HubRepo, type RepoWish, repoOf } from './hub-repo.ts';
import { openPlayed, type Played, type PlayedFault, reply } from './played.ts';

export type { HubRepo, RepoWish } from './hub-repo.ts';

/** Its path is a part of one of the hub or of its file host. */
export type HubFault = PlayedFault;

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
  const servers = await Promise.all([openPlayed(answer('hub'), { sockets }), openPlayed(answer('cdn'), { sockets })]);
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  const [url, cdnUrl] = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
  const api = new HubApi({ repos, renamed, url, cdnUrl, token: options.token, pageSize: options.pageSize ?? 1000 });
  const fileOf = (req: IncomingMessage): Played => {
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
      servers[0] = await openPlayed(answer('hub'), { sockets, port: ports[0] });
      servers[1] = await openPlayed(answer('cdn'), { sockets, port: ports[1] });
    },
    close: shut,
  };
  return hub;
}
