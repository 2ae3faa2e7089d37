import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MirrorError } from '../../shared/model/errors.ts';

const run = promisify(execFile);
const LIMIT = 20_000;

/**
 * The index that pip on this machine is configured with: environment, configuration files, or its built-in default.
 * pip's own help tells what holds; where it hides a password, its configuration has the whole. Nothing here names one.
 * Throws `unavailable`, saying what to set instead.
 */
export async function pipIndexUrl(python: string): Promise<string> {
  for (const command of [[python, '-m', 'pip'], ['pip']]) {
    const help = await ask([...command, 'install', '--help']);
    if (help === undefined) continue;
    const url = defaultIn(help);
    if (url?.includes('****')) return (await ask([...command, 'config', 'get', 'global.index-url']))?.trim() ?? url;
    if (url) return url;
  }
  throw new MirrorError(
    'unavailable',
    'settings',
    'no origin is set, and there is no pip on this machine that could tell one; set pypi.origins (or LARDER_PYPI_ORIGINS)',
  );
}

/** `--index-url <url>  Base URL of the Python Package Index (default https://…)`, folded over lines as it may be. */
function defaultIn(help: string): string | undefined {
  const option = /--index-url\s+<url>([\s\S]*?)(?=\n\s+--?[a-z])/.exec(help)?.[1] ?? '';
  return /\(default\s+([^)\s]+)\s*\)/.exec(option.replace(/\s+/g, ' '))?.[1];
}

async function ask([command, ...args]: string[]): Promise<string | undefined> {
  try {
    return (await run(command!, args, { timeout: LIMIT })).stdout;
  } catch {
    return undefined;
  }
}
