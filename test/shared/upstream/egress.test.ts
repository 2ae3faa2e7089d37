import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EgressOptions } from '../../../shared/upstream/egress.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import { passthrough } from '../../../shared/upstream/passthrough.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { type Certificate, makeCertificate } from '../../support/tls.ts';

let folder: { path: string; remove(): Promise<void> };
let certificate: Certificate;
let plain: Server;
let secure: Server;
let proxy: Server;
/** What the proxy was asked for. */
let proxied: string[];

beforeAll(async () => {
  folder = await temporaryFolder();
  certificate = await makeCertificate(folder.path);
});
afterAll(() => folder.remove());

beforeEach(async () => {
  proxied = [];
  plain = await listening(createServer((_req, res) => res.end('plain')));
  secure = await listening(createTlsServer(certificate, (_req, res) => res.end('secure')));
  proxy = await listening(siteProxy());
});
afterEach(() => {
  for (const server of [plain, secure, proxy]) {
    server.closeAllConnections();
    server.close();
  }
});

async function listening<T extends Server>(server: T): Promise<T> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const hostOf = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;

/** As a site's proxy is: plain requests by their whole address, tunnels for the rest. */
function siteProxy(): Server {
  const server = createServer((req, res) => {
    proxied.push(req.url!);
    req.pipe(request(req.url!, { method: req.method }, (answer) => answer.pipe(res)));
  });
  server.on('connect', (req, socket) => {
    proxied.push(`CONNECT ${req.url}`);
    const [host, port] = req.url!.split(':');
    const tunnel = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      tunnel.pipe(socket).pipe(tunnel);
    });
    tunnel.on('error', () => socket.destroy());
    socket.on('error', () => tunnel.destroy());
  });
  return server;
}

/** By the mirror's own way. */
async function fetched(url: string, options: EgressOptions, ca?: string[]): Promise<string> {
  const upstream = httpOrigins({ userAgent: 'larder/test', now: Date.now, ...options })([
    { name: 'origin', hosts: 'any', ca },
  ]);
  try {
    const ref = {
      key: 'a',
      subject: 'file',
      label: 'a',
      source: url,
      origin: 'origin',
      freshness: 'immutable' as const,
    };
    const arrival = await upstream.fetch(ref);
    return arrival.outcome === 'fresh' ? Buffer.concat(await arrival.body.toArray()).toString() : arrival.outcome;
  } finally {
    await upstream.close?.();
  }
}

/** By the way of what is passed on. */
async function passed(url: string, options: EgressOptions, ca?: string[]): Promise<string> {
  const handler = passthrough(options)({ name: 'origin', url, subject: 'search', ca });
  const failed = Promise.withResolvers<never>();
  const server = await listening(createServer((req, res) => handler(req, res, failed.reject)));
  try {
    return await Promise.race([fetch(`http://${hostOf(server)}/`).then((answer) => answer.text()), failed.promise]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe.each([
  ['what is mirrored', fetched],
  ['what is passed on', passed],
])('%s', (_what, ask) => {
  const viaProxy = () => ({ http: `http://${hostOf(proxy)}`, https: `http://${hostOf(proxy)}` });

  test('goes without a proxy unless one is set', async () => {
    expect(await ask(`http://${hostOf(plain)}/`, {})).toBe('plain');
    expect(proxied).toEqual([]);
  });

  test('goes through the proxy of the site, in plain and by a tunnel', async () => {
    const options = { proxy: viaProxy(), ca: [certificate.cert] };
    expect(await ask(`http://${hostOf(plain)}/`, options)).toBe('plain');
    expect(await ask(`https://${hostOf(secure)}/`, options)).toBe('secure');
    expect(proxied).toHaveLength(2);
    expect(proxied[0]).toContain(hostOf(plain));
    expect(proxied[1]).toBe(`CONNECT ${hostOf(secure)}`);
  });

  test('passes the proxy by for hosts that need none', async () => {
    expect(await ask(`http://${hostOf(plain)}/`, { proxy: { ...viaProxy(), none: '127.0.0.1' } })).toBe('plain');
    expect(proxied).toEqual([]);
  });

  test('trusts an authority of the site, or of the one origin, and no other', async () => {
    const url = `https://${hostOf(secure)}/`;
    expect(await ask(url, { ca: [certificate.cert] })).toBe('secure');
    expect(await ask(url, {}, [certificate.cert])).toBe('secure');
    await expect(ask(url, {})).rejects.toMatchObject({
      kind: 'upstream-failed',
      message: expect.stringMatching(/could not be asked \(DEPTH_ZERO_SELF_SIGNED_CERT\)/),
    });
  });

  test('trusts it behind the proxy too', async () => {
    const url = `https://${hostOf(secure)}/`;
    await expect(ask(url, { proxy: viaProxy() })).rejects.toMatchObject({ kind: 'upstream-failed' });
    expect(await ask(url, { proxy: viaProxy() }, [certificate.cert])).toBe('secure');
  });
});
