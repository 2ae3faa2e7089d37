import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { isKind, MirrorError } from '../../../shared/model/errors.ts';
import { hubOf } from './cache-tree.ts';
import { CHECKSUMS, type Checksums, parseChecksums } from './checksums.ts';
import { hashesOfFile } from './file-hashes.ts';

/** Something that a NIM would fail at, or load wrong. */
export interface CacheProblem {
  /** `models--nim--meta--llama/hf`, and the file in it where it is one. */
  where: string;
  message: string;
}

export interface CheckedCache {
  versions: { version: string; files: number; bytes: number; checked: number }[];
  problems: CacheProblem[];
}

interface CheckOptions {
  signal?: AbortSignal;
  checked?(label: string, bytes: number): void;
}

/**
 * Looks through a folder of `NIM_CACHE_PATH`, whoever made it: every ref has its snapshot, every file its bytes, and the
 * bytes are what `checksums.blake3` says, or where there is none, what their ETag says. Nothing is changed.
 * Throws `bad-request` for what is no such folder.
 */
export async function checkCache(root: string, options: CheckOptions = {}): Promise<CheckedCache> {
  const result: CheckedCache = { versions: [], problems: [] };
  for (const model of await modelsIn(root)) {
    const folder = join(hubOf(root), model);
    const refs = await namesIn(join(folder, 'refs'));
    const snapshots = new Set(await namesIn(join(folder, 'snapshots')));
    for (const ref of refs) {
      const where = `${model}/${ref}`;
      const name = await readFile(join(folder, 'refs', ref), 'utf8').catch(() => '');
      if (snapshots.delete(name)) await checkSnapshot(folder, where, name, result, options);
      else
        result.problems.push({
          where,
          message: `refs/${ref} says "${name.slice(0, 100)}", and there is no such snapshot`,
        });
    }
    for (const name of snapshots)
      result.problems.push({
        where: `${model}/${name}`,
        message: 'no ref names this snapshot: a NIM does not find it',
      });
  }
  return result;
}

async function modelsIn(root: string): Promise<string[]> {
  const names = await readdir(hubOf(root)).catch((cause) => {
    const why =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no ngc/hub in it' : 'ngc/hub cannot be read';
    throw new MirrorError('bad-request', 'settings', `${root} is no folder of NIM_CACHE_PATH: ${why}`, { cause });
  });
  return names.filter((name) => name.startsWith('models--')).sort();
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

async function checkSnapshot(model: string, where: string, name: string, result: CheckedCache, options: CheckOptions) {
  const folder = join(model, 'snapshots', name);
  const wrong = (path: string, message: string) =>
    void result.problems.push({ where: path === '' ? where : `${where}: ${path}`, message });
  const paths = await filesIn(folder);
  const sums = await checksumsIn(folder, paths, wrong);
  for (const path of sums?.keys() ?? [])
    if (!paths.includes(path)) wrong(path, `${CHECKSUMS} names it, and it is not there`);
  const found = { version: where, files: paths.length, bytes: 0, checked: 0 };
  for (const path of paths) {
    options.signal?.throwIfAborted();
    const file = await targetOf(model, join(folder, path));
    if (typeof file === 'string') {
      wrong(path, file);
      continue;
    }
    const outcome = await judged(file, sums?.get(path), options.signal);
    if (outcome.wrong) wrong(path, outcome.wrong);
    if (outcome.checked) found.checked += 1;
    found.bytes += file.size;
    options.checked?.(path, file.size);
  }
  result.versions.push(found);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/')).sort();
}

async function checksumsIn(
  folder: string,
  paths: readonly string[],
  wrong: (path: string, message: string) => void,
): Promise<Checksums | undefined> {
  if (!paths.includes(CHECKSUMS)) return undefined;
  try {
    return parseChecksums(await readFile(join(folder, CHECKSUMS), 'utf8'), 'this version');
  } catch (error) {
    wrong(CHECKSUMS, isKind(error, 'corrupt') ? error.message : 'it cannot be read');
    return undefined;
  }
}

interface Target {
  path: string;
  size: number;
  /** Its name in `blobs`. */
  blob?: string;
}

/** Where the bytes of a file are, or what is wrong with the way there. */
async function targetOf(model: string, path: string): Promise<Target | string> {
  const own = await lstat(path);
  if (own.isFile()) return { path, size: own.size };
  if (!own.isSymbolicLink()) return 'it is neither a file nor a link';
  const link = await readlink(path);
  if (isAbsolute(link)) return `its link leads to ${link}: in a container that is another place`;
  const target = resolve(dirname(path), link);
  if (dirname(target) !== join(resolve(model), 'blobs')) return `its link leads out of the model's blobs, to ${link}`;
  const found = await stat(target).catch(() => undefined);
  if (!found?.isFile()) return `its link leads to ${link}, and there is no such file`;
  return { path: target, size: found.size, blob: relative(join(resolve(model), 'blobs'), target) };
}

/** Whether bytes are right, as far as anything says what they should be. */
async function judged({ path, blob = '' }: Target, blake3: string | undefined, signal?: AbortSignal) {
  const [algorithm, wanted] = blake3 !== undefined ? ['blake3', blake3] : byName(blob);
  if (!algorithm) return { checked: false };
  const found = (await hashesOfFile(path, [algorithm], signal)).get(algorithm);
  return {
    checked: true,
    wrong:
      found === wanted
        ? undefined
        : `it is damaged: its ${algorithm} is ${found}, and ${blake3 ? CHECKSUMS : 'its name'} says ${wanted}`,
  };
}

/** An ETag of one part is an MD5, and what has none is called by its sha256. */
function byName(blob: string): [string, string] | [] {
  if (/^[0-9a-f]{32}$/.test(blob)) return ['md5', blob];
  return /^[0-9a-f]{64}$/.test(blob) ? ['sha256', blob] : [];
}
