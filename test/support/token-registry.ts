import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RegistryCall {
  path: string;
  status: number;
  authorization?: string;
  challenge?: string;
}

/** How the token server answers; what is unset stays usual. */
export interface TokenAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?(token: string): unknown;
  text?: string;
}

/** A registry that wants a Bearer token for a repository, and the token server that gives it on a host of its own. */
export interface TokenRegistry {
  url: string;
  host: string;
  authUrl: string;
  authHost: string;
  calls(path?: string): RegistryCall[];
  tokenCalls(): { query: URLSearchParams; authorization?: string }[];
  challengeWith(challenge: (repository: string) => string): void;
  answerTokens(answer: TokenAnswer): void;
  /** Tokens given so far hold no longer. */
  revokeAll(): void;
  /** No token is ever taken. */
  refuseAll(): void;
  close(): Promise<void>;
}

/** Tokens hold for 60 s of the clock that is passed in, 300 s where the answer says so. */
export async function startTokenRegistry(now: () => number): Promise<TokenRegistry> {
  const tokens = new Map<string, number>();
  const calls: RegistryCall[] = [];
  const tokenCalls: { query: URLSearchParams; authorization?: string }[] = [];
  let answer: TokenAnswer = {};
  let refusing = false;
  let auth = '';
  let challenge = (repository: string) =>
    `Bearer realm="${auth}/token",service="registry",scope="repository:${repository}:pull"`;

  const giveToken = (req: IncomingMessage, res: ServerResponse) => {
    const { searchParams } = new URL(req.url!, auth);
    tokenCalls.push({ query: searchParams, authorization: req.headers.authorization });
    const token = randomUUID();
    const body = answer.body?.(token) ?? { token, expires_in: 60 };
    tokens.set(token, now() + 1000 * ((body as { expires_in?: number }).expires_in ?? 60));
    res.writeHead(answer.status ?? 200, answer.headers).end(answer.text ?? JSON.stringify(body));
  };
  const isAllowed = (authorization = '') => {
    if (refusing) return false;
    if (authorization.startsWith('Basic ')) return true;
    return (tokens.get(authorization.replace('Bearer ', '')) ?? 0) > now();
  };
  const giveBlob = (req: IncomingMessage, res: ServerResponse) => {
    const path = req.url!;
    const { authorization } = req.headers;
    const [, , repository, name] = path.split('/');
    if (!isAllowed(authorization)) {
      calls.push({ path, status: 401, authorization, challenge: challenge(repository!) });
      res.writeHead(401, { 'www-authenticate': challenge(repository!) }).end('<html>no JSON here</html>');
      return;
    }
    const status = name === 'redirected' ? 307 : 200;
    calls.push({ path, status, authorization });
    if (status === 307) res.writeHead(307, { location: `${auth}/stored` }).end();
    else res.end(`${repository}/${name}`);
  };
  const registry = await listening(giveBlob);
  const tokenServer = await listening((req, res) => {
    if (req.url !== '/stored') return giveToken(req, res);
    calls.push({ path: '/stored', status: 200, authorization: req.headers.authorization });
    res.end('stored elsewhere');
  });
  auth = urlOf(tokenServer);
  return {
    url: urlOf(registry),
    host: new URL(urlOf(registry)).host,
    authUrl: auth,
    authHost: new URL(auth).host,
    calls: (path) => calls.filter((call) => path === undefined || call.path === path),
    tokenCalls: () => tokenCalls,
    challengeWith: (given) => {
      challenge = given;
    },
    answerTokens: (given) => {
      answer = given;
    },
    revokeAll: () => tokens.clear(),
    refuseAll: () => {
      refusing = true;
    },
    close: async () => {
      await Promise.all([shut(registry), shut(tokenServer)]);
    },
  };
}

async function listening(answer: (req: IncomingMessage, res: ServerResponse) => void): Promise<Server> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function shut(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
