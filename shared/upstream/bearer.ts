import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { type Challenge, parseChallenges } from './challenges.ts';
import { authorizationOf, shownUrl } from './credentials.ts';
import { mayDial, type OriginDescription } from './origin.ts';
import { retryAfterSeconds } from './pace.ts';

/** Seconds that a token holds when its giver does not say ("If omitted, this defaults to 60 seconds"). */
const DEFAULT_LIFE = 60;
/** Seconds before its end at which a token is no longer used: the request has to arrive, too. */
const MARGIN = 10;
/** Tokens that are kept. */
const MOST = 10_000;

/** Asks a token's giver: GET, or POST where there is a form; no redirects followed, so many bytes of text at most. */
export type AskToken = (
  url: string,
  headers: Record<string, string>,
  refused: Refused,
  form?: URLSearchParams,
) => Promise<{ status: number; headers: Record<string, string>; text: string }>;

/** A request that a host refused with 401. */
export interface Refused {
  origin: OriginDescription;
  ref: Ref;
  url: string;
  /** The `Authorization` that it refused. */
  sent: string | undefined;
  /** `WWW-Authenticate` as it came. */
  challenge: string | undefined;
  signal?: AbortSignal;
}

/**
 * Tokens that origins' token servers give for a scope (distribution "Token Authentication Specification"; what the
 * field does, reference oci.md). One token serves all clients; it goes to the host that asked for it, and nowhere else.
 */
export class BearerTokens {
  readonly #ask: AskToken;
  readonly #now: () => number;
  readonly #tokens = new Map<string, { authorization: string; until: number }>();
  readonly #asking = new Map<string, Promise<string>>();

  constructor(ask: AskToken, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** The `Authorization` that this host took last for this scope, while it holds. */
  held(origin: OriginDescription, ref: Ref, url: string): string | undefined {
    const held = this.#tokens.get(keyOf(origin, ref, url));
    return held && held.until > this.#now() ? held.authorization : undefined;
  }

  /**
   * What to say to a host that answered 401; undefined when it asks for nothing that we have. Throws
   * `upstream-denied` when the token server refuses, `upstream-failed` when it cannot be asked.
   */
  async answer(refused: Refused): Promise<string | undefined> {
    const key = keyOf(refused.origin, refused.ref, refused.url);
    const held = this.held(refused.origin, refused.ref, refused.url);
    // another request has got a new one meanwhile
    if (held && held !== refused.sent) return held;
    this.#tokens.delete(key);
    const challenges = parseChallenges(refused.challenge ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.realm);
    if (!bearer) return this.#basic(refused, challenges);
    const running = this.#asking.get(key);
    if (running) return running;
    const asked = this.#fetch(key, refused, bearer).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  #basic({ origin, url }: Refused, challenges: Challenge[]): string | undefined {
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return undefined;
    return credentialsFor(origin, url);
  }

  async #fetch(key: string, refused: Refused, { parameters }: Challenge): Promise<string> {
    const { origin, ref } = refused;
    const url = tokenUrl(refused, parameters);
    if (!mayDial(origin, url, ref)) throw failed(ref, url, 'is not among the hosts that this origin may use');
    const answer = await this.#askServer(url, refused);
    const { token, life } = tokenIn(answer, ref, url, this.#now());
    const authorization = `Bearer ${token}`;
    this.#keep(key, { authorization, until: this.#now() + Math.max(life - MARGIN, life / 2) * 1000 });
    return authorization;
  }

  /** By POST with a refresh token where we have one, else by GET with the credentials. */
  #askServer(url: URL, refused: Refused): ReturnType<AskToken> {
    const { origin } = refused;
    const refreshToken = origin.credentialHosts?.includes(url.host) ? origin.tokens?.refreshToken : undefined;
    if (refreshToken === undefined) {
      const own = credentialsFor(origin, url.href);
      return this.#ask(url.href, own ? { authorization: own } : {}, refused);
    }
    const form = new URLSearchParams(url.search);
    form.set('grant_type', 'refresh_token');
    form.set('refresh_token', refreshToken);
    form.set('client_id', 'larder');
    return this.#ask(`${url.origin}${url.pathname}`, {}, refused, form);
  }

  #keep(key: string, token: { authorization: string; until: number }): void {
    this.#tokens.set(key, token);
    if (this.#tokens.size > MOST) this.#tokens.delete(this.#tokens.keys().next().value!);
  }
}

function keyOf(origin: OriginDescription, ref: Ref, url: string): string {
  return `${origin.name}\n${new URL(url).host}\n${origin.tokens?.scope?.(ref) ?? ''}`;
}

function credentialsFor(origin: OriginDescription, url: string): string | undefined {
  if (!origin.credentials || !origin.credentialHosts?.includes(new URL(url).host)) return undefined;
  return authorizationOf(origin.credentials);
}

/** The realm with its own query kept, and what the challenge asks for beside it. */
function tokenUrl({ origin, ref, url }: Refused, { realm, service, scope }: Challenge['parameters']): URL {
  const asked = URL.parse(realm!, url);
  if (!asked || !/^https?:$/.test(asked.protocol)) throw failed(ref, url, 'names a token server that is no URL');
  if (asked.protocol === 'http:' && url.startsWith('https:')) {
    throw failed(ref, url, 'names a token server without TLS');
  }
  if (service && !asked.searchParams.has('service')) asked.searchParams.set('service', service);
  // nvcr.io's realm has had the scope inside
  if (!asked.searchParams.has('scope')) {
    const scopes = scope?.split(' ') ?? [origin.tokens?.scope?.(ref)];
    for (const one of scopes) if (one) asked.searchParams.append('scope', one);
  }
  return asked;
}

function tokenIn(
  { status, headers, text }: Awaited<ReturnType<AskToken>>,
  ref: Ref,
  url: URL,
  now: number,
): { token: string; life: number } {
  if ([400, 401, 403, 404].includes(status)) {
    const message = `${shownUrl(url.href)} gives the mirror no token (${status}); check the credentials of this origin`;
    throw new MirrorError('upstream-denied', ref.subject, message, { originStatus: status === 404 ? 403 : status });
  }
  if (status !== 200) {
    const retryAfter = [429, 503].includes(status) ? retryAfterSeconds(headers['retry-after'], now) : undefined;
    const message = `${shownUrl(url.href)} answered ${status} when it was asked for a token`;
    throw new MirrorError('upstream-failed', ref.subject, message, { originStatus: status, retryAfter });
  }
  const { token, access_token: other, expires_in: life } = parsed(text);
  // "token … access_token: For compatibility with OAuth 2.0, … if both are specified, they should be equivalent"
  const given = [token, other].find((value) => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value));
  if (given === undefined) throw failed(ref, url, 'sent something that is no token');
  return { token: given as string, life: typeof life === 'number' && life > 0 ? life : DEFAULT_LIFE };
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function failed(ref: Ref, url: URL | string, why: string): MirrorError {
  return new MirrorError('upstream-failed', ref.subject, `${shownUrl(String(url))} ${why}`);
}
