import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { Absences } from './absences.ts';
import { idOf } from './downloads.ts';
import type { MirrorEvents } from './events.ts';
import type { Wants } from './wants.ts';

/** Why there is nothing to give: it does not exist, or it is not held and cannot be had. */
export class Refusals {
  readonly #absences: Absences;
  readonly #wants: Wants;
  readonly #events: MirrorEvents;

  constructor(options: { wants: Wants; now(): number; absentFor?: number }, events: MirrorEvents) {
    this.#absences = new Absences(options.absentFor ?? 60, options.now);
    this.#wants = options.wants;
    this.#events = events;
  }

  /** Throws `not-found` for what no origin has, and for what its origin did not have a moment ago. */
  check(ref: Ref): void {
    if (ref.source === '') throw new MirrorError('not-found', ref.subject, `${ref.label} is not here`);
    if (this.#absences.has(idOf(ref))) throw this.absent(ref);
  }

  /** The origin said that it has no such thing: remembered for a while. */
  absent(ref: Ref): MirrorError {
    this.#absences.add(idOf(ref));
    return new MirrorError('not-found', ref.subject, `${ref.label} does not exist at the origin "${ref.origin}"`);
  }

  /** The origin confirmed something that nobody asked it to confirm. */
  unasked(ref: Ref): MirrorError {
    const message = `the origin "${ref.origin}" says that ${ref.label} is unchanged, and it is not held here`;
    return new MirrorError('upstream-failed', ref.subject, message);
  }

  /** Puts what is missing on the list of wants, and says so. */
  async want(ref: Ref, error: MirrorError): Promise<MirrorError> {
    if (!ref.want) return error;
    this.#events.wanted(ref);
    await this.#wants.record({ key: ref.key, label: ref.label, item: ref.want });
    const message = `${error.message}. It was put on the list of wants for the next bundle`;
    return new MirrorError('not-held', ref.subject, message, { cause: error });
  }
}
