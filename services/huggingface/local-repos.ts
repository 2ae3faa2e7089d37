import { createHash } from 'node:crypto';
import { Turns } from '../../shared/mirror/turns.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { HubError } from './errors.ts';
import { commitId, treeIds } from './git-objects.ts';
import type { Commit, RefsDocument } from './history.ts';
import { parseInfo, summaryOf } from './info.ts';
import { GIT_ATTRIBUTES } from './large-files.ts';
import { keepDocument, keepSmallFile, type LocalOrigin, type LocalStore } from './local-documents.ts';
import { readCard } from './model-card.ts';
import { commitsKey, fileKey, infoKey, LINES, refsKey, repoKey, revKey, treeKey } from './refs.ts';
import { labelOf, type Repo } from './repo.ts';
import { checkFolders, parseTree, type TreeFile, writeTree } from './tree.ts';

const MOST_TREE = 512 << 20;
const MOST_README = 4 << 20;
const JSON_TYPE = 'application/json';

/** What a commit is to say. */
export interface CommitWish {
  branch: string;
  title: string;
  message?: string;
  author: string;
  /** Refuse unless the branch stands there. */
  parent?: string;
  /** All files after it, made from those before it. */
  change(before: ReadonlyMap<string, TreeFile>): Map<string, TreeFile> | Promise<Map<string, TreeFile>>;
  /** The id that this commit has elsewhere. */
  sha?: string;
  origin?: LocalOrigin;
  private?: boolean;
}

/**
 * Repos that are made here: uploaded, or added from a folder. Their documents are the ones that a mirrored repo has, so
 * every route serves both alike. A commit is written leaves first and its branch last: whoever dies between leaves
 * nothing that anybody sees.
 */
export class LocalRepos {
  readonly #store: LocalStore;
  readonly #turns = new Turns();

  constructor(store: LocalStore) {
    this.#store = store;
  }

  /** Makes an empty repo, with the `.gitattributes` that one begins with. False when it is there. */
  async create(repo: Repo, options: { private: boolean; author: string }): Promise<boolean> {
    return this.#inTurn(repo, async () => {
      if (await this.#store.catalog.get(repoKey(repo))) return false;
      const attributes = await keepSmallFile(this.#store, '.gitattributes', Buffer.from(GIT_ATTRIBUTES), 'upload');
      await this.#commit(repo, {
        branch: 'main',
        title: 'initial commit',
        author: options.author,
        private: options.private,
        change: () => new Map([[attributes.path, attributes]]),
      });
      return true;
    });
  }

  /** @returns the new commit; the one before when nothing changed */
  async commit(repo: Repo, wish: CommitWish): Promise<string> {
    return this.#inTurn(repo, () => this.#commit(repo, wish));
  }

  /** Makes or moves a branch or a tag. Throws `conflict` when it is there and may not move. */
  async setRef(repo: Repo, kind: 'branches' | 'tags', name: string, sha: string, move = false): Promise<void> {
    await this.#inTurn(repo, async () => {
      const refs = await this.#refs(repo);
      if (!move && refs[kind].some((ref) => ref.name === name))
        throw new MirrorError('conflict', 'revision', `"${name}" already exists in ${labelOf(repo)}`);
      await this.#point(repo, refs, kind, name, sha, 'upload');
    });
  }

  async deleteRef(repo: Repo, kind: 'branches' | 'tags', name: string): Promise<void> {
    await this.#inTurn(repo, async () => {
      const refs = await this.#refs(repo);
      if (!refs[kind].some((ref) => ref.name === name))
        throw new HubError('not-found', 'revision', `"${name}" does not exist in ${labelOf(repo)}`, {
          code: 'RevisionNotFound',
        });
      if (kind === 'branches' && name === 'main')
        throw new MirrorError('forbidden', 'revision', 'main cannot be deleted');
      const left = { ...refs, [kind]: refs[kind].filter((ref) => ref.name !== name) };
      await this.#keepJson(refsKey(repo, false), left, 'upload');
      await this.#store.catalog.delete(revKey(repo, name));
    });
  }

  /** Takes a repo out of every list and address. The files' names stay until a clean-up finds that no tree has them. */
  async delete(repo: Repo): Promise<void> {
    await this.#inTurn(repo, async () => {
      const { catalog } = this.#store;
      await catalog.delete(repoKey(repo));
      for (const key of [refsKey(repo, false), refsKey(repo, true)]) await catalog.delete(key);
      for (const prefix of [revKey(repo, ''), infoKey(repo, ''), treeKey(repo, ''), commitsKey(repo, '')])
        for (const key of await catalog.keys(prefix)) await catalog.delete(key);
    });
  }

  /** The commit that a branch or tag stands at. */
  async head(repo: Repo, branch: string): Promise<string | undefined> {
    const entry = await this.#store.catalog.get(revKey(repo, branch));
    if (!entry) return undefined;
    return parseInfo(await this.#store.blobs.read(entry.digest, MOST_TREE), repo).sha;
  }

  async files(repo: Repo, sha: string | undefined): Promise<Map<string, TreeFile>> {
    const entry = sha && (await this.#store.catalog.get(treeKey(repo, sha)));
    return entry ? parseTree(await this.#store.blobs.read(entry.digest, MOST_TREE)).files : new Map();
  }

  async #commit(repo: Repo, wish: CommitWish): Promise<string> {
    const { branch, origin = 'upload' } = wish;
    const parent = await this.head(repo, branch);
    if (wish.parent !== undefined && wish.parent !== parent)
      throw new HubError(
        'conflict',
        'revision',
        `"${branch}" has moved on to ${parent}; look at it again and commit on top of that`,
        {
          status: 412,
        },
      );
    const before = await this.files(repo, parent);
    const files = new Map([...(await wish.change(before))].sort(([one], [other]) => (one < other ? -1 : 1)));
    checkFolders(files);
    const folders = treeIds(files.values());
    if (parent && !wish.sha && treeIds(before.values()).get('') === folders.get('')) return parent;
    const at = this.#store.now();
    const { title, message = '', author } = wish;
    const made = commitId({
      tree: folders.get('')!,
      parents: parent ? [parent] : [],
      author,
      at,
      message: message === '' ? title : `${title}\n\n${message}`,
    });
    const sha = wish.sha ?? made;
    await this.#keep(treeKey(repo, sha), writeTree(files.values(), folders), LINES, origin);
    const line: Commit = { id: sha, title, message, authors: [{ user: author }], date: new Date(at).toISOString() };
    await this.#keepHistory(repo, line, sha === parent ? undefined : parent, origin);
    await this.#keepJson(infoKey(repo, sha), await this.#describe(repo, sha, files, wish), origin);
    await this.#point(repo, await this.#refs(repo), 'branches', branch, sha, origin);
    return sha;
  }

  async #describe(repo: Repo, sha: string, files: Map<string, TreeFile>, wish: CommitWish): Promise<object> {
    const known = await this.#store.catalog.get(repoKey(repo));
    const summary = JSON.parse(known?.headers['x-larder-repo'] ?? '{}') as { private?: boolean; createdAt?: string };
    const now = new Date(this.#store.now()).toISOString();
    const card = readCard(await this.#readme(files), repo.type);
    return {
      _id: createHash('sha256').update(`${repo.type}/${repo.id}`).digest('hex').slice(0, 24),
      id: repo.id,
      ...(repo.type === 'models' ? { modelId: repo.id } : {}),
      author: repo.id.split('/')[0],
      sha,
      lastModified: now,
      createdAt: summary.createdAt ?? now,
      private: wish.private ?? summary.private ?? false,
      gated: false,
      disabled: false,
      downloads: 0,
      likes: 0,
      ...card,
      siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
    };
  }

  async #readme(files: ReadonlyMap<string, TreeFile>): Promise<string> {
    const file = files.get('README.md');
    if (!file || file.lfs || file.size === 0 || file.size > MOST_README) return '';
    const entry = await this.#store.catalog.get(fileKey(file));
    return entry ? (await this.#store.blobs.read(entry.digest, MOST_README)).toString('utf8') : '';
  }

  async #keepHistory(repo: Repo, line: Commit, parent: string | undefined, origin: LocalOrigin): Promise<void> {
    const before = parent && (await this.#store.catalog.get(commitsKey(repo, parent)));
    const older = before ? await this.#store.blobs.read(before.digest, MOST_TREE) : Buffer.alloc(0);
    await this.#keep(
      commitsKey(repo, line.id),
      Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), older]),
      LINES,
      origin,
    );
  }

  async #refs(repo: Repo): Promise<RefsDocument> {
    const entry = await this.#store.catalog.get(refsKey(repo, false));
    if (!entry) return { branches: [], converts: [], tags: [] };
    return JSON.parse((await this.#store.blobs.read(entry.digest, MOST_TREE)).toString('utf8')) as RefsDocument;
  }

  async #point(
    repo: Repo,
    refs: RefsDocument,
    kind: 'branches' | 'tags',
    name: string,
    sha: string,
    origin: LocalOrigin,
  ): Promise<void> {
    const { catalog, blobs } = this.#store;
    const info = await catalog.get(infoKey(repo, sha));
    if (!info) throw new HubError('not-found', 'revision', `Invalid rev id: ${sha}`, { code: 'RevisionNotFound' });
    const ref = { name, ref: `refs/${kind === 'tags' ? 'tags' : 'heads'}/${name}`, targetCommit: sha };
    const moved = { ...refs, [kind]: [...refs[kind].filter((one) => one.name !== name), ref] };
    await this.#keepJson(refsKey(repo, false), moved, origin);
    const at = new Date(this.#store.now()).toISOString();
    await catalog.put({ ...info, key: revKey(repo, name), checkedAt: at });
    if (kind !== 'branches' || (name !== 'main' && (await catalog.get(repoKey(repo))))) return;
    const summary = summaryOf(parseInfo(await blobs.read(info.digest, MOST_TREE), repo));
    await catalog.put({
      ...info,
      key: repoKey(repo),
      checkedAt: at,
      headers: { 'x-larder-repo': JSON.stringify(summary) },
    });
  }

  #keepJson(key: string, value: object, origin: LocalOrigin) {
    return this.#keep(key, Buffer.from(JSON.stringify(value)), JSON_TYPE, origin);
  }

  #keep(key: string, bytes: Buffer, mediaType: string, origin: LocalOrigin) {
    return keepDocument(this.#store, key, bytes, { mediaType, origin });
  }

  /** One writer of a repo at a time. */
  #inTurn<T>(repo: Repo, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(`${repo.type}/${repo.id}`, work);
  }
}
