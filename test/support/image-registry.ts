import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BuiltImage } from './images.ts';
import { type OriginServer, startOriginServer } from './origin-server.ts';

/** How a registry lets clients in. */
export type Login =
  | { kind: 'none' }
  /** As Docker Hub: realm, service and scope. `needed`: only with these credentials. */
  | { kind: 'bearer'; needed?: { username: string; password: string } }
  /** As nvcr.io has been seen: the scope inside the realm, nothing beside it, an answer that is no JSON. */
  | { kind: 'scope-in-realm'; needed?: { username: string; password: string } }
  | { kind: 'basic'; needed: { username: string; password: string } };

/** A registry on loopback that plays docker.io or another one: over an origin server with all its faults. */
export interface ImageRegistry {
  url: string;
  host: string;
  /** Where its tokens come from, a host of its own; and where its blobs lie, when it sends there. */
  authHost: string;
  /** Puts an image, and all that it names, under a tag. */
  add(repository: string, tag: string | undefined, image: BuiltImage): void;
  /** What it answers at a path, to change it: faults, calls. */
  origin: OriginServer;
  /** Questions for manifests and blobs, as they came: `GET /v2/library/bb/manifests/1`. */
  asked(method?: string): string[];
  tokenCalls(): { query: URLSearchParams; authorization: string | undefined; form: string }[];
  /** Tokens that it gave are taken no longer, and none is given. */
  shutOut(): void;
  letIn(): void;
  /** Fields of every answer: `ratelimit-limit`. */
  headers: Record<string, string>;
  /** Milliseconds before it answers at all. */
  delay: number;
  close(): Promise<void>;
}

export interface RegistryOptions {
  login?: Login;
  /** Blobs are sent for to another host, which takes no `Authorization`. */
  redirects?: boolean;
  /** It has no referrers API. */
  withoutReferrers?: boolean;
}

/** What a repository has. */
interface Held {
  tags: Map<string, BuiltImage>;
  all: BuiltImage[];
}

export async function startImageRegistry(options: RegistryOptions = {}): Promise<ImageRegistry> {
  const login = options.login ?? { kind: 'none' };
  const origin = await startOriginServer();
  const repositories = new Map<string, Held>();
  const asked: string[] = [];
  const tokens = new Set<string>();
  const tokenCalls: ReturnType<ImageRegistry['tokenCalls']> = [];
  let shut = false;
  const self = { headers: {} as Record<string, string>, delay: 0 };

  const auth = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    const { searchParams } = new URL(req.url!, 'http://auth');
    const { authorization } = req.headers;
    tokenCalls.push({ query: searchParams, authorization, form: Buffer.concat(chunks).toString() });
    const needed = 'needed' in login ? login.needed : undefined;
    const right = !needed || authorization === basic(needed) || Buffer.concat(chunks).includes('refresh_token=');
    if (shut || !right) return void res.writeHead(401).end('{}');
    const token = randomUUID();
    tokens.add(token);
    res.end(JSON.stringify({ token, expires_in: 300 }));
  }).listen(0, '127.0.0.1');
  await once(auth, 'listening');
  const authHost = `127.0.0.1:${(auth.address() as AddressInfo).port}`;

  const front = createServer(async (req, res) => {
    if (self.delay) await new Promise((resolve) => setTimeout(resolve, self.delay));
    asked.push(`${req.method} ${req.url}`);
    for (const [name, value] of Object.entries(self.headers)) res.setHeader(name, value);
    if (!isLetIn(req)) return refuse(req, res);
    const blob = /^\/v2\/.+\/blobs\/(sha256:[0-9a-f]{64})$/.exec(req.url!);
    if (options.redirects && blob) return void res.writeHead(307, { location: `${origin.url}/cdn/${blob[1]}` }).end();
    relay(req, res);
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  const host = `127.0.0.1:${(front.address() as AddressInfo).port}`;

  const isLetIn = (req: IncomingMessage) => {
    const { authorization = '' } = req.headers;
    if (shut) return false;
    if (login.kind === 'none') return true;
    if (login.kind === 'basic') return authorization === basic(login.needed);
    return tokens.has(authorization.replace('Bearer ', ''));
  };
  const refuse = (req: IncomingMessage, res: ServerResponse) => {
    const repository = /^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)\//.exec(req.url!)?.[1] ?? '';
    const scope = `repository:${repository}:pull`;
    const challenge = {
      none: 'Bearer realm="http://127.0.0.1:1/",service="none"',
      basic: 'Basic realm="registry"',
      bearer: `Bearer realm="http://${authHost}/token",service="registry.test",scope="${scope}"`,
      'scope-in-realm': `Bearer realm="http://${authHost}/proxy_auth?scope=${scope}"`,
    }[login.kind];
    res.writeHead(401, { 'www-authenticate': challenge, 'content-type': 'text/html' }).end('<html>401</html>');
  };
  /** The origin server answers, byte for byte: its faults, its ranges, its count of calls. */
  const relay = (req: IncomingMessage, res: ServerResponse) => {
    const headers = { ...req.headers, host: origin.host };
    relayTo(origin, req.method!, req.url!, headers, res);
  };

  const publish = (repository: string, { tags, all }: Held) => {
    const put = (image: BuiltImage, reference: string) =>
      origin.set(`/v2/${repository}/manifests/${reference}`, {
        body: image.bytes,
        type: image.mediaType,
        headers: { 'docker-content-digest': image.digest },
      });
    for (const image of all) {
      put(image, image.digest);
      for (const [digest, body] of image.blobs) {
        origin.set(`/v2/${repository}/blobs/${digest}`, { body, headers: { 'docker-content-digest': digest } });
        origin.set(`/cdn/${digest}`, { body });
      }
      if (!options.withoutReferrers) {
        const manifests = all.filter(({ subject }) => subject === image.digest).map(descriptorOf);
        const type = 'application/vnd.oci.image.index.v1+json';
        const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests });
        origin.set(`/v2/${repository}/referrers/${image.digest}`, { body, type });
      }
    }
    for (const [tag, image] of tags) put(image, tag);
    const list = JSON.stringify({ name: repository, tags: [...tags.keys()].sort() });
    origin.set(`/v2/${repository}/tags/list`, { body: list, type: 'application/json' });
  };

  return Object.assign(self, {
    url: `http://${host}`,
    host,
    authHost,
    origin,
    add(repository: string, tag: string | undefined, image: BuiltImage) {
      const held: Held = repositories.get(repository) ?? { tags: new Map(), all: [] };
      repositories.set(repository, held);
      held.all.push(image, ...image.manifests);
      if (tag !== undefined) held.tags.set(tag, image);
      publish(repository, held);
    },
    asked: (method?: string) => asked.filter((one) => method === undefined || one.startsWith(`${method} `)),
    tokenCalls: () => tokenCalls,
    shutOut: () => {
      shut = true;
      tokens.clear();
    },
    letIn: () => {
      shut = false;
    },
    async close() {
      for (const server of [front, auth]) {
        server.closeAllConnections();
        server.close();
      }
      await origin.close();
    },
  });
}

const basic = ({ username, password }: { username: string; password: string }) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

function descriptorOf({ mediaType, digest, size, artifactType, annotations }: BuiltImage) {
  return { mediaType, digest, size, artifactType, annotations };
}

/** Passes a request on without touching what comes back; a broken answer is a broken connection here, too. */
function relayTo(
  origin: OriginServer,
  method: string,
  path: string,
  headers: Record<string, unknown>,
  res: ServerResponse,
): void {
  const asking = request(`${origin.url}${path}`, { method, headers: headers as Record<string, string> }, (answer) => {
    res.writeHead(answer.statusCode!, answer.headers);
    answer.on('data', (chunk) => {
      if (!res.write(chunk)) {
        answer.pause();
        res.once('drain', () => answer.resume());
      }
    });
    answer.on('end', () => res.end());
    answer.on('error', () => res.destroy());
    answer.on('aborted', () => res.destroy());
  });
  asking.on('error', () => res.destroy());
  res.on('close', () => asking.destroy());
  asking.end();
}
