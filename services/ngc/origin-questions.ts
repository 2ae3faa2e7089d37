import { isKind } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NgcConfig } from './config.ts';
import { type Policy, policyOf } from './policy.ts';
import { Refs } from './refs.ts';

const MOST_ANSWER = 64 << 20;

const USUAL = ['upstream-failed', 'upstream-denied', 'not-held', 'not-found', 'too-large', 'unavailable'] as const;

/** An answer of the catalog. */
export type Said = Record<string, unknown>;

/** Asks the catalog what changes from minute to minute, and keeps nothing of it. */
export class OriginQuestions {
  /** The mirror has a key, so that more than what is public may be asked for. */
  readonly isKeyed: boolean;
  /** Nobody can be asked. */
  readonly onlyHeld: boolean;
  readonly policy: Policy;
  readonly #context: Context<NgcConfig>;
  readonly #refs: Refs;
  readonly #private: Policy;

  constructor(context: Context<NgcConfig>) {
    const { config, listing } = context;
    this.onlyHeld = listing === 'held';
    this.isKeyed = config.apiKey !== undefined || config.apiKeyFile !== undefined;
    this.policy = policyOf(config);
    this.#context = context;
    this.#refs = new Refs(config);
    this.#private = policyOf({ ...config, allow: [], deny: [] });
  }

  /**
   * What the catalog answers at this moment: nothing, where it refuses to. Undefined when it cannot be asked: what is held
   * is the answer then.
   */
  async ask(path: string, label: string): Promise<Said | undefined> {
    const { ask, log } = this.#context;
    if (this.onlyHeld) return undefined;
    try {
      const answer = await ask(this.#refs.asked(path, label), { maxBytes: MOST_ANSWER });
      const value: unknown = answer && JSON.parse(answer.bytes.toString('utf8'));
      return typeof value === 'object' && value !== null ? (value as Said) : undefined;
    } catch (error) {
      if (!isKind(error, ...USUAL) && !(error instanceof SyntaxError)) throw error;
      log.warn({ event: 'ask' }, `the catalog cannot be asked for ${label}: ${(error as Error).message}`);
      return isKind(error, 'upstream-denied') ? {} : undefined;
    }
  }

  /** True for an org, an id or a pattern of ids that names what is private here: such a name never leaves. */
  isPrivate(name: string): boolean {
    return [name, `${name}/any`].some((one) => this.#private.refuses(one) !== undefined);
  }
}
