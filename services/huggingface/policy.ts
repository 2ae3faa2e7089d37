import { refusalBy } from '../../shared/upstream/allow-list.ts';
import type { HuggingfaceConfig } from './config.ts';
import { isRepoId, matchesAny, REPO_TYPES } from './repo.ts';

/** Which repos may be asked for upstream. */
export interface Policy {
  /** Why not; undefined when it may. */
  refuses(id: string): string | undefined;
  /** The same for an address of the origin. */
  refusesSource(source: string): string | undefined;
}

export function policyOf(config: HuggingfaceConfig): Policy {
  const { pathname: base } = new URL(config.origin);
  const refuses = refusalBy('huggingface', config, matchesAny);
  const refusesSource = (source: string) => {
    const id = repoOfSource(source, base);
    return id === undefined ? undefined : refuses(id);
  };
  return { refuses, refusesSource };
}

function repoOfSource(source: string, base: string): string | undefined {
  if (source === '') return undefined;
  const path = decodeURIComponent(new URL(source).pathname).slice(base.replace(/\/$/, '').length);
  const types = REPO_TYPES.join('|');
  const api = new RegExp(`^/api/(?:${types})/(.+?)/(?:revision|tree|refs|commits)(?:/|$)`).exec(path);
  const file = new RegExp(`^/(?:(?:${types})/)?(.+?)/resolve/`).exec(path);
  const id = api?.[1] ?? file?.[1];
  return id !== undefined && isRepoId(id) ? id : undefined;
}
