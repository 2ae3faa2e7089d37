import { MirrorError } from '../../shared/model/errors.ts';

/** Results on a page where a client says nothing, and at most ("size" of https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md). */
const USUAL = 20;
const MOST = 250;
const MOST_TEXT = 1024;
const MOST_WORDS = 32;
/** What is passed on to origins as it came. */
const WEIGHTS = ['quality', 'popularity', 'maintenance'] as const;

/** A word that is looked for: anywhere, or where its qualifier says. */
interface Word {
  /** `keywords`, `author`, `maintainer`, `scope`. */
  qualifier?: string;
  /** Lower case; of several with commas one is enough. */
  values: string[];
}

/** What a search is for. */
export interface Wish {
  text: string;
  words: Word[];
  from: number;
  size: number;
  weights: Record<string, string>;
}

/** What words are held against. */
export interface Searchable {
  name: string;
  description: string;
  keywords: readonly string[];
  /** Names of people. */
  people: readonly string[];
}

/** Reads the query of `/-/v1/search`. Throws `bad-request`. */
export function wishOf(query: Record<string, unknown>): Wish {
  const text = typeof query.text === 'string' ? query.text.trim() : '';
  if (text.length > MOST_TEXT) throw new MirrorError('bad-request', 'search', `over ${MOST_TEXT} characters of text`);
  const weights = WEIGHTS.filter((key) => typeof query[key] === 'string' && /^[\d.]{1,10}$/.test(query[key]));
  return {
    text,
    words: wordsOf(text),
    from: numberOf(query.from, 0, 100_000),
    size: Math.max(1, numberOf(query.size, USUAL, MOST)),
    weights: Object.fromEntries(weights.map((key) => [key, query[key] as string])),
  };
}

function numberOf(value: unknown, usual: number, most: number): number {
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : usual;
  return Math.min(number, most);
}

const QUALIFIED = /^(keywords|author|maintainer|scope):(.+)$/;
/** What is about things that nobody here knows of. */
const PASSED_OVER = /^(not|is|boost-exact|[a-z]+-weight):/;

function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const [token] of text.toLowerCase().matchAll(/"[^"]*"|[^\s"]+/g)) {
    const plain = token.replaceAll('"', '').trim();
    if (plain === '' || PASSED_OVER.test(plain)) continue;
    const [, qualifier, value] = QUALIFIED.exec(plain) ?? [];
    words.push(qualifier ? { qualifier, values: value!.split(',').filter(Boolean) } : { values: [plain] });
    if (words.length === MOST_WORDS) break;
  }
  return words;
}

/** Names and scopes that a search may be telling of. */
export function namesIn({ words }: Wish): string[] {
  return words.flatMap(({ qualifier, values }) =>
    qualifier === undefined
      ? values
      : qualifier === 'scope'
        ? values.map((value) => `@${value.replace(/^@/, '')}`)
        : [],
  );
}

/** How well something answers a search, from 0 (not at all: every word must be found) to 1 (it is what it is called). */
export function relevance(one: Searchable, { words }: Wish): number {
  if (words.length === 0) return 0.1;
  let least = 1;
  for (const word of words) {
    least = Math.min(least, Math.max(0, ...word.values.map((value) => relevanceOf(one, value, word.qualifier))));
    if (least === 0) return 0;
  }
  return least;
}

function relevanceOf(one: Searchable, value: string, qualifier: string | undefined): number {
  const name = one.name.toLowerCase();
  switch (qualifier) {
    case 'scope':
      return name.startsWith(`@${value.replace(/^@/, '')}/`) ? 0.5 : 0;
    case 'author':
    case 'maintainer':
      return one.people.some((person) => person.toLowerCase() === value) ? 0.5 : 0;
    case 'keywords':
      return one.keywords.some((keyword) => keyword.toLowerCase() === value) ? 0.5 : 0;
    default:
      if (name === value) return 1;
      if (name.slice(name.indexOf('/') + 1) === value) return 0.9;
      if (name.startsWith(value)) return 0.8;
      if (name.includes(value)) return 0.6;
      if (one.keywords.some((keyword) => keyword.toLowerCase() === value)) return 0.5;
      return isTold(one, value) ? 0.3 : 0;
  }
}

function isTold({ description, keywords, people }: Searchable, value: string): boolean {
  return [description, ...keywords, ...people].some((text) => text.toLowerCase().includes(value));
}
