import type { Readable } from 'node:stream';
import { type Dispatcher, request } from 'undici';
import type { Facts } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { type Answer, arrivalOf, conditionalFields } from './answers.ts';
import { BearerTokens, type Refused } from './bearer.ts';
import { authorizationOf, shownUrl } from './credentials.ts';
import { CODINGS } from './decode.ts';
import { dispatcherFor, type EgressOptions } from './egress.ts';
import { isAbsent, mayDial, type OriginDescription } from './origin.ts';
import { Pace, waitOf } from './pace.ts';
import { isRedirect, nextHop } from './redirects.ts';
import type { Arrival, FetchOptions, Upstream } from './upstream.ts';

export interface HttpOriginsOptions extends EgressOptions {
  userAgent: string;
  now(): number;
}

/** Makes the Upstream of a service from its origins. */
export type HttpOrigins = (descriptions: readonly OriginDescription[]) => Upstream;

interface Question {
  method: 'GET' | 'HEAD' | 'POST';
  ref: Ref;
  origin: OriginDescription;
  /** What makes it conditional or partial. */
  fields: Record<string, string>;
  signal?: AbortSignal;
}

type Hop = Omit<Answer, 'hops'>;

/** Bytes of a token server's answer. */
const MOST_TOKEN = 1 << 20;

/** All that is asked of origins over HTTP goes through here. */
export function httpOrigins(options: HttpOriginsOptions): HttpOrigins {
  return (descriptions) => new HttpUpstream(descriptions, options);
}

class HttpUpstream implements Upstream {
  readonly #origins: Map<string, OriginDescription>;
  readonly #options: HttpOriginsOptions;
  /** By the authorities that are trusted through it. */
  readonly #dispatchers = new Map<string, Dispatcher>();
  readonly #pace: Pace;
  readonly #tokens: BearerTokens;

  constructor(descriptions: readonly OriginDescription[], options: HttpOriginsOptions) {
    this.#origins = new Map(descriptions.map((origin) => [origin.name, origin]));
    this.#options = options;
    this.#pace = new Pace(options.now);
    this.#tokens = new BearerTokens((...asked) => this.#askToken(...asked), options.now);
  }

  async describe(ref: Ref, options: { signal?: AbortSignal } = {}): Promise<Facts | undefined> {
    const origin = this.#originOf(ref);
    if (ref.posted) return this.#describeByFetch(ref, options);
    const answer = await this.#ask({ method: 'HEAD', ref, origin, fields: {}, signal: options.signal });
    answer.body.resume();
    if (answer.status === 405 || answer.status === 501 || (answer.status === 403 && !isAbsent(origin, 403))) {
      // some origins have no HEAD: one byte tells as much
      return this.#describeByFetch(ref, { range: { start: 0, end: 0 }, ...options });
    }
    const arrival = arrivalOf(answer, ref, origin, {});
    return arrival.outcome === 'fresh' ? arrival.facts : undefined;
  }

  async #describeByFetch(ref: Ref, options: FetchOptions): Promise<Facts | undefined> {
    const arrival = await this.fetch(ref, options);
    if (arrival.outcome !== 'fresh') return undefined;
    arrival.body.destroy();
    const { range, facts } = arrival;
    return range ? { ...facts, size: range.total } : facts;
  }

  async fetch(ref: Ref, options: FetchOptions = {}): Promise<Arrival> {
    const origin = this.#originOf(ref);
    const { signal } = options;
    // a condition on a POST is about doing it, and not about what it answers (RFC 9110 §13.1.2: "412 … for all other methods")
    const [method, fields] = ref.posted ? (['POST', {}] as const) : (['GET', conditionalFields(options)] as const);
    const answer = await this.#ask({ method, ref, origin, fields, signal });
    return arrivalOf(answer, ref, origin, options);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
  }

  #originOf(ref: Ref): OriginDescription {
    const origin = this.#origins.get(ref.origin);
    if (origin) return origin;
    throw new MirrorError('internal', ref.subject, `no origin is called "${ref.origin}"`);
  }

  /** Asks, and follows redirects by hand: what is sent to whom is decided at every hop. */
  async #ask(question: Question): Promise<Answer> {
    const { ref, origin } = question;
    this.#pace.check(ref.origin, ref.subject);
    const seen: string[] = [];
    let url = ref.source;
    if (!mayDial(origin, new URL(url), ref)) {
      throw new MirrorError(
        'upstream-failed',
        ref.subject,
        `${new URL(url).host} is not among the hosts that the origin "${origin.name}" may use`,
        { ours: true },
      );
    }
    const hops: Answer['hops'] = [];
    for (;;) {
      seen.push(url);
      const answer = await this.#hop(url, question);
      hops.push({ status: answer.status, headers: answer.headers, url });
      if (!isRedirect(answer.status)) {
        if (answer.status === 429 || answer.status === 503) this.#pace.slow(ref.origin, waitOf(answer.headers));
        return { ...answer, hops };
      }
      answer.body.resume();
      url = nextHop(url, answer.headers.location, seen, (next) => mayDial(origin, next, ref));
    }
  }

  /** One request; where the origin gives tokens, asked again once with a new one. */
  async #hop(url: string, question: Question): Promise<Hop> {
    const { origin, ref, signal } = question;
    if (!origin.tokens) return this.#send(url, question, this.#ownCredentials(origin, url));
    const sent = this.#tokens.held(origin, ref, url);
    const answer = await this.#send(url, question, sent);
    if (answer.status !== 401) return answer;
    const challenge = answer.headers['www-authenticate'];
    const authorization = await this.#tokens.answer({ origin, ref, url, sent, challenge, signal });
    if (!authorization) return answer;
    answer.body.resume();
    return this.#send(url, question, authorization);
  }

  #ownCredentials(origin: OriginDescription, url: string): string | undefined {
    const trusted = origin.credentialHosts?.includes(new URL(url).host);
    return origin.credentials && trusted ? authorizationOf(origin.credentials) : undefined;
  }

  async #send(url: string, question: Question, authorization: string | undefined): Promise<Hop> {
    const { method, ref, origin, fields, signal } = question;
    const headers: Record<string, string> = {
      'user-agent': this.#options.userAgent,
      'accept-encoding': origin.compressed?.(ref) && method !== 'HEAD' ? CODINGS : 'identity',
      ...(ref.accept ? { accept: ref.accept } : {}),
      ...(ref.posted ? { 'content-type': ref.posted.mediaType } : {}),
      ...fields,
      ...origin.headers?.(ref),
      ...(authorization ? { authorization } : {}),
    };
    const dispatcher = this.#dispatcherOf(origin);
    try {
      const asked = { method, headers, body: ref.posted?.body, dispatcher, signal };
      const { statusCode, headers: answered, body } = await request(url, asked);
      // whoever reads the body gets its error; one that nobody reads any more must not end the process
      body.on('error', () => undefined);
      return { status: statusCode, headers: flat(answered), url, body };
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(url, ref, error);
    }
  }

  async #askToken(url: string, own: Record<string, string>, { origin, ref, signal }: Refused, form?: URLSearchParams) {
    const type = form ? { 'content-type': 'application/x-www-form-urlencoded' } : undefined;
    const headers = { accept: 'application/json', 'user-agent': this.#options.userAgent, ...type, ...own };
    const asked = { method: form ? 'POST' : 'GET', body: form?.toString(), headers } as const;
    try {
      const answer = await request(url, { ...asked, dispatcher: this.#dispatcherOf(origin), signal });
      const text = await readText(answer.body, MOST_TOKEN);
      return { status: answer.statusCode, headers: flat(answer.headers), text };
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(url, ref, error);
    }
  }

  #dispatcherOf({ ca = [] }: OriginDescription): Dispatcher {
    const trusted = [...(this.#options.ca ?? []), ...ca];
    const key = trusted.join('\n');
    const dispatcher = this.#dispatchers.get(key) ?? dispatcherFor({ ...this.#options, ca: trusted });
    this.#dispatchers.set(key, dispatcher);
    return dispatcher;
  }
}

/** Throws when it is longer. */
async function readText(body: Readable, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) throw new Error(`it sent more than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
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
