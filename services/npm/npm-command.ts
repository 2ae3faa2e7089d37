import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { environment } from '../../shared/config/load.ts';
import { MirrorError } from '../../shared/model/errors.ts';

const run = promisify(execFile);
/** Milliseconds that one call may take. */
const LIMIT = 900_000;
/** Lines of npm's own words that are passed on. */
const MOST_LINES = 12;

export interface NpmSite {
  /** `npm.npm` of the settings. */
  program: string;
  /** Our own registry on loopback, without a slash at its end. */
  url: string;
  workDir: string;
  /** A folder in it for npm's cache and settings; what stands on the bundle alone has one of its own. */
  home: string;
  /** Ours, where nobody may read without one. */
  token?: string;
  signal: AbortSignal;
}

/** How npm ended, when it did not do what it was told. */
export interface NpmFailure {
  /** `ERESOLVE`, `E404`, `EUSAGE`; empty when it named none. */
  code: string;
  /** Its own words, some lines. */
  words: string;
}

/**
 * Runs npm in a folder against our own registry. Nothing of this machine's settings of npm takes part, nor its cache, and
 * no script of a package runs.
 * @returns why it failed; undefined when it did not
 * Throws `unavailable` when there is no npm, or it found no end.
 */
export async function runNpm(args: readonly string[], folder: string, site: NpmSite): Promise<NpmFailure | undefined> {
  const { program, workDir, signal } = site;
  const home = join(workDir, site.home);
  await mkdir(home, { recursive: true });
  // npm refuses one file in both places
  await writeFile(join(home, 'global'), '');
  await writeFile(join(home, 'user'), loginOf(site), { mode: 0o600 });
  try {
    await run(program, [...args, ...settingsOf(site, home)], {
      cwd: folder,
      env: { PATH: environment().PATH ?? '', HOME: home, NO_UPDATE_NOTIFIER: '1' },
      timeout: LIMIT,
      signal,
      maxBuffer: 64 << 20,
    });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return failureOf(error as Failed, program);
  }
}

/** Not among the arguments, where everybody on this machine could read it. */
function loginOf({ url, token }: NpmSite): string {
  return token === undefined ? '' : `${url.replace(/^https?:/, '')}/:_authToken=${token}\n`;
}

function settingsOf({ url }: NpmSite, home: string): string[] {
  return [
    ...['--registry', `${url}/`, '--cache', join(home, 'cache'), '--userconfig', join(home, 'user')],
    ...['--globalconfig', join(home, 'global'), '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'],
    ...['--no-progress', '--no-update-notifier', '--loglevel', 'error', '--logs-max', '0', '--fetch-retries', '1'],
  ];
}

type Failed = Error & { stderr?: string; code?: number | string; killed?: boolean };

function failureOf(error: Failed, program: string): NpmFailure {
  if (error.code === 'ENOENT' || error.code === 'EACCES') {
    const message = `names with ranges and proofs of locks need npm, and "${program}" does not run here (${error.code}). Put npm on the PATH, set npm.npm, or give a lock that names every version`;
    throw new MirrorError('unavailable', 'package', message, { cause: error });
  }
  if (error.killed)
    throw new MirrorError('unavailable', 'package', `npm found no end within ${LIMIT / 60_000} minutes`);
  const lines = (error.stderr?.trim() || error.message)
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!) ?/, ''));
  const code = /^code (E[A-Z0-9]+)/.exec(lines.find((line) => line.startsWith('code ')) ?? '')?.[1] ?? '';
  const words = lines.filter((line) => !/^(code E|A complete log|\s*$)/.test(line) && !line.includes('_logs'));
  return { code, words: words.slice(0, MOST_LINES).join('\n    ') };
}
