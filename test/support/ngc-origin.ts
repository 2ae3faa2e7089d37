import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type NgcAccount, NgcAccounts } from './ngc-origin-accounts.ts';
import { NgcApi } from './ngc-origin-api.ts';
import { type NgcKind, type NgcWish, type NgcWork, workKey, workOf } from './ngc-origin-works.ts';
import { openPlayed, type PlayedFault, reply } from './played.ts';
import type { Certificate } from './tls.ts';

export type { NgcAccount } from './ngc-origin-accounts.ts';
export type { NgcKind, NgcLie, NgcWish, NgcWork } from './ngc-origin-works.ts';

/** The API, the host of `/token`, the host of files. */
export type NgcHost = 'api' | 'authn' | 'cdn';

export interface NgcFault extends PlayedFault {
  /** Any of them, when unset. */
  host?: NgcHost;
}

export interface NgcCall {
  method: string;
  /** With the query, as it came. */
  path: string;
  host: NgcHost;
  headers: IncomingMessage['headers'];
  body: string;
}

/** An origin on loopback that behaves like NGC: an API, a host of tokens, a host of files with signed addresses. */
export interface NgcOrigin {
  /** What `ngc.origin` takes. */
  url: string;
  /** What `ngc.authOrigin` takes. */
  authUrl: string;
  cdnUrl: string;
  /** Adds a version, of a work that is new or known. */
  add(wish: NgcWish): NgcWork;
  work(id: string, kind?: NgcKind): NgcWork;
  /** It is gone, as after a deletion. */
  remove(id: string, kind?: NgcKind): void;
  fail(fault: NgcFault): void;
  /** Calls whose path has this in it, at one host or at all. */
  calls(part?: string, host?: NgcHost): NgcCall[];
  count(part: string, options?: { host?: NgcHost; method?: string }): number;
  /** Signed addresses, or tokens, that were given until now are good no more. */
  expireUrls(): void;
  expireTokens(): void;
  /** All hosts refuse connections, or one of them. */
  goDark(host?: NgcHost): Promise<void>;
  comeBack(host?: NgcHost): Promise<void>;
  close(): Promise<void>;
  /** Bytes per second and connection of the file host; unset: as fast as it can. */
  pace?: number;
}

export interface NgcOptions {
  accounts?: NgcAccount[];
  /** All three by HTTPS with it. */
  tls?: Certificate;
  /** Entries on a page at most, whatever is asked for; 1,000 unless told. */
  pageSize?: number;
  /** How long addresses and tokens are good; an hour unless told. */
  urlSeconds?: number;
  tokenSeconds?: number;
  now?(): number;
  /** What the file host is called in addresses: `localhost`, to have another name than the API. */
  cdnName?: string;
}

const HOSTS: readonly NgcHost[] = ['api', 'authn', 'cdn'];

export async function startNgc(options: NgcOptions = {}): Promise<NgcOrigin> {
  const { tls, now = Date.now, tokenSeconds = 3600, urlSeconds = 3600, pageSize = 1000 } = options;
  const works = new Map<string, NgcWork>();
  const accounts = new NgcAccounts(options.accounts ?? [], { tokenSeconds, now });
  const api = new NgcApi({ works, accounts, pageSize, urlSeconds, now });
  const calls: NgcCall[] = [];
  const faults: (NgcFault & { left: number })[] = [];
  const places = new Map<NgcHost, { server: Server; port: number; sockets: Set<Socket> }>();
  let ngc: NgcOrigin;
  let added = 0;

  const faultFor = ({ host, method, path }: NgcCall) => {
    const fault = faults.find(
      (one) =>
        one.left > 0 && path.includes(one.path) && (one.method ?? method) === method && (one.host ?? host) === host,
    );
    if (fault) fault.left -= 1;
    return fault;
  };
  const answer = (host: NgcHost) => async (req: IncomingMessage, res: ServerResponse) => {
    const body = Buffer.concat(await req.toArray()).toString();
    const call: NgcCall = { method: req.method!, path: req.url!, host, headers: req.headers, body };
    calls.push(call);
    const fault = faultFor(call);
    if (fault?.status) {
      const requestStatus = { statusCode: 'UNKNOWN', statusDescription: 'a fault of the test' };
      res.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      return void res.end(JSON.stringify({ requestStatus }));
    }
    const given = host === 'cdn' ? api.file(req) : host === 'authn' ? authn(req) : api.answer(req, body);
    await reply(req, res, given, fault, host === 'cdn' ? ngc.pace : undefined);
  };
  const authn = (req: IncomingMessage) =>
    req.url!.startsWith('/token?') || req.url === '/token'
      ? accounts.token(req)
      : { status: 404, headers: {}, body: Buffer.alloc(0) };
  const openHost = async (host: NgcHost) => {
    const sockets = new Set<Socket>();
    const server = await openPlayed(answer(host), { sockets, port: places.get(host)?.port, tls });
    places.set(host, { server, sockets, port: (server.address() as AddressInfo).port });
  };
  const shut = async (hosts: readonly NgcHost[]) => {
    for (const host of hosts) {
      const { server, sockets } = places.get(host)!;
      for (const socket of sockets) socket.destroy();
      server.close();
      if (server.listening) await once(server, 'close');
    }
  };
  for (const host of HOSTS) await openHost(host);
  const urlOf = (host: NgcHost, name = '127.0.0.1') => `${tls ? 'https' : 'http'}://${name}:${places.get(host)!.port}`;
  api.cdnUrl = urlOf('cdn', options.cdnName);
  const matching = (part: string, host?: NgcHost) =>
    calls.filter((call) => call.path.includes(part) && (host ?? call.host) === call.host);
  ngc = {
    url: urlOf('api'),
    authUrl: urlOf('authn'),
    cdnUrl: api.cdnUrl,
    add(wish) {
      const key = workKey(wish.kind ?? 'models', wish.id);
      const work = workOf(wish, works.get(key), added);
      added += 1;
      works.set(key, work);
      return work;
    },
    work: (id, kind = 'models') => works.get(workKey(kind, id))!,
    remove: (id, kind = 'models') => void works.delete(workKey(kind, id)),
    fail: (fault) => void faults.push({ ...fault, left: fault.times ?? 1 }),
    calls: (part = '', host) => matching(part, host),
    count: (part, { host, method } = {}) =>
      matching(part, host).filter((call) => (method ?? call.method) === call.method).length,
    expireUrls: () => api.expireUrls(),
    expireTokens: () => accounts.expireTokens(),
    goDark: (host) => shut(host ? [host] : HOSTS),
    async comeBack(host) {
      for (const one of host ? [host] : HOSTS) await openHost(one);
    },
    close: () => shut(HOSTS),
  };
  return ngc;
}
