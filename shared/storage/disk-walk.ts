import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { absentOr } from './disk-files.ts';
import { LOCAL } from './paths.ts';
import { statOf } from './small-file.ts';

export interface Walked {
  key: string;
  size: number;
  modified: Date;
}

/** Names of one folder that are in memory at a time; a folder with more is read again for the next ones. */
const BAND = 50_000;
/** Files that are asked for their facts side by side. */
const AT_ONCE = 32;

/**
 * The objects below a directory whose keys start with `prefix` and lie behind `after`, in ascending order of key.
 * Links are not followed, and are no objects.
 */
export function walk(root: string, prefix: string, after: string, band = BAND): AsyncGenerator<Walked> {
  return walkFolder({ root, prefix, after, band }, prefix.slice(0, prefix.lastIndexOf('/') + 1));
}

interface Walk {
  root: string;
  prefix: string;
  after: string;
  band: number;
}

async function* walkFolder(way: Walk, folder: string): AsyncGenerator<Walked> {
  for (let last: string | undefined = ''; last !== undefined; ) {
    const names = await namesBehind(way, folder, last);
    for (let first = 0; first < names.length; first += AT_ONCE) {
      const some = names.slice(first, first + AT_ONCE).map((name) => folder + name);
      const files = await Promise.all(some.map((key) => (key.endsWith('/') ? undefined : fileAt(way.root, key))));
      for (const [place, key] of some.entries()) {
        if (key.endsWith('/')) yield* walkFolder(way, key);
        else if (files[place]) yield files[place];
      }
    }
    last = names.length === way.band ? names.at(-1) : undefined;
  }
}

/** The next names of a folder, in order. A folder bears its slash, so that it stands where its keys do: `a-b`, `a/`, `a0`. */
async function namesBehind(way: Walk, folder: string, last: string): Promise<string[]> {
  const names: string[] = [];
  const trim = () => {
    names.sort();
    names.length = Math.min(names.length, way.band);
  };
  const opened = await absentOr(() => opendir(join(way.root, folder), { bufferSize: 1024 }));
  for await (const entry of opened ?? []) {
    if (!entry.isFile() && !entry.isDirectory()) continue;
    const name = entry.isDirectory() ? `${entry.name}/` : entry.name;
    if (name > last && isWanted(way, folder + name)) names.push(name);
    if (names.length >= 2 * way.band) trim();
  }
  trim();
  return names;
}

function isWanted({ prefix, after }: Walk, key: string): boolean {
  if (LOCAL.test(key)) return false;
  if (!key.endsWith('/')) return key.startsWith(prefix) && key > after;
  const meetsPrefix = key.startsWith(prefix) || prefix.startsWith(key);
  return meetsPrefix && (key > after || after.startsWith(key));
}

async function fileAt(root: string, key: string): Promise<Walked | undefined> {
  const found = await absentOr(() => lstat(join(root, key), { bigint: true }));
  if (!found?.isFile()) return undefined;
  const { size, modified } = statOf(found);
  return { key, size, modified };
}
