import { CodedBody } from '../../shared/http/coded-body.ts';
import { SingleFlight } from '../../shared/mirror/single-flight.ts';
import type { Rendered } from './render.ts';

/** Bytes of rendered packuments that are kept in memory, all codings together. */
const MOST_BYTES = 128 << 20;
/** Milliseconds for which nothing is looked up again while no name has changed. */
const TRUSTED = 1000;

/** A packument in one form, rendered once, compressed once per coding. */
export class RenderedPackument extends CodedBody {
  readonly stamp: string;
  /** Published here, and may be another at any moment. */
  readonly isPrivate: boolean;
  checkedAt = 0;
  generation = -1;

  constructor(stamp: string, { bytes, sha256 }: Rendered, isPrivate: boolean) {
    super(bytes, sha256);
    this.stamp = stamp;
    this.isPrivate = isPrivate;
  }
}

/** Packuments as they go out: rendered and compressed when they change, never per request. */
export class RenderedPackuments {
  readonly #kept = new Map<string, RenderedPackument>();
  readonly #rendering = new SingleFlight<RenderedPackument>();
  readonly #now: () => number;
  readonly #mostBytes: number;
  #weight = 0;

  constructor(now: () => number, mostBytes = MOST_BYTES) {
    this.#now = now;
    this.#mostBytes = mostBytes;
  }

  /** The packument, when nothing can have changed since it was last looked at. */
  trusted(key: string, generation: number): RenderedPackument | undefined {
    const kept = this.#kept.get(key);
    const age = kept ? this.#now() - kept.checkedAt : Number.POSITIVE_INFINITY;
    return kept && kept.generation === generation && age >= 0 && age < TRUSTED ? kept : undefined;
  }

  /** The packument with this stamp, rendered now if it is another than the one before. */
  async current(
    key: string,
    stamp: string,
    generation: number,
    render: () => Promise<RenderedPackument>,
  ): Promise<RenderedPackument> {
    const kept = this.#kept.get(key);
    if (kept?.stamp === stamp) return this.#keep(key, kept, generation);
    const { answer } = await this.#rendering.run(`${key}\n${stamp}`, render);
    return this.#keep(key, answer, generation);
  }

  #keep(key: string, rendered: RenderedPackument, generation: number): RenderedPackument {
    rendered.checkedAt = this.#now();
    rendered.generation = generation;
    // the last used stands last
    this.#weight += rendered.weight - (this.#kept.get(key)?.weight ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, rendered);
    for (const [oldest, { weight }] of this.#kept) {
      if (this.#weight <= this.#mostBytes || oldest === key) break;
      this.#kept.delete(oldest);
      this.#weight -= weight;
    }
    return rendered;
  }
}
