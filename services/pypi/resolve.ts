import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { environment } from '../../shared/config/load.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { readResolved } from './lock-requirements.ts';
import { parseRequirement } from './python/requirement.ts';
import type { Target } from './python/target.ts';
import type { Line, Pin } from './wishes.ts';

const run = promisify(execFile);
/** Milliseconds that one resolution may take. */
const LIMIT = 600_000;
const INPUT = 'requirements.in';

/** glibc versions that uv has a name for. */
const GLIBCS = [17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];
const WINDOWS: Record<string, string> = { win_amd64: 'x86_64', win_arm64: 'aarch64', win32: 'i686' };

export interface ResolveOptions {
  uv: string;
  /** Our own index, with its slash, and with a token where it wants one. */
  index: string;
  /** One that is asked before it: the view of one of our origins. */
  firstIndex?: string;
  target: Target;
  /** sdists may be taken; the resolver builds those that do not tell what they need. */
  sdists: boolean;
  constraints?: readonly string[];
  prereleases?: boolean;
  /** Look for what is named, not for what that needs. */
  withoutDependencies?: boolean;
  workDir: string;
  signal: AbortSignal;
}

/**
 * Turns requirements into pins for one target, with uv against our own index: what it finds there is what a client will
 * find. Throws `conflict` with the resolver's own words when there is no solution, `unsupported` for a platform that it
 * does not know, `unavailable` when it failed otherwise.
 */
export async function resolveRequirements(lines: readonly Line[], options: ResolveOptions): Promise<Pin[]> {
  const folder = await mkdtemp(join(options.workDir, 'resolve-'));
  try {
    await writeFile(join(folder, INPUT), lines.map(({ text }) => `${text}\n`).join(''));
    await writeFile(join(folder, 'constraints.txt'), (options.constraints ?? []).map((text) => `${text}\n`).join(''));
    const { stdout } = await run(options.uv, argumentsOf(options), {
      cwd: folder,
      env: environmentOf(options),
      timeout: LIMIT,
      signal: options.signal,
      maxBuffer: 64 << 20,
    });
    return readResolved(stdout, whyOf(lines));
  } catch (error) {
    options.signal.throwIfAborted();
    throw error instanceof MirrorError ? error : failure(error, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function argumentsOf({ target, constraints = [], ...options }: ResolveOptions): string[] {
  return [
    ...['pip', 'compile', INPUT, '--no-config', '--no-header', '--annotation-style', 'line', '--no-strip-extras'],
    ...['--quiet', '--color', 'never', '--no-python-downloads'],
    ...['--python-version', target.version.replace('t', ''), '--python-platform', platformOf(target)],
    ...['--cache-dir', join(options.workDir, 'uv-cache')],
    ...['--prerelease', options.prereleases ? 'allow' : 'if-necessary-or-explicit'],
    ...(constraints.length > 0 ? ['--constraints', 'constraints.txt'] : []),
    ...(options.sdists ? [] : ['--only-binary', ':all:']),
    ...(options.withoutDependencies ? ['--no-deps'] : []),
  ];
}

/**
 * Nothing of the caller's own settings of uv, nor its proxies: only our index on loopback is asked. It stands here and
 * not among the arguments, which everybody on the machine can read: a token may be in it.
 */
function environmentOf({ target, workDir, index, firstIndex }: ResolveOptions): Record<string, string> {
  const mac = /^macosx_(\d+)_(\d+)/.exec(target.platform);
  return {
    PATH: environment().PATH ?? '',
    HOME: workDir,
    UV_DEFAULT_INDEX: index,
    ...(firstIndex ? { UV_INDEX: firstIndex } : {}),
    ...(mac ? { MACOSX_DEPLOYMENT_TARGET: `${mac[1]}.${mac[2]}` } : {}),
  };
}

/** What uv calls a platform. Throws `unsupported` for one that it has no name for. */
export function platformOf({ platform, name }: Target): string {
  const linux = /^manylinux_2_(\d+)_(x86_64|aarch64)$/.exec(platform);
  if (linux) {
    const glibc = GLIBCS.findLast((one) => one <= Number(linux[1])) ?? 17;
    return `${linux[2]}-manylinux_2_${glibc}`;
  }
  const musl = /^musllinux_1_\d+_(x86_64|aarch64)$/.exec(platform);
  if (musl) return `${musl[1]}-unknown-linux-musl`;
  const mac = /^macosx_\d+_\d+_(.+)$/.exec(platform);
  if (mac) return `${mac[1] === 'arm64' ? 'aarch64' : mac[1]}-apple-darwin`;
  if (WINDOWS[platform]) return `${WINDOWS[platform]}-pc-windows-msvc`;
  if (/^manylinux_.+_riscv64$/.test(platform)) return 'riscv64-unknown-linux';
  throw new MirrorError(
    'unsupported',
    'project',
    `uv cannot resolve for ${name} (${platform}); give an exact lock for it`,
  );
}

/** Who asked for a project: lines of the input, and the projects that need it. */
function whyOf(lines: readonly Line[]): (via: readonly string[], project: string) => string {
  const asked = new Map<string, string[]>();
  for (const { text, why } of lines) {
    const name = parseRequirement(text)?.name ?? text;
    asked.set(name, [...(asked.get(name) ?? []), why]);
  }
  return (via, project) => {
    const parents = via.filter((name) => !/^-[rc] /.test(name));
    return [...new Set([...(asked.get(project) ?? []), ...parents])].join(', ') || 'resolver';
  };
}

function failure(error: unknown, { target, index }: ResolveOptions): MirrorError {
  const { stderr, message, killed } = error as { stderr?: string; message: string; killed?: boolean };
  if (killed)
    return new MirrorError(
      'unavailable',
      'project',
      `for ${target.name} uv found no end within ${LIMIT / 60_000} minutes`,
    );
  const said = (stderr?.trim() || message.split('\n')[0]!).replace(/^error: /, '');
  const { password } = new URL(index);
  const words = password ? said.replaceAll(password, '****') : said;
  const kind = /no solution found/i.test(words) ? 'conflict' : 'unavailable';
  const indented = words.replaceAll('\n', '\n    ');
  return new MirrorError(kind, 'project', `for ${target.name} uv says:\n    ${indented}`, { cause: error });
}
