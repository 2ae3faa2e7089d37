import { elementsOf, memberOf, withMember } from './json-slices.ts';

/** What was read of a list so far. */
export interface Read {
  pages: string[];
  /** Of all pages, each as its page had it. */
  elements: string[];
}

/**
 * Takes a page of a list in, and says how the next one is asked for; undefined after the last. By `nextPage`, where NGC
 * gives one (reference §2.4); else by number, counted from 0, as its SDK goes on while there is more than it has seen.
 * @param word `modelFiles` and the like
 */
export function takePage(read: Read, page: string, word: string): [parameter: string, value: string] | undefined {
  const elements = elementsOf(memberOf(page, word)!);
  read.pages.push(page);
  for (const one of elements) read.elements.push(one);
  const info = JSON.parse(memberOf(page, 'paginationInfo') ?? 'null') as Record<string, unknown> | null;
  const { nextPage: next, totalResults: total } = info ?? {};
  if ((typeof next === 'string' && next !== '') || typeof next === 'number') return ['page-reference', String(next)];
  const isMore = typeof total === 'number' && elements.length > 0 && read.elements.length < total;
  return isMore ? ['page-number', String(read.pages.length)] : undefined;
}

/** A list with these elements instead of its own, as one page. */
export function withElements(list: string, word: string, elements: readonly string[]): string {
  const { length } = elements;
  const info = { index: 0, size: Math.max(1000, length), totalPages: 1, totalResults: length };
  return withMember(withMember(list, word, `[${elements.join(',')}]`), 'paginationInfo', JSON.stringify(info));
}
