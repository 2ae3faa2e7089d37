import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { MirrorError } from '../../shared/model/errors.ts';
import { readPylock } from './lock-pylock.ts';
import { readRequirements } from './lock-requirements.ts';
import { readUvLock } from './lock-uv.ts';
import type { Target } from './python/target.ts';

/** One distribution that a target gets. */
export interface Pin {
  /** Normalised. */
  project: string;
  version: string;
  /** sha256 digests of the files that the lock allows; any file of the version when unset. */
  sha256?: ReadonlySet<string>;
  /** Where it was asked for: `uv.lock`, `requirements.txt:3`. */
  why: string;
}

/** What a manifest item comes to, for each target. */
export interface Wishes {
  /** Exact for this target. */
  pins(target: Target): Pin[];
  /** Requirements that a resolver must turn into pins. */
  loose: { text: string; why: string }[];
}

export interface LockOptions {
  extras: readonly string[];
  groups: readonly string[];
}

/** Reads an exact lock by its name: `uv.lock`, `pylock.toml`, `pylock.<name>.toml`. */
export async function readLock(file: string, baseDir: string, options: LockOptions): Promise<Wishes> {
  const path = resolve(baseDir, file);
  const name = basename(path);
  const table = toml(await read(path, file), file);
  if (name === 'uv.lock') return { pins: (target) => readUvLock(table, target, options, file), loose: [] };
  if (/^pylock(\..+)?\.toml$/.test(name))
    return { pins: (target) => readPylock(table, target, options, file), loose: [] };
  throw new MirrorError(
    'bad-request',
    'manifest',
    `${file}: a lock is uv.lock, pylock.toml or pylock.<name>.toml; others go under "requirements"`,
  );
}

/** Reads requirements files, with those that they name. */
export async function readRequirementFiles(files: readonly string[], baseDir: string, exact: boolean): Promise<Wishes> {
  const lines = [];
  for (const file of files) lines.push(...(await collect(resolve(baseDir, file), file, new Set())));
  return readRequirements(lines, exact);
}

export interface Line {
  text: string;
  why: string;
}

/** Lines with continuations joined and comments gone; `-r` is followed. */
async function collect(path: string, shown: string, seen: Set<string>): Promise<Line[]> {
  if (seen.has(path)) return [];
  seen.add(path);
  const lines: Line[] = [];
  const joined = (await read(path, shown)).replace(/\\\r?\n/g, ' ');
  for (const [index, raw] of joined.split(/\r?\n/).entries()) {
    const text = raw.replace(/(^|\s)#.*$/, '').trim();
    const nested = /^(?:-r|--requirement)[\s=]+(\S+)$/.exec(text)?.[1];
    if (nested) lines.push(...(await collect(join(dirname(path), nested), nested, seen)));
    else if (text !== '') lines.push({ text, why: `${shown}:${index + 1}` });
  }
  return lines;
}

async function read(path: string, shown: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new MirrorError(
      'bad-request',
      'manifest',
      `${shown} cannot be read (${error.code}); paths are relative to the manifest`,
    );
  });
}

function toml(text: string, file: string): Record<string, unknown> {
  try {
    return parseToml(text) as Record<string, unknown>;
  } catch (error) {
    throw new MirrorError('bad-request', 'manifest', `${file} is not TOML: ${(error as Error).message.split('\n')[0]}`);
  }
}
