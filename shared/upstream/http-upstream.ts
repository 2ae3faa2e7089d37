import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import type { Facts } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { type Answer, arrivalOf, conditionalFields } from './answers.ts';
import { authorizationOf, shownUrl } from './credentials.ts';
import { CODINGS } from './decode.ts';
import { isAbsent, type OriginDescription } from './origin.ts';
import { Pace } from './pace.ts';
import { isRedirect, nextHop } from './redirects.ts';
import type { Arrival, FetchOptions, Upstream } from './upstream.ts';

export interface HttpOriginsOptions {
  userAgent: string;
  now(): number;
  /** Proxies for http and https origins, and hosts that need none; PEM of further authorities. */
  proxy?: { http?: string; https?: string; none?: string };
  ca?: readonly string[];
  /** Milliseconds. */
  connectTimeout?: number;
  headersTimeout?: number;
  /** Longest silence in a body. */
  idleTimeout?: number;
}

/** Makes the Upstream of a service from its origins. */
export type HttpOrigins = (descriptions: readonly OriginDescription[]) => Upstream;

/** Connections to one host: more do not make one line faster. */
const CONNECTIONS = 64;

/** All that is asked of origins over HTTP goes through here. */
export function httpOrigins(options: HttpOriginsOptions): HttpOrigins {
  return (descriptions) => new HttpUpstream(descriptions, options);
}

class HttpUpstream implements Upstream {
  readonly #origins: Map<string, OriginDescription>;
  readonly #options: HttpOriginsOptions;
  readonly #dispatcher: Dispatcher;
  readonly #pace: Pace;

  constructor(descriptions: readonly OriginDescription[], options: HttpOriginsOptions) {
    this.#origins = new Map(descriptions.map((origin) => [origin.name, origin]));
    this.#options = options;
    this.#pace = new Pace(options.now);
    this.#dispatcher = dispatcherFor(options);
  }

  async describe(ref: Ref, options: { signal?: AbortSignal } = {}): Promise<Facts | undefined> {
    const origin = this.#originOf(ref);
    const answer = await this.#ask('HEAD', ref, origin, {}, options.signal);
    answer.body.resume();
    if (answer.status === 405 || answer.status === 501 || (answer.status === 403 && !isAbsent(origin, 403))) {
      return this.#describeByGet(ref, options.signal);
    }
    const arrival = arrivalOf(answer, ref, origin, {});
    return arrival.outcome === 'fresh' ? arrival.facts : undefined;
  }

  /** Some origins have no HEAD: one byte tells as much. */
  async #describeByGet(ref: Ref, signal?: AbortSignal): Promise<Facts | undefined> {
    const options: FetchOptions = { range: { start: 0, end: 0 }, signal };
    const arrival = await this.fetch(ref, options);
    if (arrival.outcome !== 'fresh') return undefined;
    arrival.body.destroy();
    const { range, facts } = arrival;
    return range ? { ...facts, size: range.total } : facts;
  }

  async fetch(ref: Ref, options: FetchOptions = {}): Promise<Arrival> {
    const origin = this.#originOf(ref);
    const answer = await this.#ask('GET', ref, origin, conditionalFields(options), options.signal);
    return arrivalOf(answer, ref, origin, options);
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  #originOf(ref: Ref): OriginDescription {
    const origin = this.#origins.get(ref.origin);
    if (origin) return origin;
    throw new MirrorError('internal', ref.subject, `no origin is called "${ref.origin}"`);
  }

  /** Asks, and follows redirects by hand: what is sent to whom is decided at every hop. */
  async #ask(
    method: 'GET' | 'HEAD',
    ref: Ref,
    origin: OriginDescription,
    fields: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    this.#pace.check(ref.origin, ref.subject);
    const allowed = (host: string) => origin.hosts === 'any' || origin.hosts(host, ref);
    const seen: string[] = [];
    let url = ref.source;
    if (!allowed(new URL(url).host)) {
      throw new MirrorError(
        'upstream-failed',
        ref.subject,
        `${new URL(url).host} is not among the hosts that the origin "${origin.name}" may use`,
      );
    }
    let first: Answer['first'];
    for (;;) {
      seen.push(url);
      const answer = await this.#hop(method, url, ref, origin, fields, signal);
      first ??= { status: answer.status, headers: answer.headers, url };
      if (!isRedirect(answer.status)) {
        if (answer.status === 429 || answer.status === 503) this.#pace.slow(ref.origin, answer.headers['retry-after']);
        return { ...answer, first };
      }
      answer.body.resume();
      url = nextHop(url, answer.headers.location, seen, allowed);
    }
  }

  async #hop(
    method: 'GET' | 'HEAD',
    url: string,
    ref: Ref,
    origin: OriginDescription,
    fields: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Omit<Answer, 'first'>> {
    const headers: Record<string, string> = {
      'user-agent': this.#options.userAgent,
      'accept-encoding': origin.compressed?.(ref) && method === 'GET' ? CODINGS : 'identity',
      ...(ref.accept ? { accept: ref.accept } : {}),
      ...fields,
      ...origin.headers?.(ref),
    };
    const trusted = origin.credentialHosts?.includes(new URL(url).host);
    if (origin.credentials && trusted) headers.authorization = authorizationOf(origin.credentials);
    try {
      const {
        statusCode,
        headers: answered,
        body,
      } = await request(url, { method, headers, dispatcher: this.#dispatcher, signal });
      // whoever reads the body gets its error; one that nobody reads any more must not end the process
      body.on('error', () => undefined);
      return { status: statusCode, headers: flat(answered), url, body };
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(url, ref, error);
    }
  }
}

function dispatcherFor(options: HttpOriginsOptions): Dispatcher {
  const settings = {
    connections: CONNECTIONS,
    pipelining: 1,
    connect: { timeout: options.connectTimeout ?? 10_000, ...(options.ca?.length ? { ca: [...options.ca] } : {}) },
    headersTimeout: options.headersTimeout ?? 30_000,
    bodyTimeout: options.idleTimeout ?? 60_000,
    keepAliveTimeout: 10_000,
  };
  const { proxy } = options;
  if (!proxy?.http && !proxy?.https) return new Agent(settings);
  return new EnvHttpProxyAgent({
    ...settings,
    httpProxy: proxy.http ?? '',
    httpsProxy: proxy.https ?? '',
    noProxy: proxy.none ?? '',
  });
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) found[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return found;
}

function unreachable(url: string, ref: Ref, cause: unknown): MirrorError {
  const { code, message } = cause as { code?: string; message?: string };
  const why =
    code === 'UND_ERR_HEADERS_TIMEOUT' ? 'it did not answer in time' : (code ?? message ?? 'unexpected error');
  return new MirrorError('upstream-failed', ref.subject, `${shownUrl(url)} could not be asked (${why})`, { cause });
}

export type { Answer };
