import { MirrorError } from '../model/errors.ts';

/** Seconds to wait when an origin says "too many" and not for how long; and the longest that it is believed. */
const DEFAULT = 5;
const MOST = 300;

/** An origin that says "not so fast" says it to all clients together: until then nobody asks it. */
export class Pace {
  readonly #until = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Throws `upstream-failed` with the seconds left while an origin is to be left alone. */
  check(origin: string, subject: string): void {
    const left = ((this.#until.get(origin) ?? 0) - this.#now()) / 1000;
    if (left <= 0) return;
    const seconds = Math.ceil(left);
    throw new MirrorError(
      'upstream-failed',
      subject,
      `the origin "${origin}" asked to be left alone for ${seconds} s more`,
      {
        retryAfter: seconds,
        originStatus: 429,
      },
    );
  }

  /** @param retryAfter the field as it came: seconds or an HTTP date (RFC 9110 §10.2.3) */
  slow(origin: string, retryAfter: string | undefined): void {
    this.#until.set(origin, this.#now() + retryAfterSeconds(retryAfter, this.#now()) * 1000);
  }
}

/**
 * How long an origin wants to be left alone: its `Retry-After`, or what is left of the window in its `RateLimit`
 * (draft-ietf-httpapi-ratelimit-headers: `"api";r=0;t=55`).
 */
export function waitOf(headers: Record<string, string>): string | undefined {
  return headers['retry-after'] ?? /;\s*t=(\d+)/.exec(headers.ratelimit ?? '')?.[1];
}

/** Seconds that a `Retry-After` means, within bounds. */
export function retryAfterSeconds(field: string | undefined, now: number): number {
  if (field === undefined) return DEFAULT;
  const seconds = /^\d+$/.test(field) ? Number(field) : (Date.parse(field) - now) / 1000;
  return Number.isFinite(seconds) ? Math.min(MOST, Math.max(1, Math.ceil(seconds))) : DEFAULT;
}
