import { Parsed } from '../../shared/mirror/parsed.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { Context } from '../../shared/service/service.ts';
import type { HuggingfaceConfig } from './config.ts';
import { HubError, noEntry } from './errors.ts';
import { type Info, parseInfo, summaryOf } from './info.ts';
import { LoadPins } from './load-pins.ts';
import { infoKey, Refs, repoKey } from './refs.ts';
import { isCommit, labelOf, type Repo } from './repo.ts';
import { parseTree, type Tree, type TreeFile } from './tree.ts';

/** A repo at a commit. */
export interface Snapshot {
  /** By its name now. */
  repo: Repo;
  sha: string;
  info: Info;
  /** Made here: nobody else is asked for it. */
  local: boolean;
  /** Changes with what the hub says of it. */
  digest: string;
}

/** Who asks. */
export interface Asker {
  /** One load of one program, so that it sees one commit. */
  load: string;
  /** Somebody with a token: private repos are for them alone. */
  known: boolean;
}

/** Largest answer about a repo, and largest tree, bytes. */
const MOST_INFO = 64 << 20;
const MOST_TREE = 512 << 20;
/** Milliseconds that a client waits for a tree of many pages before the hub is asked for its one file. */
const PATIENCE = 4_000;
const ETERNAL = { fresh: 1e9, stale: 1e9 };

/** From a name to a commit, and from a commit to its files. */
export class Snapshots {
  readonly refs: Refs;
  readonly pins: LoadPins;
  readonly #context: Context<HuggingfaceConfig>;
  readonly #infos = new Parsed<Info>(32 << 20);
  readonly #trees = new Parsed<Tree>();
  readonly #noted = new Set<string>();

  constructor(context: Context<HuggingfaceConfig>) {
    this.#context = context;
    this.refs = new Refs(context.config);
    this.pins = new LoadPins(context.config.pinSeconds, context.now);
  }

  /** The commit that a revision means: a branch, a tag, a sha, a short one. Without an asker it is for ourselves. */
  async at(asked: Repo, rev: string, asker?: Asker): Promise<Snapshot> {
    const snapshot = asker && !isCommit(rev) ? await this.#pinned(asked, rev, asker) : await this.#named(asked, rev);
    if (snapshot.local && asker?.known === false && snapshot.info.json.private === true) {
      const message = `Repository not found: ${labelOf(asked)} (if it is private, send a token)`;
      throw new HubError('not-found', 'repository', message, { code: 'RepoNotFound', status: 401 });
    }
    return snapshot;
  }

  async #pinned(asked: Repo, rev: string, asker: Asker): Promise<Snapshot> {
    const load = `${asker.load} ${asked.type}/${asked.id}@${rev}`;
    const pinned = this.pins.get(load);
    if (pinned) return this.#named(asked, pinned);
    const found = await this.#named(asked, rev);
    this.pins.set(load, found.sha);
    return found;
  }

  /** All that a commit holds. */
  async tree({ repo, sha, local }: Snapshot): Promise<Tree> {
    const { mirror, blobs } = this.#context;
    const { entry } = await mirror.hold(this.own(this.refs.tree(repo, sha), local));
    return this.#trees.get(entry.digest, entry.size, async () => parseTree(await blobs.read(entry.digest, MOST_TREE)));
  }

  /** One file of a commit. Throws `not-found` with the code EntryNotFound when its tree has none. */
  async file(snapshot: Snapshot, path: string): Promise<TreeFile> {
    const tree = await within(this.tree(snapshot), PATIENCE);
    if (!tree) return this.#askFile(snapshot, path);
    const file = tree.files.get(path);
    if (!file) throw noEntry(path, snapshot.sha);
    return file;
  }

  /** A file's Ref; nobody is asked for one that was made here. */
  fileRef({ repo, sha, local }: Snapshot, file: TreeFile): Ref {
    return this.own(this.refs.file(repo, sha, file), local);
  }

  /** As it is, or without a source for what was made here. */
  own(ref: Ref, local: boolean): Ref {
    if (!local) return ref;
    return { ...ref, source: '', freshness: ref.freshness === 'immutable' ? 'immutable' : ETERNAL };
  }

  /** True for a repo that was made here. */
  async isLocal(repo: Repo): Promise<boolean> {
    return (await this.#context.catalog.get(repoKey(repo)))?.origin === 'upload';
  }

  async #named(asked: Repo, rev: string): Promise<Snapshot> {
    const local = await this.isLocal(asked);
    try {
      return await this.#read(asked, rev, local);
    } catch (error) {
      if (!isKind(error, 'not-found', 'not-held') || error instanceof HubError) throw error;
      const whole = await this.#shortened(asked, rev);
      if (whole) return this.#read(asked, whole, local);
      throw await this.#explained(asked, rev, error);
    }
  }

  async #read(asked: Repo, rev: string, local: boolean): Promise<Snapshot> {
    const { entry, bytes } = await this.#context.mirror.read(this.own(this.refs.info(asked, rev), local), {
      maxBytes: MOST_INFO,
    });
    const info = await this.#infos.get(entry.digest, entry.size, async () => parseInfo(bytes, asked));
    const repo = { type: asked.type, id: info.id };
    await this.#note(asked, repo, rev, info, entry);
    return { repo, sha: info.sha, info, local, digest: entry.digest };
  }

  /** Gives what was learned its lasting names: the commit's, under the old and the new name, and the line of lists. */
  async #note(asked: Repo, repo: Repo, rev: string, info: Info, entry: Entry): Promise<void> {
    const mark = `${asked.id} ${rev} ${entry.digest}`;
    if (this.#noted.has(mark)) return;
    const { catalog } = this.#context;
    for (const id of new Set([asked.id, repo.id]))
      await catalog.put({ ...entry, key: infoKey({ type: repo.type, id }, info.sha) }, { ifAbsent: true });
    const known = await catalog.get(repoKey(repo));
    if (known?.digest !== entry.digest && (rev === 'main' || !known))
      await catalog.put(summaryEntry(repo, info, entry));
    if (this.#noted.size > 50_000) this.#noted.clear();
    this.#noted.add(mark);
  }

  /** The one held commit whose id begins so. */
  async #shortened(repo: Repo, rev: string): Promise<string | undefined> {
    if (!/^[0-9a-f]{7,39}$/.test(rev)) return undefined;
    const keys = await this.#context.catalog.keys(infoKey(repo, rev), { limit: 2 });
    return keys.length === 1 ? keys[0]!.slice(-40) : undefined;
  }

  /** Tells a revision that is not there from a repo that is not there. */
  async #explained(repo: Repo, rev: string, error: MirrorError): Promise<MirrorError> {
    if (rev === 'main') {
      const message = isKind(error, 'not-held') ? error.message : `Repository not found: ${labelOf(repo)}`;
      return new HubError(error.kind, 'repository', message, { code: 'RepoNotFound', cause: error });
    }
    const whole = await this.#named(repo, 'main').catch((other: unknown) => other);
    if (whole instanceof MirrorError) return whole;
    const message = isKind(error, 'not-held') ? error.message : `Invalid rev id: ${rev}`;
    return new HubError(error.kind, 'revision', message, { code: 'RevisionNotFound', cause: error });
  }

  /** A file of a commit whose tree takes long to come: the hub's own headers say what it is. */
  async #askFile(snapshot: Snapshot, path: string): Promise<TreeFile> {
    const { repo, sha } = snapshot;
    const ref = this.refs.file(repo, sha, { path, size: 0, oid: '' });
    const key = `head/${repo.type}/${repo.id}@${sha}/${path}`;
    const asked: Ref = { ...ref, key, freshness: { fresh: 0, stale: 0 }, promised: undefined };
    const { facts } = await this.#context.mirror.describe(asked).catch((error) => {
      throw isKind(error, 'not-found') ? noEntry(path, sha) : error;
    });
    const id = facts.etag?.replace(/^W\/|"/g, '') ?? '';
    const size = facts.size ?? 0;
    if (/^[0-9a-f]{64}$/.test(id)) return { path, size, oid: '', lfs: { oid: id, size, pointerSize: 0 } };
    if (isCommit(id) && facts.size !== undefined) return { path, size, oid: id };
    throw new MirrorError('upstream-failed', 'file', `the hub does not say what ${ref.label} is`);
  }
}

/** The line of a repo in lists; its facts stand in the name's own document. */
export function summaryEntry(repo: Repo, info: Info, entry: Entry): Entry {
  return { ...entry, key: repoKey(repo), headers: { 'x-larder-repo': JSON.stringify(summaryOf(info)) } };
}

/** What comes in time; undefined for what takes longer. Errors are errors. */
async function within<T>(work: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  work.catch(() => undefined);
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
