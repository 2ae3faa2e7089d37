import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { fromRandomAccessReaderPromise } from 'yauzl';
import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { newestWheel } from './choose.ts';
import type { PypiConfig } from './config.ts';
import type { Projects } from './projects.ts';
import { makeTarget, type Target } from './python/target.ts';
import { fileRef } from './refs.ts';
import { RangedZip } from './remote-zip.ts';

const run = promisify(execFile);

/** The resolver, or why there is none. */
export type Uv = { program: string } | { program?: undefined; reason: string };

/**
 * Finds uv: the one that the settings name, one on the PATH, or the newest of the index itself, whose wheel carries the
 * program; that is kept in `workDir`, for the length of one command.
 * Throws `bad-request` when the settings name one that does not run.
 */
export async function findUv(context: Context<PypiConfig>, projects: Projects, workDir: string): Promise<Uv> {
  const { uv } = context.config;
  if (uv !== undefined) {
    if (await works(uv)) return { program: uv };
    throw new MirrorError('bad-request', 'settings', `pypi.uv is ${uv}, and that does not run`);
  }
  for (const program of ['uv', join(workDir, 'uv')]) if (await works(program)) return { program };
  if (context.listing === 'held') return { reason: 'there is no uv here, and no index to fetch it from' };
  try {
    return await fetchUv(context, projects, join(workDir, 'uv'));
  } catch (error) {
    return { reason: `uv is not on the PATH, and could not be fetched: ${(error as Error).message}` };
  }
}

async function works(program: string): Promise<boolean> {
  return run(program, ['--version'], { timeout: 20_000 }).then(
    ({ stdout }) => stdout.startsWith('uv '),
    () => false,
  );
}

async function fetchUv(context: Context<PypiConfig>, projects: Projects, program: string): Promise<Uv> {
  const project = await projects.find('uv');
  const machine = thisMachine();
  const newest = newestWheel(project.page, machine);
  if (!newest) return { reason: `uv is not on the PATH, and the index has no wheel of it for ${machine.platform}` };
  const { file } = newest;
  // a program is run only when the index said which bytes it is; the mirror compares them
  if (!file.hashes.sha256)
    return { reason: `uv is not on the PATH, and the index gives no sha256 for ${file.filename}` };
  const { entry } = await context.mirror.hold(fileRef(project.origin, 'uv', file));
  await extractProgram(context, entry, program);
  if (await works(program)) return { program };
  return { reason: `uv is not on the PATH, and the one in ${file.filename} does not run here` };
}

async function extractProgram(context: Context<PypiConfig>, entry: Entry, program: string): Promise<void> {
  const read = (range: { start: number; end: number }) => context.blobs.open(entry.digest, range);
  const reader = new RangedZip(entry.size, read, { mostBlocks: Number.POSITIVE_INFINITY });
  const zip = await fromRandomAccessReaderPromise(reader, entry.size, { autoClose: false });
  try {
    for await (const member of zip.eachEntry()) {
      if (!/^uv-[^/]+\.data\/scripts\/uv(\.exe)?$/.test(member.fileName)) continue;
      await pipeline(await zip.openReadStreamPromise(member), createWriteStream(`${program}.part`));
      await chmod(`${program}.part`, 0o755);
      await rename(`${program}.part`, program);
      return;
    }
    throw new MirrorError('corrupt', 'file', 'its wheel has no program in it');
  } finally {
    zip.close();
  }
}

/** Wheels of uv need no Python, so any version will do. */
function thisMachine(): Target {
  const arm = process.arch === 'arm64';
  const cpu = arm ? 'aarch64' : 'x86_64';
  const platforms: Partial<Record<NodeJS.Platform, string>> = {
    darwin: `macosx_14_0_${arm ? 'arm64' : cpu}`,
    win32: arm ? 'win_arm64' : 'win_amd64',
    linux: `${hasGlibc() ? 'manylinux_2_28' : 'musllinux_1_2'}_${cpu}`,
  };
  return makeTarget({ version: '3.12', platform: platforms[process.platform] ?? platforms.linux! });
}

function hasGlibc(): boolean {
  const report = process.report as typeof process.report & { excludeNetwork: boolean };
  // else it would look up the names of everybody who is connected
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}
