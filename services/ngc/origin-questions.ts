import { isKind } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NgcConfig } from './config.ts';
import { type Policy, policyOf } from './policy.ts';
import { Refs } from './refs.ts';

const MOST_ANSWER = 64 << 20;

/** Asks the catalog what changes from minute to minute, and keeps nothing of it. */
export class OriginQuestions {
  /** The mirror has a key, so that more than what is public may be asked for. */
  readonly isKeyed: boolean;
  readonly policy: Policy;
  readonly #context: Context<NgcConfig>;
  readonly #refs: Refs;
  readonly #private: Policy;

  constructor(context: Context<NgcConfig>) {
    const { config } = context;
    this.isKeyed = config.apiKey !== undefined || config.apiKeyFile !== undefined;
    this.policy = policyOf(config);
    this.#context = context;
    this.#refs = new Refs(config);
    this.#private = policyOf({ ...config, allow: [], deny: [] });
  }

  /** What the catalog answers at this moment; undefined when it cannot be asked, or refuses: what is held is the answer then. */
  async ask(path: string, label: string): Promise<Record<string, unknown> | undefined> {
    const { ask, listing, log } = this.#context;
    if (listing === 'held') return undefined;
    try {
      const answer = await ask(this.#refs.asked(path, label), { maxBytes: MOST_ANSWER });
      const value: unknown = answer && JSON.parse(answer.bytes.toString('utf8'));
      return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
    } catch (error) {
      const isUsual = isKind(error, 'upstream-failed', 'upstream-denied', 'not-held', 'not-found', 'too-large');
      if (!isUsual && !(error instanceof SyntaxError)) throw error;
      log.warn({ event: 'ask' }, `the catalog cannot be asked for ${label}: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** True for an org, an id or a pattern of ids that names what is private here: such a name never leaves. */
  isPrivate(name: string): boolean {
    return [name, `${name}/any`].some((one) => this.#private.refuses(one) !== undefined);
  }
}
