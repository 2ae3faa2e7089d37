import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Certificate } from './tls.ts';

/** What a site has in front of its services: TLS ends here, and all goes on as it came. */
export interface TlsFront {
  /** `https://127.0.0.1:port` */
  url: string;
  /** Where it goes on to, from now on. */
  passTo(url: string): void;
  close(): Promise<void>;
}

export async function startTlsFront(certificate: Certificate): Promise<TlsFront> {
  let target = '';
  const server = createServer(certificate, (req, res) => {
    const passed = request(target + req.url, { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      pipeline(answer, res).catch(() => undefined);
    });
    passed.on('error', () => res.destroy());
    pipeline(req, passed).catch(() => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passTo: (url) => {
      target = url;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
