import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where tests keep what they installed: outside the repository, kept between runs. */
export const TEST_CACHE = process.env.LARDER_TEST_CACHE ?? join(homedir(), '.cache', 'larder-tests');

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command with a bound and gives its outcome, whatever it is. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeout?: number } = {},
): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(command, [...args], {
      ...options,
      timeout: options.timeout ?? 300_000,
      maxBuffer: 64 << 20,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failed = error as { code?: number | string; stdout?: string; stderr?: string; message: string };
    return {
      code: typeof failed.code === 'number' ? failed.code : -1,
      stdout: failed.stdout ?? '',
      stderr: failed.stderr || failed.message,
    };
  }
}

/**
 * A Python environment with these packages, made once and kept: installed from the index that pip on this machine is
 * configured with, so nothing here names one.
 * @param alone packages that come without what they ask for
 * @returns its `bin` folder
 */
export async function pythonVenv(
  name: string,
  packages: readonly string[],
  alone: readonly string[] = [],
): Promise<string> {
  const python = 'python3';
  const mark = createHash('sha256')
    .update(JSON.stringify([python, packages, ...(alone.length > 0 ? [alone] : [])]))
    .digest('hex')
    .slice(0, 12);
  const folder = join(TEST_CACHE, 'venvs', `${name}-${mark}`);
  const done = join(folder, 'complete');
  if (
    await access(done).then(
      () => true,
      () => false,
    )
  )
    return join(folder, 'bin');
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, '..'), { recursive: true });
  await mustRun(python, ['-m', 'venv', folder]);
  const install = ['-m', 'pip', 'install', '--quiet', '--no-cache-dir'];
  await mustRun(join(folder, 'bin/python'), [...install, ...packages]);
  if (alone.length > 0) await mustRun(join(folder, 'bin/python'), [...install, '--no-deps', ...alone]);
  await writeFile(done, '');
  return join(folder, 'bin');
}

export async function mustRun(command: string, args: string[]): Promise<void> {
  const ran = await runCommand(command, args, { timeout: 900_000 });
  if (ran.code !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${ran.stdout}\n${ran.stderr}`);
}

/** A client's own world: an empty home, no configuration of this machine's pip, no cache of another run. */
export async function clientHome(): Promise<{ path: string; env: NodeJS.ProcessEnv; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'larder-client-'));
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: path,
    LANG: 'C.UTF-8',
    PIP_CONFIG_FILE: '/dev/null',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    UV_CACHE_DIR: join(path, 'uv-cache'),
    UV_NO_CONFIG: '1',
    UV_PYTHON_DOWNLOADS: 'never',
    XDG_CACHE_HOME: join(path, 'cache'),
    XDG_CONFIG_HOME: join(path, 'config'),
    XDG_DATA_HOME: join(path, 'data'),
  };
  return { path, env, remove: () => rm(path, { recursive: true, force: true }) };
}
