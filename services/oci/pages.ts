import type { Catalog } from '../../shared/storage/catalog.ts';

/** A part of a list. */
export interface Page {
  /** Resume behind this one, which need not be in the list. */
  after?: string | undefined;
  limit?: number | undefined;
}

/** What follows `prefix` in every name that has it, in the order of their characters. */
export async function allKeys(catalog: Catalog, prefix: string, { after, limit }: Page = {}): Promise<string[]> {
  const keys = await catalog.keys(prefix, { after: after === undefined ? undefined : `${prefix}${after}`, limit });
  return keys.map((key) => key.slice(prefix.length));
}

/** One page of a sorted list that is in memory. */
export function pageIn(list: readonly string[], { after, limit }: Page): { page: string[]; more: boolean } {
  const rest = after === undefined ? list : list.filter((one) => one > after);
  const page = limit === undefined ? [...rest] : rest.slice(0, limit);
  return { page, more: page.length < rest.length };
}
