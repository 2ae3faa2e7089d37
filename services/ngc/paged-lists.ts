import { elementsOf, memberOf, withMember } from './json-slices.ts';

/**
 * How the page after these is asked for; undefined after the last. By `nextPage`, where NGC gives one (reference §2.4);
 * else by number, counted from 0, which is how its SDK goes on while there are more results than elements.
 */
export function nextOf(pages: readonly string[], word: string): [parameter: string, value: string] | undefined {
  const last = pages.at(-1)!;
  const info = JSON.parse(memberOf(last, 'paginationInfo') ?? 'null') as Record<string, unknown> | null;
  const next = info?.nextPage;
  if ((typeof next === 'string' && next !== '') || typeof next === 'number') return ['page-reference', String(next)];
  const { totalResults } = info ?? {};
  if (typeof totalResults !== 'number' || elementsOf(memberOf(last, word)!).length === 0) return undefined;
  const seen = pages.reduce((sum, page) => sum + elementsOf(memberOf(page, word)!).length, 0);
  return seen < totalResults ? ['page-number', String(pages.length)] : undefined;
}

/** The first page with the elements of all, each as its page had it. @param word `modelFiles` and the like */
export function joined(pages: readonly string[], word: string): string {
  const elements = pages.flatMap((page) => elementsOf(memberOf(page, word)!));
  return withElements(pages[0]!, word, elements);
}

/** A list with these elements instead of its own, as one page. */
export function withElements(list: string, word: string, elements: readonly string[]): string {
  const { length } = elements;
  const info = { index: 0, size: Math.max(1000, length), totalPages: 1, totalResults: length };
  return withMember(withMember(list, word, `[${elements.join(',')}]`), 'paginationInfo', JSON.stringify(info));
}
