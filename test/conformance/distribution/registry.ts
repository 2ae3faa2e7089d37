import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { type Algorithm, BYTES, type Content, digestOf } from './content.ts';

export interface Answer {
  method: string;
  path: string;
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  /** A field as often as it was sent. */
  all(name: string): string[];
  json<T = Record<string, unknown>>(): T;
}

export interface Asking {
  headers?: OutgoingHttpHeaders;
  /** Sent with its length. */
  body?: Buffer | string;
  /** Sent without a length, piece by piece. */
  stream?: Buffer[];
}

/** The body that errors have ("If the response body is in JSON format, it MUST have the following format"). */
export interface ErrorBody {
  errors: { code: string; message?: string; detail?: unknown }[];
}

let names = 0;

/** A repository that no other test uses. */
export function newName(what = 'repo'): string {
  names += 1;
  return `conformance/${what}-${names}`;
}

/** A client that sends what it is told, and hides nothing of what comes back. */
export class Registry {
  readonly url: string;
  /** Every answer, for what must hold for all. */
  readonly seen: Answer[];
  readonly #headers: OutgoingHttpHeaders;
  readonly #agent: Agent;

  constructor(url: string, authorization?: string, seen: Answer[] = [], agent = new Agent({ keepAlive: true })) {
    this.url = url;
    this.seen = seen;
    this.#agent = agent;
    // all Go clients ask for compression, of blobs, too
    this.#headers = { 'accept-encoding': 'gzip, deflate, br, zstd', ...(authorization ? { authorization } : {}) };
  }

  /** The same registry for somebody else. */
  as(authorization?: string): Registry {
    return new Registry(this.url, authorization, this.seen, this.#agent);
  }

  /** @param path or a `Location` that the registry gave */
  ask(method: string, path: string, { headers, body, stream }: Asking = {}): Promise<Answer> {
    const length =
      stream || method === 'GET' || method === 'HEAD' ? {} : { 'content-length': Buffer.byteLength(body ?? '') };
    const options = { method, agent: this.#agent, headers: { ...this.#headers, ...length, ...headers } };
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const { hostname, port } = new URL(this.url);
    // the path goes out as it is: `URL` would tidy it
    const sent = request({ hostname, port, path: path.replace(this.url, ''), ...options }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const all = (name: string) => res.headersDistinct[name] ?? [];
        const json = <T>() => JSON.parse(bytes.toString('utf8')) as T;
        const answer = { method, path, status: res.statusCode!, headers: res.headers, bytes, all, json };
        this.seen.push(answer);
        resolve(answer);
      });
    });
    sent.on('error', reject);
    for (const piece of stream ?? []) sent.write(piece);
    sent.end(body);
    return promise;
  }

  get(path: string, headers?: OutgoingHttpHeaders): Promise<Answer> {
    return this.ask('GET', path, { headers });
  }

  head(path: string, headers?: OutgoingHttpHeaders): Promise<Answer> {
    return this.ask('HEAD', path, { headers });
  }

  /** Begins an upload. */
  async start(repository: string, query = ''): Promise<string> {
    return locationOf(await this.ask('POST', `/v2/${repository}/blobs/uploads/${query}`), 202);
  }

  async pushBlob(repository: string, bytes: Buffer, algorithm: Algorithm = 'sha256'): Promise<string> {
    const digest = digestOf(bytes, algorithm);
    const location = await this.start(repository);
    locationOf(
      await this.ask('PUT', withQuery(location, `digest=${digest}`), {
        body: bytes,
        headers: { 'content-type': BYTES },
      }),
      201,
    );
    return digest;
  }

  /** PUT of a manifest, whatever comes of it. */
  put(repository: string, reference: string, content: Content, headers: OutgoingHttpHeaders = {}): Promise<Answer> {
    const options = { body: content.bytes, headers: { 'content-type': content.mediaType, ...headers } };
    return this.ask('PUT', `/v2/${repository}/manifests/${reference}`, options);
  }

  /** Blobs, then the manifest: by its tag, or by its digest. */
  async push(repository: string, content: Content, reference = content.digest): Promise<Answer> {
    const algorithm = content.digest.split(':')[0] as Algorithm;
    for (const blob of content.blobs) await this.pushBlob(repository, blob, algorithm);
    const answer = await this.put(repository, reference, content);
    if (answer.status !== 201) throw new Error(`${reference} in ${repository}: ${answer.status} ${answer.bytes}`);
    return answer;
  }
}

/** Where it says to go on. Throws for another status. */
export function locationOf(answer: Answer, status: number): string {
  const { location } = answer.headers;
  if (answer.status === status && location) return location;
  throw new Error(`${answer.method} ${answer.path}: ${answer.status} ${answer.bytes}, Location ${location}`);
}

/** "MAY contain critical query parameters": what is there stays. */
export function withQuery(location: string, query: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}${query}`;
}

/** The status, and the code of the first error. */
export function refusal(answer: Answer): [number, string | undefined] {
  return [answer.status, answer.bytes.length > 0 ? answer.json<Partial<ErrorBody>>().errors?.[0]?.code : undefined];
}

/** The address in `Link` that comes next (RFC 5988), if there is one. */
export function nextOf({ headers }: Answer): string | undefined {
  if (headers.link === undefined) return undefined;
  const found = /^<([^>]+)>; rel="next"$/.exec(String(headers.link));
  if (!found) throw new Error(`no Link of RFC 5988: ${headers.link}`);
  return found[1];
}
