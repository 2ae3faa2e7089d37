import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { BundleItem, Bundling, Context, ManifestItem, MissingEdge } from '../../shared/service/service.ts';
import type { HuggingfaceConfig } from './config.ts';
import { summaryOf } from './info.ts';
import { chooseFiles, itemSchemas, picklesOf, type RepoItem, readItem } from './items.ts';
import { infoKey } from './refs.ts';
import { isCommit, itemTypeOf, labelOf, type Repo } from './repo.ts';
import { Snapshots } from './snapshots.ts';
import type { TreeFile } from './tree.ts';

/** How `hf` items come to be names, and how a bundle of them is proven. */
export function bundling(): Bundling<HuggingfaceConfig> {
  return {
    items: itemSchemas,
    closure: (context, item) => closure(context, item),
    prove: (context, item) => prove(context, item),
  };
}

/** One item: a repo at a commit, with all that its routes need where there is no origin. */
async function* closure(
  context: Context<HuggingfaceConfig>,
  { type, value }: ManifestItem,
): AsyncGenerator<BundleItem> {
  const item = readItem(type, value);
  const snapshots = new Snapshots(context);
  const snapshot = await snapshots.at(item.repo, item.revision);
  const { repo, sha, info, local } = snapshot;
  const tree = await snapshots.tree(snapshot);
  const { taken, left } = chooseFiles(tree.files.values(), item);
  refuse(item, repo, info.gated, taken, tree.files.size);
  // an empty file has no bytes to carry: it is answered from the tree
  const files = taken.filter((file) => sizeOf(file) > 0);
  const summary = summaryOf(info);
  yield {
    id: `${itemTypeOf(repo.type)}:${repo.id}@${sha}`,
    type: `${itemTypeOf(repo.type)}-snapshot`,
    refs: [...documents(snapshots, item, repo, sha, local), ...files.map((file) => snapshots.fileRef(snapshot, file))],
    optional: [
      snapshots.own(snapshots.refs.refs(repo, false), local),
      snapshots.own(snapshots.refs.commits(repo, sha), local),
    ],
    details: {
      repo: repo.id,
      revision: item.revision,
      commit: sha,
      files: taken.length,
      bytes: taken.reduce((sum, file) => sum + sizeOf(file), 0),
      license: summary.license ?? null,
      gated: info.gated,
      ...(picklesOf(taken).length > 0 ? { pickles: picklesOf(taken) } : {}),
      ...(left.size > 0 ? { leftOut: Object.fromEntries(left) } : {}),
    },
  };
}

function refuse(item: RepoItem, repo: Repo, gated: false | string, taken: readonly TreeFile[], count: number): void {
  if (gated !== false && item.gated === 'refuse')
    throw new MirrorError(
      'forbidden',
      'repository',
      `${labelOf(repo)} is gated at the hub, and the manifest refuses such`,
    );
  const pickles = item.pickle === 'refuse' ? picklesOf(taken) : [];
  if (pickles.length > 0)
    throw new MirrorError(
      'forbidden',
      'repository',
      `${labelOf(repo)} has files that run code when they are loaded: ${pickles.slice(0, 10).join(', ')}`,
    );
  if (taken.length === 0 && count > 0)
    throw new MirrorError(
      'bad-request',
      'manifest',
      `${labelOf(repo)}: "include" and "exclude" leave none of its ${count} files`,
    );
}

/** Names of a repo's documents: under the name it was asked for by, and under the one it has. */
function documents(snapshots: Snapshots, item: RepoItem, repo: Repo, sha: string, local: boolean): Ref[] {
  const own = (ref: Ref) => snapshots.own(ref, local);
  const ids = new Set([item.repo.id, repo.id]);
  const named = [...ids].flatMap((id) => {
    const at = { type: repo.type, id };
    const moving = isCommit(item.revision) ? [] : [own(snapshots.refs.info(at, item.revision))];
    return [...moving, { ...own(snapshots.refs.info(at, sha)), key: infoKey(at, sha) }];
  });
  return [...named, own(snapshots.refs.tree(repo, sha)), snapshots.refs.repo(repo)];
}

/** Every file that the item takes must be there, for every name that it can be asked for by. */
async function* prove(context: Context<HuggingfaceConfig>, { type, value }: ManifestItem): AsyncGenerator<MissingEdge> {
  const item = readItem(type, value);
  const snapshots = new Snapshots(context);
  const target = `${type}:${item.repo.id}@${item.revision}`;
  try {
    const snapshot = await snapshots.at(item.repo, item.revision);
    const { taken } = chooseFiles((await snapshots.tree(snapshot)).files.values(), item);
    for (const file of taken) {
      if (sizeOf(file) === 0 || (await context.mirror.held(snapshots.fileRef(snapshot, file)))) continue;
      yield { target, message: `${file.path} is not in the bundle` };
    }
  } catch (error) {
    if (!isKind(error, 'not-held', 'not-found')) throw error;
    yield { target, message: (error as MirrorError).message };
  }
}

function sizeOf(file: TreeFile): number {
  return file.lfs?.size ?? file.size;
}
