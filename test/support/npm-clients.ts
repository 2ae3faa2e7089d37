import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type Ran, runCommand, TEST_CACHE } from './python-clients.ts';

const SCRIPTS = resolve(import.meta.dirname, '../fixtures/javascript');

/**
 * Packages as npm on this machine gets them, installed once and kept. Scripts of packages do not run: what they would
 * fetch (drivers of graphics cards) is not asked for here.
 * @returns the folder whose `node_modules` they are in
 */
export async function npmPackages(name: string, packages: readonly string[]): Promise<string> {
  const mark = createHash('sha256')
    .update(JSON.stringify([process.version, packages]))
    .digest('hex')
    .slice(0, 12);
  const folder = join(TEST_CACHE, 'npm', `${name}-${mark}`);
  const done = join(folder, 'complete');
  if (
    await access(done).then(
      () => true,
      () => false,
    )
  )
    return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const args = [
    'install',
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    ...packages,
  ];
  const ran = await runCommand('npm', args, { cwd: folder, timeout: 900_000 });
  if (ran.code !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${ran.stdout}\n${ran.stderr}`);
  await writeFile(done, '');
  return folder;
}

/** Puts a script of test/fixtures/javascript into a project that has these packages. @returns the script's new place */
export async function projectWith(packages: string, script: string, project: string): Promise<string> {
  const place = join(project, basename(script));
  await copyFile(join(SCRIPTS, script), place);
  await symlink(join(packages, 'node_modules'), join(project, 'node_modules'));
  return place;
}

/** What a script printed as JSON in its last line: libraries talk too. Its own words where it failed. */
export function printedJson<T>(ran: Ran): T {
  if (ran.code !== 0) throw new Error(`the script failed:\n${ran.stdout}\n${ran.stderr}`);
  return JSON.parse(ran.stdout.trimEnd().split('\n').at(-1)!) as T;
}
