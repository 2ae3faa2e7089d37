import type { Readable } from 'node:stream';
import type { ByteRange } from '../model/byte-range.ts';
import type { Promised } from '../model/digest.ts';
import type { Facts } from '../model/entry.ts';
import type { Ref } from '../model/ref.ts';

/** What we hold already, so that the origin can answer "unchanged". */
export interface Validators {
  etag?: string;
  lastModified?: string;
}

/** Bytes arriving from an origin. */
export interface Fresh {
  outcome: 'fresh';
  facts: Facts;
  /** What the origin promises of the bytes (its own digest headers, its Content-Length). */
  promised?: Promised;
  body: Readable;
  /** Set when the origin answered 206: the body is these bytes of `total`. Unset: the body is the whole, also when a range was asked for. */
  range?: ByteRange & { total?: number };
}

export type Arrival = Fresh | { outcome: 'unchanged'; facts?: Facts } | { outcome: 'absent' };

export interface FetchOptions {
  /** Ask conditionally (`If-None-Match`, `If-Modified-Since`); with `range`, as `If-Range`. */
  validators?: Validators;
  /** `end` unset means to the end. */
  range?: { start: number; end?: number };
  signal?: AbortSignal;
}

/**
 * THE SEAM to the internet. One per service; decorators (`retry`, `breaker`, `allow-list`, …) have the same shape.
 *
 * "Absent" is a value: the origin answered, and it has no such thing. Everything else that is not an answer throws a
 * `MirrorError`: `upstream-failed` (no connection, 5xx, 429 with `retryAfter`, a broken answer), `upstream-denied`
 * (401, 403 and the like, with `originStatus`), `not-held` (there is no origin to ask).
 * An error in the middle of `body` is an error of that stream.
 */
export interface Upstream {
  /** Facts alone (a HEAD). Undefined: the origin has no such thing. */
  describe(ref: Ref, options?: { signal?: AbortSignal }): Promise<Facts | undefined>;
  fetch(ref: Ref, options?: FetchOptions): Promise<Arrival>;
  /** Ends connections and timers. */
  close?(): Promise<void>;
}
