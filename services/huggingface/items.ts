import { z } from 'zod';
import { itemPatterns } from '../../shared/bundle/manifest.ts';
import { checkRepoId, globRegExp, isRepoId, type Repo, type RepoType } from './repo.ts';
import type { TreeFile } from './tree.ts';

const repoId = z.string().refine(isRepoId, 'a repo is "org/name" or "name"');

const options = {
  /** A branch, a tag or a commit. */
  revision: z.string().min(1).max(255).default('main'),
  /** Only files that one of these names: as `allow_patterns` and `ignore_patterns` of huggingface_hub. */
  include: itemPatterns.optional(),
  exclude: itemPatterns.optional(),
  /**
   * Files in formats that run code when they are loaded. `allow` takes them, `unless-safetensors` leaves them out where
   * the repo has safetensors, `deny` leaves them out, `refuse` fails the item that holds one.
   */
  pickle: z.enum(['allow', 'unless-safetensors', 'deny', 'refuse']).default('allow'),
  /** Take a repo that is gated at the hub: the site's token opens it, and its terms are the site's to keep. */
  gated: z.enum(['allow', 'refuse']).default('allow'),
};

/** Manifest items: `{ hf: org/name, revision, include, exclude, pickle }`, likewise `hf-dataset` and `hf-space`. */
export const itemSchemas = {
  hf: z.strictObject({ hf: repoId, ...options }),
  'hf-dataset': z.strictObject({ 'hf-dataset': repoId, ...options }),
  'hf-space': z.strictObject({ 'hf-space': repoId, ...options }),
};

const TYPES: Record<string, RepoType> = { hf: 'models', 'hf-dataset': 'datasets', 'hf-space': 'spaces' };

export interface RepoItem {
  repo: Repo;
  revision: string;
  include: string[] | undefined;
  exclude: string[] | undefined;
  pickle: 'allow' | 'unless-safetensors' | 'deny' | 'refuse';
  gated: 'allow' | 'refuse';
}

/** @param value what the schema of `type` made of an item */
export function readItem(type: string, value: unknown): RepoItem {
  const { revision, include, exclude, pickle, gated } = value as Omit<RepoItem, 'repo'>;
  const repo = { type: TYPES[type]!, id: checkRepoId((value as Record<string, string>)[type]!) };
  return { repo, revision, include, exclude, pickle, gated };
}

/** Formats whose loading runs code (pickle, and what holds it). */
const PICKLES = /(^|\/)[^/]*\.(bin|pt|pth|ckpt|pkl|pickle|joblib|dill|npy|npz|h5|keras|mar|ot)$/i;

/** Files that an item takes, and those that it leaves out, with the reason. */
export function chooseFiles(
  files: Iterable<TreeFile>,
  item: RepoItem,
): { taken: TreeFile[]; left: Map<string, string> } {
  const all = [...files];
  const hasSafetensors = all.some(({ path }) => path.endsWith('.safetensors'));
  const refusesPickles = item.pickle === 'deny' || (item.pickle === 'unless-safetensors' && hasSafetensors);
  const include = item.include?.map(patternOf);
  const exclude = item.exclude?.map(patternOf) ?? [];
  const left = new Map<string, string>();
  const taken = all.filter(({ path }) => {
    if (include && !include.some((one) => one.test(path))) left.set(path, 'not included');
    else if (exclude.some((one) => one.test(path))) left.set(path, 'excluded');
    else if (refusesPickles && PICKLES.test(path)) left.set(path, `pickle: ${item.pickle}`);
    return !left.has(path);
  });
  return { taken, left };
}

/** Files in such formats, of an item that refuses them. */
export function picklesOf(files: readonly TreeFile[]): string[] {
  return files.map(({ path }) => path).filter((path) => PICKLES.test(path));
}

/** "a folder is a pattern for all below it", as huggingface_hub has it. */
function patternOf(pattern: string): RegExp {
  return globRegExp(pattern.endsWith('/') ? `${pattern}*` : pattern);
}
