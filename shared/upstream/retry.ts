import { isKind, type MirrorError } from '../model/errors.ts';
import type { Upstream } from './upstream.ts';

export interface RetryOptions {
  /** Further tries after the first. */
  retries: number;
  /** Milliseconds before the first of them; doubled each time. */
  pause?: number;
  /** A `Retry-After` of up to this many seconds is waited for. */
  patience?: number;
  sleep?(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Asks again when an origin could not be asked. Only questions are repeated here; a download that breaks off is
 * continued by the one who reads it. What an origin refuses is not asked twice.
 */
export function withRetry(upstream: Upstream, options: RetryOptions): Upstream {
  const sleep = options.sleep ?? pause;
  async function repeated<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let tried = 0; ; tried += 1) {
      try {
        return await ask();
      } catch (error) {
        if (tried >= options.retries || !isKind(error, 'upstream-failed') || isRefusal(error)) throw error;
        const wait = error.retryAfter;
        if (wait !== undefined && wait > (options.patience ?? 5)) throw error;
        const backoff = (options.pause ?? 200) * 2 ** tried * (0.75 + Math.random() / 2);
        await sleep(wait === undefined ? backoff : wait * 1000, signal);
      }
    }
  }
  return {
    describe: (ref, given) => repeated(() => upstream.describe(ref, given), given?.signal),
    fetch: (ref, given) => repeated(() => upstream.fetch(ref, given), given?.signal),
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

/** What was refused is refused again a moment later, by the origin as by us. */
function isRefusal({ originStatus, ours }: MirrorError): boolean {
  return ours || originStatus === 401 || originStatus === 403;
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
