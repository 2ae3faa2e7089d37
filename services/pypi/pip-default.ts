import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MirrorError } from '../../shared/model/errors.ts';

const run = promisify(execFile);
const LIMIT = 20_000;
const MOST_OUTPUT = 4 << 20;

/** The index that pip asks, and the authorities that it trusts for it where it does not trust the usual ones. */
export interface PipIndex {
  url: string;
  /** PEM. */
  caFile?: string;
}

/**
 * The index that pip on this machine is configured with: environment, configuration files, or its built-in default.
 * pip's own help tells what holds; where it hides a password, its configuration has the whole. Nothing here names one.
 * Throws `unavailable`, saying what to set instead.
 */
export async function pipIndex(python: string, signal?: AbortSignal): Promise<PipIndex> {
  for (const command of [[python, '-m', 'pip'], ['pip']]) {
    const help = await ask([...command, 'install', '--help'], signal);
    const shown = help === undefined ? undefined : defaultIn(help);
    if (shown === undefined) continue;
    const list = (await ask([...command, 'config', 'list'], signal)) ?? '';
    const url = (shown.includes('****') && settingIn(list, 'index-url')) || shown;
    // pip takes a folder too; a mirror does not
    if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return { url, caFile: settingIn(list, 'cert') };
  }
  throw new MirrorError(
    'unavailable',
    'settings',
    'no origin is set, and there is no pip on this machine that could tell one; set pypi.origins (or LARDER_PYPI_ORIGINS)',
  );
}

/** `--index-url <url>  Base URL of the Python Package Index (default https://…)`, folded over lines as it may be. */
export function defaultIn(help: string): string | undefined {
  const option = /--index-url\s+<url>([\s\S]*?)(?=\n\s+--?[a-z])/.exec(help)?.[1] ?? '';
  return /\(default\s+([^)\s]+)\s*\)/.exec(option.replace(/\s+/g, ' '))?.[1];
}

/**
 * `pip config list`: `<where>.<key>='<value>'`, a line each. For `pip install` the environment goes before the
 * command's own section, and that before the global one.
 */
export function settingIn(list: string, name: 'index-url' | 'cert'): string | undefined {
  for (const where of [':env:', 'install', 'global']) {
    for (const line of list.split('\n')) {
      const match = /^(.+?)\.([a-z_-]+)=(['"])(.*)\3\s*$/.exec(line);
      if (match?.[1] === where && match[2]!.replaceAll('_', '-') === name) return match[4];
    }
  }
  return undefined;
}

async function ask([command, ...args]: string[], signal?: AbortSignal): Promise<string | undefined> {
  try {
    return (await run(command!, args, { timeout: LIMIT, maxBuffer: MOST_OUTPUT, signal })).stdout;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}
