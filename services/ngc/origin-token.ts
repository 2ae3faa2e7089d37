import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { OriginDescription } from '../../shared/upstream/origin.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';
import type { NgcConfig } from './config.ts';
import { jsonOf, readBody } from './origin-documents.ts';
import { AUTH_ORIGIN, ORIGIN } from './refs.ts';

/** Bytes of the token server's answer. */
const MOST_TOKEN = 1 << 20;
/** Seconds that a token holds when nobody says so: real ones are said to last a quarter of an hour. */
const DEFAULT_LIFE = 600;
/** Seconds before its end at which a token is no longer used, as NVIDIA's SDK has it. */
const MARGIN = 300;

export interface KeyOptions {
  config: NgcConfig;
  key: string | undefined;
  /** Whose credentials are set here: they are read at every hop, and go to NGC's own host alone. */
  catalog: OriginDescription;
  now?(): number;
}

/** Says the site's key: one that begins with `nvapi-` as it is, an older one exchanged for a token (reference §2.2). */
export function withToken(upstream: Upstream, { config, key, catalog, now = Date.now }: KeyOptions): Upstream {
  if (key === undefined) return upstream;
  if (key.startsWith('nvapi-')) {
    catalog.credentials = { token: key };
    return upstream;
  }
  let until = 0;
  let asking: Promise<void> | undefined;
  const renew = (signal?: AbortSignal) => {
    asking ??= askToken(upstream, config, signal)
      .then(({ token, life }) => {
        catalog.credentials = { token };
        until = now() + Math.max(life - MARGIN, life / 2) * 1000;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };
  async function withCurrent<T>(ref: Ref, ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (ref.origin !== ORIGIN) return ask();
    const wasHeld = now() < until;
    if (!wasHeld) await renew(signal);
    try {
      return await ask();
    } catch (error) {
      // a token may end before its time
      if (!wasHeld || !isKind(error, 'upstream-denied') || error.originStatus !== 401) throw error;
      await renew(signal);
      return ask();
    }
  }
  return {
    describe: (ref, options) => withCurrent(ref, () => upstream.describe(ref, options), options?.signal),
    fetch: (ref, options) => withCurrent(ref, () => upstream.fetch(ref, options), options?.signal),
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

async function askToken(
  upstream: Upstream,
  { authOrigin, org, team }: NgcConfig,
  signal?: AbortSignal,
): Promise<{ token: string; life: number }> {
  const query = new URLSearchParams({ service: 'ngc' });
  if (org) query.append('scope', `group/ngc:${org}`);
  if (org && team) query.append('scope', `group/ngc:${org}/${team}`);
  const ref: Ref = {
    key: 'token',
    subject: 'key',
    label: "a token for the mirror's key",
    source: `${authOrigin.replace(/\/+$/, '')}/token?${query}`,
    origin: AUTH_ORIGIN,
    accept: 'application/json',
    freshness: { fresh: 0, stale: 0 },
  };
  const arrival = await upstream.fetch(ref, { signal });
  const text = arrival.outcome === 'fresh' ? await readBody(arrival.body, MOST_TOKEN, ref) : '{}';
  const { token, expires_in: life } = jsonOf(text, ref) as { token?: unknown; expires_in?: unknown };
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new MirrorError('upstream-failed', 'key', `${authOrigin} answered with something that is no token`);
  return { token, life: typeof life === 'number' && life > 0 ? life : DEFAULT_LIFE };
}
