import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import { matchesGlob } from './glob.ts';
import type { Listed } from './listed.ts';
import { valuesOf } from './search-result.ts';

const MOST_QUERY = 16_384;
const MOST_TERMS = 32;
/** Results on a page where a client says nothing, and at most. */
const USUAL = 25;
const MOST = 1000;

const named = z.object({ field: z.string().max(200), value: z.unknown() });
const schema = z.object({
  query: z.string().max(4096).nullish(),
  queryFields: z.array(z.string().max(200)).max(100).nullish(),
  fields: z.array(z.string().max(200)).max(100).nullish(),
  filters: z.array(named).max(100).nullish(),
  orderBy: z.array(named).max(20).nullish(),
  page: z.coerce.number().int().min(0).nullish(),
  pageSize: z.coerce.number().int().min(1).nullish(),
});

/** A word, or a pattern for one field. */
interface Term {
  field?: string;
  /** Lower case. */
  pattern: string;
}

/** What a search is for. */
export interface Wish {
  /** As it came, for the answer's `params`. */
  query: string;
  /** One of these must hold, with all of its terms. */
  alternatives: Term[][];
  /** Fields that results are told with; all when empty. */
  fields: string[];
  filters: { field: string; value: unknown }[];
  orderBy: { field: string; value: unknown }[];
  /** From 0. */
  page: number;
  pageSize: number;
}

/**
 * Reads `q`, the JSON of a search; nothing is a search for everything. `queryFields` change nothing: clients name
 * fields there and ask for another one in the query.
 * Throws `bad-request`.
 */
export function parseQuery(q: string | null): Wish {
  const found = schema.safeParse(q === null || q === '' ? {} : jsonOf(q));
  if (!found.success) throw wrong(z.prettifyError(found.error));
  const { query, fields, filters, orderBy, page, pageSize } = found.data;
  return {
    query: query ?? '*',
    alternatives: alternativesOf(query ?? '*'),
    fields: fields ?? [],
    filters: filters ?? [],
    orderBy: orderBy ?? [],
    page: page ?? 0,
    pageSize: Math.min(pageSize ?? USUAL, MOST),
  };
}

function jsonOf(q: string): unknown {
  if (q.length > MOST_QUERY) throw wrong(`over ${MOST_QUERY} characters`);
  try {
    return JSON.parse(q);
  } catch {
    throw wrong('it is not JSON');
  }
}

function wrong(why: string): MirrorError {
  return new MirrorError('bad-request', 'search', `the field "q" of the search cannot be read: ${why.slice(0, 500)}`);
}

/** Words and `field:pattern`, all of them wanted; `OR` between those of which one is enough. */
function alternativesOf(query: string): Term[][] {
  const alternatives: Term[][] = [[]];
  const tokens = query.matchAll(/(?:(\w+):)?("(?:[^"\\]|\\.)*"|[^\s()"]+)/g);
  let count = 0;
  for (const [whole, field, value] of tokens) {
    count += 1;
    if (count > MOST_TERMS) throw wrong(`over ${MOST_TERMS} terms`);
    if (whole === 'OR') alternatives.push([]);
    else if (whole !== 'AND' && whole !== '*:*') alternatives.at(-1)!.push(termOf(field, value!));
  }
  return alternatives;
}

/** Quotes and escapes are the query language's own: `nvidia\/tao\/*` is `nvidia/tao/*`. */
function termOf(field: string | undefined, value: string): Term {
  const plain = value.replace(/^"([\s\S]*)"$/, '$1').replace(/\\(.)/g, '$1');
  return { field, pattern: plain.toLowerCase().slice(0, 256) };
}

/** What of a list is wanted, in its order. */
export function matching(list: readonly Listed[], wish: Wish): Listed[] {
  const filters = new Map<string, string[]>();
  for (const { field, value } of wish.filters)
    filters.set(field, [...(filters.get(field) ?? []), ...[value].flat().map((one) => String(one).toLowerCase())]);
  const found = list.filter(
    (one) =>
      wish.alternatives.some((terms) => terms.every((term) => matches(one, term))) &&
      [...filters].every(([field, wanted]) =>
        valuesOf(one, field)?.some((value) => wanted.some((pattern) => matchesGlob(value.toLowerCase(), pattern))),
      ),
  );
  return sorted(found, wish.orderBy);
}

/** Fields in which a word is enough; elsewhere it must be the whole. */
const PROSE = new Set(['displayName', 'description', 'labels']);

function matches(one: Listed, { field, pattern }: Term): boolean {
  const values = field === undefined ? undefined : valuesOf(one, field);
  // a word with a colon in it, or a field that nobody knows
  if (!values) return one.text.includes(field === undefined ? bare(pattern) : `${field.toLowerCase()}:${pattern}`);
  const isProse = PROSE.has(field!) && !/[*?]/.test(pattern);
  if (values.some((value) => fits(value.toLowerCase(), pattern, isProse))) return true;
  // `resourceId:ocr*`: who leaves out the org means the name
  return field === 'resourceId' && !pattern.includes('/') && matchesGlob(one.artifact.name.toLowerCase(), pattern);
}

function fits(value: string, pattern: string, isProse: boolean): boolean {
  return isProse ? value.includes(pattern) : matchesGlob(value, pattern);
}

/** Words are looked for anywhere: stars around them say nothing. */
function bare(pattern: string): string {
  return pattern.replace(/^\*+|\*+$/g, '');
}

/** `score` and what is not known say nothing here; the order is that of ids then. */
function sorted(list: Listed[], orderBy: Wish['orderBy']): Listed[] {
  for (const { field, value } of [...orderBy].reverse()) {
    const sign = /^desc/i.test(String(value)) ? -1 : 1;
    if (list.length === 0 || !valuesOf(list[0]!, field)) continue;
    const keys = new Map(list.map((one) => [one, orderKeyOf(valuesOf(one, field)?.[0] ?? '')]));
    list.sort((one, other) => {
      const [a, b] = [keys.get(one)!, keys.get(other)!];
      return a < b ? -sign : a > b ? sign : 0;
    });
  }
  return list;
}

/** Sizes are numbers, and their texts are in another order. */
function orderKeyOf(value: string): string {
  return /^\d+$/.test(value) ? value.padStart(20, '0') : value.toLowerCase();
}
