import { isKind, MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { gauge, type Telemetry } from '../telemetry/telemetry.ts';
import type { Upstream } from './upstream.ts';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  failures?: number;
  /** Milliseconds for which it stays open, before one question is let through. */
  rest?: number;
  now(): number;
  telemetry: Telemetry;
  service: string;
}

/**
 * Leaves an origin that is down alone: after some failures in a row questions are answered at once, with when it will
 * be asked again, and one question at a time finds out. One breaker per origin.
 */
export function withBreaker(upstream: Upstream, options: BreakerOptions): Upstream {
  const circuits = new Map<string, Circuit>();
  const state = gauge(options.telemetry, {
    name: 'origin_open',
    help: '1 while an origin is left alone because it failed',
    labelNames: ['service', 'origin'],
  });
  async function guarded<T>(ref: Ref, ask: () => Promise<T>): Promise<T> {
    const circuit = circuits.get(ref.origin) ?? new Circuit(options);
    circuits.set(ref.origin, circuit);
    circuit.enter(ref);
    try {
      const answer = await ask();
      circuit.succeeded();
      return answer;
    } catch (error) {
      if (isKind(error, 'upstream-failed') && !isRefusal(error)) circuit.failed();
      else circuit.succeeded();
      throw error;
    } finally {
      state.set({ service: options.service, origin: ref.origin }, circuit.open ? 1 : 0);
    }
  }
  return {
    describe: (ref, given) => guarded(ref, () => upstream.describe(ref, given)),
    fetch: (ref, given) => guarded(ref, () => upstream.fetch(ref, given)),
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

/** An origin that says no is up, and one that sends on to where we do not go. */
function isRefusal({ originStatus = 0, ours }: MirrorError): boolean {
  return ours || (originStatus >= 400 && originStatus < 500);
}

class Circuit {
  readonly #limit: number;
  readonly #rest: number;
  readonly #now: () => number;
  #failures = 0;
  #openedAt = 0;
  #probing = false;

  constructor(options: BreakerOptions) {
    this.#limit = options.failures ?? 5;
    this.#rest = options.rest ?? 15_000;
    this.#now = options.now;
  }

  get open(): boolean {
    return this.#failures >= this.#limit;
  }

  enter(ref: Ref): void {
    if (!this.open) return;
    const left = this.#openedAt + this.#rest - this.#now();
    if (left <= 0 && !this.#probing) {
      this.#probing = true;
      return;
    }
    const seconds = Math.max(1, Math.ceil(left / 1000));
    throw new MirrorError(
      'upstream-failed',
      ref.subject,
      `the origin "${ref.origin}" is down; it will be asked again in ${seconds} s`,
      {
        retryAfter: seconds,
      },
    );
  }

  succeeded(): void {
    this.#failures = 0;
    this.#probing = false;
  }

  failed(): void {
    this.#failures += 1;
    this.#probing = false;
    if (this.open) this.#openedAt = this.#now();
  }
}
