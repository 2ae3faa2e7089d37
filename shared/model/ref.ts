import type { Promised } from './digest.ts';
import type { Entry, Facts } from './entry.ts';
import type { Freshness } from './freshness.ts';

/** One line of a bundle manifest that would bring a thing across the gap: `{ python: 'numpy==2.1.0' }`. */
export type WantedItem = Record<string, unknown>;

/**
 * A thing that a client asks for, told in the mirror's words: under which name it is kept, where its origin has it,
 * how long it may be trusted, what its bytes must be. Each service turns URLs into these (`refs.ts`), and nothing
 * below a service knows more of a protocol than this.
 */
export interface Ref {
  /** The name in the service's catalog. Never a path; any characters. */
  key: string;
  /** The protocol's own word for it, for messages: "project", "file". */
  subject: string;
  /** What a person calls it: `numpy-2.1.0-cp312-….whl`. */
  label: string;
  /** The origin's URL. Empty when no origin has it (private names): then only the store is asked. */
  source: string;
  /** Which of the service's origins `source` belongs to: its credentials, allowed hosts and breaker. */
  origin: string;
  /** `Accept` for the origin. */
  accept?: string;
  /** Set: its origin is asked by POST with this body, and answers it as others answer a GET. Part of what the key names. */
  posted?: { body: string; mediaType: string };
  freshness: Freshness;
  promised?: Promised;
  /**
   * Facts to give the entry when the promised bytes turn out to be held under another name: only a Ref that carries
   * this may adopt them, since bytes alone do not know their media type.
   */
  ifHeld?: Facts;
  /** Headers to keep with the entry beside the origin's own, whichever way it comes to be held. */
  keep?: Record<string, string>;
  /** Further names for what was stored (a tag's digest). */
  aliases?(entry: Entry): Ref[];
  /** What to put on the list of wants when this is asked for and neither held nor to be had. */
  want?: WantedItem;
}
