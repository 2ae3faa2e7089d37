import type { Catalog } from '../../shared/storage/catalog.ts';

/** Above every character that a tag or a digest may have. */
const LAST = '~';

/**
 * All repositories that a tag or a manifest is held of, in the order of their characters. Each costs the index one
 * question, however many tags it has.
 */
export async function repositoriesIn(catalog: Catalog): Promise<string[]> {
  const found = new Set<string>();
  await gather(catalog, 'tag/', ':', found);
  await gather(catalog, 'link/', '@', found);
  return [...found].sort(byCharacters);
}

async function gather(catalog: Catalog, prefix: string, separator: string, found: Set<string>): Promise<void> {
  let after: string | undefined;
  for (;;) {
    const [key] = await catalog.keys(prefix, { after, limit: 1 });
    if (key === undefined) return;
    const name = key.slice(prefix.length, key.lastIndexOf(separator === '@' ? '@' : ':'));
    found.add(name);
    after = `${prefix}${name}${separator}${LAST}`;
  }
}

const byCharacters = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

/** The list, read again only when names have changed. */
export class RepositoryList {
  readonly #catalog: Catalog;
  #held: { generation: number; list: Promise<string[]> } | undefined;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  list(): Promise<string[]> {
    const generation = this.#catalog.generation();
    if (this.#held?.generation !== generation) {
      const list = repositoriesIn(this.#catalog);
      list.catch(() => {
        this.#held = undefined;
      });
      this.#held = { generation, list };
    }
    return this.#held.list;
  }
}
