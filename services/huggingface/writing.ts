import type { Request } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { HuggingfaceConfig } from './config.ts';
import { HubError } from './errors.ts';
import type { LocalRepos } from './local-repos.ts';
import { repoKey } from './refs.ts';
import { labelOf, type Repo } from './repo.ts';
import type { RepoIndex } from './repo-index.ts';
import type { Snapshots } from './snapshots.ts';

/** What handlers that change something stand on. */
export interface WriteRooms {
  context: Context<HuggingfaceConfig>;
  snapshots: Snapshots;
  repos: LocalRepos;
  index: RepoIndex;
}

/** Who writes, as commits name them. */
export function authorOf(req: Request): string {
  return req.identity?.name ?? 'larder';
}

/** Throws unless the repo was made here: what is mirrored belongs to its origin. */
export async function checkLocal({ context }: WriteRooms, repo: Repo): Promise<void> {
  const entry = await context.catalog.get(repoKey(repo));
  if (!entry)
    throw new HubError('not-found', 'repository', `Repository not found: ${labelOf(repo)}; create it first`, {
      code: 'RepoNotFound',
    });
  if (entry.origin === 'upload') return;
  throw new MirrorError(
    'forbidden',
    'repository',
    `${labelOf(repo)} is a copy of the hub's and takes no commits; publish under a name of your own`,
  );
}

/** What was written is seen at once: lists are read again, and no load is held at an older commit. */
export function written({ snapshots, index }: WriteRooms, repo: Repo): void {
  snapshots.pins.drop(` ${repo.type}/${repo.id}@`);
  index.changed();
}

/** A field of a JSON body that has to be text. */
export function textIn(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new MirrorError('bad-request', 'request', `"${name}" is missing`);
}
