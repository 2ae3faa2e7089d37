import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { MirrorError } from '../../shared/model/errors.ts';
import { readPylock } from './lock-pylock.ts';
import { readRequirements } from './lock-requirements.ts';
import { readUvLock } from './lock-uv.ts';
import type { Line, LockOptions, Wishes } from './wishes.ts';

/** Reads an exact lock by its name: `uv.lock`, `<script>.py.lock`, `pylock.toml`, `pylock.<name>.toml`. */
export async function readLock(file: string, baseDir: string, options: LockOptions): Promise<Wishes> {
  const path = resolve(baseDir, file);
  const name = basename(path);
  const isUv = name === 'uv.lock' || name.endsWith('.py.lock');
  if (!isUv && !/^pylock(\.[^.]+)?\.toml$/.test(name)) {
    throw new MirrorError(
      'bad-request',
      'manifest',
      `${file}: a lock is uv.lock, <script>.py.lock, pylock.toml or pylock.<name>.toml; others go under "requirements"`,
    );
  }
  const table = toml(await read(path, file), file);
  return isUv ? readUvLock(table, options, file) : readPylock(table, options, file);
}

/** Reads requirements files, with those that they name. */
export async function readRequirementFiles(files: readonly string[], baseDir: string, exact: boolean): Promise<Wishes> {
  const found: Found = { lines: [], constraints: [], seen: new Set() };
  for (const file of files) await collect(resolve(baseDir, file), file, found, found.lines);
  return readRequirements(found.lines, exact, found.constraints);
}

interface Found {
  lines: Line[];
  constraints: Line[];
  seen: Set<string>;
}

/** Lines with continuations joined and comments gone; `-r` and `-c` are followed. */
async function collect(path: string, shown: string, found: Found, into: Line[]): Promise<void> {
  if (found.seen.has(path)) return;
  found.seen.add(path);
  for (const { text, line } of logicalLines(await read(path, shown))) {
    const nested = /^(?:(-r|--requirement)|(-c|--constraint))(?:\s+|\s*=\s*|(?<=-[rc]))(\S+)$/.exec(text);
    if (nested) {
      const file = nested[3]!;
      await collect(join(dirname(path), file), file, found, nested[1] ? into : found.constraints);
    } else if (text !== '') into.push({ text, why: `${shown}:${line}` });
  }
}

function* logicalLines(text: string): Generator<{ text: string; line: number }> {
  let open = '';
  let start = 0;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (open === '') start = index + 1;
    // a comment may stand among continued lines
    const part = raw.replace(/(^|\s)#.*$/, '$1');
    const isOpen = part.endsWith('\\') || (open !== '' && /^\s*#/.test(raw));
    open += part.endsWith('\\') ? `${part.slice(0, -1)} ` : part;
    if (isOpen) continue;
    yield { text: open.trim(), line: start };
    open = '';
  }
  yield { text: open.trim(), line: start };
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
