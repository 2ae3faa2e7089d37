import type { Context } from '../../shared/service/service.ts';
import type { HuggingfaceConfig } from './config.ts';
import type { Summary } from './info.ts';
import type { RepoType } from './repo.ts';

/** Milliseconds for which lists do not look again although names changed: a busy mirror changes some all the time. */
const TRUSTED = 1000;

/** A repo in lists, ready to be searched. */
export interface Listed extends Summary {
  /** What a search looks into. */
  text: string;
  /** Made here. */
  local: boolean;
}

/** The repos of a type that are held, in memory: their summaries stand in the index of names. */
export class RepoIndex {
  readonly #context: Context<HuggingfaceConfig>;
  readonly #types = new Map<RepoType, { list: Listed[]; generation: number; at: number }>();
  readonly #reading = new Map<RepoType, Promise<Listed[]>>();

  constructor(context: Context<HuggingfaceConfig>) {
    this.#context = context;
  }

  async list(type: RepoType): Promise<Listed[]> {
    const { catalog, now } = this.#context;
    const known = this.#types.get(type);
    const isTrusted = known && (known.generation === catalog.generation() || Math.abs(now() - known.at) < TRUSTED);
    if (isTrusted) return known.list;
    const reading = this.#reading.get(type) ?? this.#read(type).finally(() => this.#reading.delete(type));
    this.#reading.set(type, reading);
    return reading;
  }

  /** Forgets: something was made or deleted here, and whoever did it looks for it now. */
  changed(): void {
    this.#types.clear();
  }

  async #read(type: RepoType): Promise<Listed[]> {
    const { catalog, now } = this.#context;
    const generation = catalog.generation();
    const list: Listed[] = [];
    for (const entry of await catalog.list(`repo/${type}/`)) {
      const summary = JSON.parse(entry.headers['x-larder-repo'] ?? 'null') as Summary | null;
      if (summary) list.push({ ...summary, text: summary.id.toLowerCase(), local: entry.origin === 'upload' });
    }
    this.#types.set(type, { list, generation, at: now() });
    return list;
  }
}
