import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { parseJson } from './lock-npm.ts';
import type { ReadLock } from './locks.ts';
import { tarballName } from './package-name.ts';

interface Place {
  name?: string;
  version?: string;
  resolved?: string;
  link?: boolean;
  inBundle?: boolean;
}

/** Parts of a package.json that are about the machine or run something: a proof must not stumble over them. */
const BESIDE = ['scripts', 'engines', 'devEngines', 'packageManager'];
const FOLDER = 'node_modules/';

/**
 * Writes the project of a lock into a folder, so that `npm ci` can install it: the lock, its package.json, those of its
 * workspaces. Tarballs are to be had from `url`, whatever the lock calls their place.
 * @returns false when the lock leads out of its own folder, where nothing can be written
 */
export async function writeProject(lock: ReadLock, folder: string, url: string): Promise<boolean> {
  const document = parseJson(lock.text, lock.file) as { packages: Record<string, Place>; [more: string]: unknown };
  const { dependencies: _, ...rest } = document;
  const packages: Record<string, Place> = {};
  for (const [place, one] of Object.entries(document.packages)) {
    if (leadsOut(place) || (one.link && leadsOut(one.resolved ?? ''))) return false;
    packages[place] = one.link || one.inBundle ? one : { ...one, ...addressOf(place, one, url) };
    if (place.includes(FOLDER) || one.link) continue;
    const target = join(folder, place);
    await mkdir(target, { recursive: true });
    await writeFile(join(target, 'package.json'), JSON.stringify(await projectAt(lock, place, one)));
  }
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ ...rest, lockfileVersion: 3, packages }));
  return true;
}

/** True when `.npmrc` beside a lock says that it was made without regard to peers. */
export async function ignoresPeers(lock: ReadLock): Promise<boolean> {
  const text = await readFile(join(lock.folder, '.npmrc'), 'utf8').catch(() => '');
  return /^\s*legacy-peer-deps\s*=\s*true\s*$/m.test(text);
}

function leadsOut(place: string): boolean {
  return normalize(place).startsWith('..') || /^([a-z]:)?[/\\]/i.test(place);
}

function addressOf(place: string, { name, version }: Place, url: string): Pick<Place, 'resolved'> {
  if (!place.includes(FOLDER) || version === undefined) return {};
  const known = name ?? place.slice(place.lastIndexOf(FOLDER) + FOLDER.length);
  return { resolved: `${url}/${known}/-/${tarballName(known, version)}` };
}

/** The one that lies there; else what the lock says of it. */
async function projectAt(lock: ReadLock, place: string, said: Place): Promise<Record<string, unknown>> {
  const text = await readFile(join(lock.folder, place, 'package.json'), 'utf8').catch(() => undefined);
  const shown = `${join(place, 'package.json')} beside ${lock.file}`;
  const project = (text === undefined ? said : parseJson(text, shown)) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(project).filter(([key]) => !BESIDE.includes(key)));
}
