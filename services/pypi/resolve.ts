import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MirrorError } from '../../shared/model/errors.ts';
import { readResolved } from './lock-requirements.ts';
import type { Pin } from './locks.ts';
import type { Target } from './python/target.ts';

const run = promisify(execFile);
/** Milliseconds that one resolution may take. */
const LIMIT = 600_000;
/** glibc versions that the resolver has a name for; another is told as the next lower one. */
const GLIBCS = [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17];

export interface ResolveOptions {
  uv: string;
  /** The index, with its slash: our own. */
  index: string;
  target: Target;
  /** sdists may be taken: the resolver builds them to learn what they need. */
  sdists: boolean;
  workDir: string;
  signal: AbortSignal;
}

/**
 * Turns requirements into pins for one target, with uv against our own index: what it finds there is what a client will
 * find. Throws `conflict` with the resolver's own words when there is no solution.
 */
export async function resolveRequirements(
  requirements: readonly string[],
  why: string,
  options: ResolveOptions,
): Promise<Pin[]> {
  const folder = await mkdtemp(join(options.workDir, 'resolve-'));
  const input = join(folder, 'requirements.in');
  await writeFile(input, `${requirements.join('\n')}\n`);
  const { target } = options;
  const args = [
    ...[
      'pip',
      'compile',
      input,
      '--no-config',
      '--no-header',
      '--no-annotate',
      '--no-strip-extras',
      '--quiet',
      '--no-python-downloads',
    ],
    ...['--default-index', options.index, '--python-version', target.version, '--python-platform', platformOf(target)],
    ...['--cache-dir', join(options.workDir, 'uv-cache'), '--prerelease', 'if-necessary-or-explicit'],
    ...(options.sdists ? [] : ['--only-binary', ':all:']),
  ];
  try {
    const { stdout } = await run(options.uv, args, {
      timeout: LIMIT,
      signal: options.signal,
      maxBuffer: 64 << 20,
      cwd: folder,
    });
    return readResolved(stdout, why, target);
  } catch (error) {
    options.signal.throwIfAborted();
    const words = String((error as { stderr?: string }).stderr || (error as Error).message).trim();
    throw new MirrorError('conflict', 'project', `for ${target.name} there is no solution:\n${indent(words)}`, {
      cause: error,
    });
  }
}

function platformOf({ platform }: Target): string {
  const linux = /^manylinux_2_(\d+)_(.+)$/.exec(platform);
  if (linux) return `${linux[2]}-manylinux_2_${GLIBCS.find((glibc) => glibc <= Number(linux[1])) ?? 17}`;
  const musl = /^musllinux_1_\d+_(.+)$/.exec(platform);
  if (musl) return `${musl[1]}-unknown-linux-musl`;
  const mac = /^macosx_\d+_\d+_(.+)$/.exec(platform);
  if (mac) return `${mac[1] === 'arm64' ? 'aarch64' : mac[1]}-apple-darwin`;
  return 'x86_64-pc-windows-msvc';
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
