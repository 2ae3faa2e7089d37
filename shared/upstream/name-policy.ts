import { z } from 'zod';

/** Patterns of names, as settings have them. */
export const patterns = z.array(z.string().min(1)).default([]);

/** What a site says of the names that its clients may ask for; `*` stands for any characters. */
export const policyFields = {
  /** Names that are never asked for upstream, besides those that were published here. */
  private: patterns,
  /** Names that are given out (all when empty), and that are not. */
  allow: patterns,
  deny: patterns,
  /** Leave out what is younger (`7d`, `36h`, `90m`) or later than a date; what is of unknown age is left out too. */
  excludeNewer: z
    .string()
    .regex(/^(\d+[dhm]|\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?)$/, 'a length like 7d, 36h or 90m, or a date like 2026-11-01')
    .refine((text) => /[dhm]$/.test(text) || !Number.isNaN(Date.parse(text)), 'there is no such day')
    .optional(),
  /** Names that `excludeNewer` does not hold back. */
  excludeNewerExempt: patterns,
};
export type PolicySettings = z.infer<z.ZodObject<typeof policyFields>>;

/** How finely the moment that a cooldown looks back to moves on, so that documents are not rendered anew each time. Ms. */
const STEP = 600_000;

/** What a site wants of a registry: which names, and how old their versions must be. It fails closed. */
export class NamePolicy {
  readonly #settings: PolicySettings;
  readonly #now: () => number;
  readonly #normalize: (name: string) => string;
  readonly #private: Matcher;
  readonly #allow: Matcher;
  readonly #deny: Matcher;
  readonly #exempt: Matcher;

  /** @param normalize writes patterns as the names that they are held against */
  constructor(settings: PolicySettings, now: () => number, normalize = (name: string) => name) {
    this.#settings = settings;
    this.#now = now;
    this.#normalize = normalize;
    this.#private = matcher(settings.private, normalize);
    this.#allow = matcher(settings.allow, normalize);
    this.#deny = matcher(settings.deny, normalize);
    this.#exempt = matcher(settings.excludeNewerExempt, normalize);
  }

  /** True for a name that the site wants. */
  allows(name: string): boolean {
    if (this.#deny(name)) return false;
    return this.#settings.allow.length === 0 || this.#allow(name) || this.#private(name);
  }

  /** True for a name that never goes upstream. */
  isPrivate(name: string): boolean {
    return this.#private(name);
  }

  /** True when this origin is asked for this name. */
  asks({ allow, deny }: Pick<PolicySettings, 'allow' | 'deny'>, name: string): boolean {
    return (allow.length === 0 || matcher(allow, this.#normalize)(name)) && !matcher(deny, this.#normalize)(name);
  }

  /** The moment after which a version is too young for this name; undefined when there is none. Milliseconds. */
  newest(name: string): number | undefined {
    const setting = this.#settings.excludeNewer;
    if (setting === undefined || this.#exempt(name)) return undefined;
    const length = /^(\d+)([dhm])$/.exec(setting);
    if (!length) return Date.parse(setting);
    const unit = { d: 86_400_000, h: 3_600_000, m: 60_000 }[length[2] as 'd' | 'h' | 'm'];
    return Math.floor((this.#now() - Number(length[1]) * unit) / STEP) * STEP;
  }
}

/** True for what was there at a moment, as far as anybody knows. @param time ISO 8601 */
export function isOldEnough(time: string | undefined, newest: number): boolean {
  const published = Date.parse(time ?? '');
  return !Number.isNaN(published) && published <= newest;
}

export type Matcher = (name: string) => boolean;

/** True for names that one of the patterns fits: `*` stands for any characters; the rest for itself. */
export function matcher(globs: readonly string[], normalize = (name: string) => name): Matcher {
  if (globs.length === 0) return () => false;
  const sources = globs.map((glob) =>
    normalize(glob)
      .split('*')
      .map((part) => part.replace(/[^A-Za-z0-9]/g, '\\$&'))
      .join('.*'),
  );
  const all = new RegExp(`^(?:${sources.join('|')})$`);
  return (name) => all.test(name);
}
