import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MirrorError } from '../../shared/model/errors.ts';
import { readNpmLock } from './lock-npm.ts';
import type { ReadLock } from './locks.ts';
import { type NpmFailure, type NpmSite, runNpm } from './npm-command.ts';
import { projectsOf, type Spec } from './specs.ts';

/** What npm says when there is no answer, whoever asks. */
const HOPELESS = new Set([
  'E404',
  'E403',
  'E451',
  'ETARGET',
  'ENOVERSIONS',
  'ERESOLVE',
  'EINVALIDTAGNAME',
  'EINVALIDPACKAGENAME',
]);

/**
 * Turns names with ranges into locks, with npm against our own registry: what it chooses there is what a client will
 * get, for all platforms at once.
 * Throws `conflict` with npm's own words when it finds no solution, `unavailable` when it failed otherwise.
 */
export async function resolveSpecs(specs: readonly Spec[], site: NpmSite): Promise<ReadLock[]> {
  const locks: ReadLock[] = [];
  for (const project of projectsOf(specs)) locks.push(await resolveProject(project, site));
  return locks;
}

async function resolveProject(specs: readonly Spec[], site: NpmSite): Promise<ReadLock> {
  const folder = await mkdtemp(join(site.workDir, 'resolve-'));
  try {
    const dependencies = Object.fromEntries(specs.map(({ name, range }) => [name, range]));
    const project = { name: 'larder-bundle', version: '0.0.0', private: true, dependencies };
    await writeFile(join(folder, 'package.json'), JSON.stringify(project));
    const lock = ['install', '--package-lock-only', '--lockfile-version', '3'];
    let failure = await runNpm(lock, folder, site);
    // for what is asked for by name and is not for this machine
    if (failure?.code === 'EBADPLATFORM') failure = await runNpm([...lock, '--force'], folder, site);
    if (failure) throw refusal(specs, failure);
    const text = await readFile(join(folder, 'package-lock.json'), 'utf8');
    return { ...readNpmLock(text, 'manifest'), text, folder };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function refusal(specs: readonly Spec[], { code, words }: NpmFailure): MirrorError {
  const asked = specs.map(({ name, range }) => `${name}@${range}`).join(', ');
  const kind = HOPELESS.has(code) ? 'conflict' : 'unavailable';
  return new MirrorError(kind, 'package', `for ${asked.slice(0, 500)} npm says:\n    ${words || code}`);
}
