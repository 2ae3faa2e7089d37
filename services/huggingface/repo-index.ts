import type { Context } from '../../shared/service/service.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { HeldList } from '../../shared/storage/held-list.ts';
import type { HuggingfaceConfig } from './config.ts';
import type { Summary } from './info.ts';
import { REPO_TYPES, type RepoType } from './repo.ts';

/** A repo in lists, ready to be searched. */
export interface Listed extends Summary {
  /** What a search looks into. */
  text: string;
  /** Made here. */
  local: boolean;
}

/** The repos of a type that are held, in memory: their summaries stand in the index of names. */
export class RepoIndex {
  readonly #types: Map<RepoType, HeldList<Listed>>;

  constructor({ catalog, now }: Pick<Context<HuggingfaceConfig>, 'catalog' | 'now'>) {
    const listOf = (type: RepoType) => new HeldList({ catalog, now }, () => read(catalog, type));
    this.#types = new Map(REPO_TYPES.map((type) => [type, listOf(type)]));
  }

  list(type: RepoType): Promise<readonly Listed[]> {
    return this.#types.get(type)!.list();
  }

  /** Forgets: something was made or deleted here, and whoever did it looks for it now. */
  changed(): void {
    for (const list of this.#types.values()) list.forget();
  }
}

async function read(catalog: Catalog, type: RepoType): Promise<Listed[]> {
  const list: Listed[] = [];
  for (const entry of await catalog.list(`repo/${type}/`)) {
    const summary = JSON.parse(entry.headers['x-larder-repo'] ?? 'null') as Summary | null;
    if (summary) list.push({ ...summary, text: summary.id.toLowerCase(), local: entry.origin === 'upload' });
  }
  return list;
}
