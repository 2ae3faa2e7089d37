import { isKind } from '../../shared/model/errors.ts';
import type { ApiRooms } from './repo-api.ts';
import type { Snapshot } from './snapshots.ts';

export interface GitRef {
  name: string;
  ref: string;
  targetCommit: string;
}

/** Branches, tags and the rest, as `/refs` shows them. */
export interface RefsDocument {
  branches: GitRef[];
  converts: GitRef[];
  tags: GitRef[];
  pullRequests?: GitRef[];
}

export interface Commit {
  id: string;
  title: string;
  message: string;
  authors: { user: string }[];
  /** ISO 8601. */
  date: string;
}

const MOST = 64 << 20;

/** The branches of a repo. Where they are not held, those that are: the branch and the commit that somebody brought. */
export async function readRefs(
  { context, snapshots }: ApiRooms,
  snapshot: Snapshot,
  pulls: boolean,
): Promise<RefsDocument> {
  const { repo, sha, local } = snapshot;
  const ref = snapshots.own(snapshots.refs.refs(repo, pulls && !local), local);
  try {
    const { bytes } = await context.mirror.read(ref, { maxBytes: MOST });
    const found = JSON.parse(bytes.toString('utf8')) as RefsDocument;
    return pulls ? { pullRequests: [], ...found } : found;
  } catch (error) {
    if (!isKind(error, 'not-held')) throw error;
    const main = { name: 'main', ref: 'refs/heads/main', targetCommit: sha };
    return { branches: [main], converts: [], tags: [], ...(pulls ? { pullRequests: [] } : {}) };
  }
}

/** The commits before one, newest first. Where they are not held, the one alone. */
export async function historyOf(
  { context, snapshots }: ApiRooms,
  { repo, sha, local, info }: Snapshot,
): Promise<Commit[]> {
  const ref = snapshots.own(snapshots.refs.commits(repo, sha), local);
  try {
    const { bytes } = await context.mirror.read(ref, { maxBytes: MOST });
    return bytes
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Commit);
  } catch (error) {
    if (!isKind(error, 'not-held')) throw error;
    const date = String(info.json.lastModified ?? '1970-01-01T00:00:00.000Z');
    return [{ id: sha, title: 'the commit that is held here', message: '', authors: [], date }];
  }
}
