import { randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeCertificate } from './tls.ts';

/** Who is let in at a registry of a test. */
export interface Account {
  username: string;
  password: string;
}

/** What gives tokens for a docker-registry, which believes what its certificate signed. */
export interface TokenIssuer {
  /** What its settings say under `auth`. */
  auth: { token: { realm: string; service: string; issuer: string; rootcertbundle: string } };
  host: string;
  /** Scopes that were asked for. */
  scopes(): string[];
  /** A token as clients get it. */
  tokenFor(scope: string): string;
  close(): Promise<void>;
}

const SERVICE = 'registry.test';
const ISSUER = 'issuer.test';

/**
 * As the token specification of distribution has it (docs/spec/auth/jwt.md): signed with ES256, with the certificate
 * in the header. Actions are granted to this account alone.
 */
export async function startTokenIssuer(folder: string, account: Account): Promise<TokenIssuer> {
  const { key, cert } = await makeCertificate(folder);
  const rootcertbundle = join(folder, 'roots.pem');
  await writeFile(rootcertbundle, cert);
  const x5c = [cert.replace(/-----[A-Z ]+-----|\s/g, '')];
  const scopes: string[] = [];
  const tokenFor = (scope: string) => {
    const [type, name, actions = ''] = scope.split(':');
    const now = Math.floor(Date.now() / 1000);
    const access = scope ? [{ type, name, actions: actions.split(',') }] : [];
    const claims = { iss: ISSUER, sub: account.username, aud: SERVICE, exp: now + 300, nbf: now - 10, iat: now };
    const parts = [
      { typ: 'JWT', alg: 'ES256', x5c },
      { ...claims, jti: randomUUID(), access },
    ];
    const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const isKnown = (req: IncomingMessage) =>
    req.headers.authorization === `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`;
  const server = createServer((req, res) => {
    if (!isKnown(req)) return void res.writeHead(401).end('{"details":"incorrect username or password"}');
    const scope = new URL(req.url!, 'http://issuer').searchParams.get('scope') ?? '';
    scopes.push(scope);
    res.end(JSON.stringify({ token: tokenFor(scope), expires_in: 300 }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    auth: { token: { realm: `http://${host}/token`, service: SERVICE, issuer: ISSUER, rootcertbundle } },
    host,
    scopes: () => scopes,
    tokenFor,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
