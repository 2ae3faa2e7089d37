import { glob, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readBerryLock } from './lock-berry.ts';
import { readBunLock } from './lock-bun.ts';
import { readNpmLock } from './lock-npm.ts';
import { readPnpmLock } from './lock-pnpm.ts';
import { type Project, parseYarnLock, projectSchema, readYarnLock } from './lock-yarn.ts';
import { type Lock, type LockOptions, wrongLock } from './wishes.ts';

/** A lock, and where it lies. */
export interface ReadLock extends Lock {
  text: string;
  /** The folder that it is in. */
  folder: string;
}

/**
 * Reads a lock, whoever wrote it; its name says who did: `….json` npm, `….yaml` pnpm, `bun.lock` bun, `….lock` yarn.
 * Throws `bad-request`, naming the file as the manifest does.
 */
export async function readLock(file: string, baseDir: string, options: LockOptions): Promise<ReadLock> {
  const path = resolve(baseDir, file);
  const folder = dirname(path);
  const name = basename(path);
  if (name === 'bun.lockb')
    throw wrongLock(file, 'the binary lock of bun cannot be read; "bun install --save-text-lockfile" writes bun.lock');
  if (!/\.(json|ya?ml|lock)$/.test(name))
    throw wrongLock(file, 'a lock is package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml, yarn.lock or bun.lock');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw wrongLock(file, `it cannot be read (${error.code}); paths are relative to the manifest`);
  });
  if (name.endsWith('.json')) return { ...readNpmLock(text, file), text, folder };
  if (!name.endsWith('.lock')) return { ...readPnpmLock(text, file), text, folder };
  if (/(^|\.)bun\.lock$/.test(name)) return { ...readBunLock(text, file), text, folder };
  const table = parseYarnLock(text, file);
  const projects = await projectsAt(folder, file);
  if (projects.length === 0 && !options.dev)
    throw wrongLock(file, 'what is for development stands in the package.json beside it alone, and there is none');
  const lock = '__metadata' in table ? readBerryLock(table, file, projects) : readYarnLock(table, file, projects);
  return { ...lock, text, folder };
}

/** The package.json beside a lock and those of its workspaces; none where there is none. */
async function projectsAt(folder: string, file: string): Promise<Project[]> {
  const root = await projectIn(join(folder, 'package.json'), file);
  if (!root) return [];
  const { workspaces } = root as { workspaces?: unknown };
  const listed = Array.isArray(workspaces) ? workspaces : (workspaces as { packages?: unknown } | undefined)?.packages;
  const patterns = Array.isArray(listed) ? listed.filter((one) => typeof one === 'string') : [];
  const projects = [root];
  for (const pattern of patterns) {
    for await (const found of glob(`${pattern.replace(/\/+$/, '')}/package.json`, { cwd: folder })) {
      const project = found.includes('node_modules') ? undefined : await projectIn(join(folder, found), file);
      if (project) projects.push(project);
    }
  }
  return projects;
}

async function projectIn(path: string, file: string): Promise<Project | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return projectSchema.parse(JSON.parse(text));
  } catch {
    throw wrongLock(file, `the package.json beside it cannot be read: ${basename(dirname(path))}/package.json`);
  }
}
