import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { access, chmod, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { fromRandomAccessReaderPromise } from 'yauzl';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { bestFile } from './choose.ts';
import type { PypiConfig } from './config.ts';
import type { Projects } from './projects.ts';
import { makeTarget } from './python/target.ts';
import { fileRef } from './refs.ts';
import { RangedZip } from './remote-zip.ts';

const run = promisify(execFile);

/**
 * Finds the resolver: the one that the settings name, one on the PATH, or the newest of the index itself, whose wheel
 * carries the program. It is kept in `workDir` for the length of one command.
 * @returns the program, or undefined when there is none to be had
 */
export async function findUv(
  context: Context<PypiConfig>,
  projects: Projects,
  workDir: string,
): Promise<string | undefined> {
  const own = join(workDir, 'uv');
  for (const candidate of [context.config.uv, 'uv', own]) {
    if (candidate !== undefined && (await works(candidate))) return candidate;
  }
  if (context.config.uv)
    throw new MirrorError('bad-request', 'settings', `pypi.uv is ${context.config.uv}, and that does not run`);
  if (context.listing === 'held') return undefined;
  return fetchUv(context, projects, workDir);
}

async function works(program: string): Promise<boolean> {
  return run(program, ['--version'], { timeout: 20_000 }).then(
    ({ stdout }) => stdout.startsWith('uv '),
    () => false,
  );
}

async function fetchUv(context: Context<PypiConfig>, projects: Projects, workDir: string): Promise<string | undefined> {
  const project = await projects.find('uv');
  const best = bestFile(project.page.files, thisMachine());
  if (!best) return undefined;
  const { entry } = await context.mirror.hold(fileRef(project.origin, 'uv', best));
  const program = join(workDir, 'uv');
  await extractProgram(context, entry, program);
  await access(program);
  return program;
}

async function extractProgram(
  context: Context<PypiConfig>,
  entry: { digest: Parameters<Context<PypiConfig>['blobs']['open']>[0]; size: number },
  program: string,
): Promise<void> {
  const read = (range: { start: number; end: number }) => context.blobs.open(entry.digest, range);
  const zip = await fromRandomAccessReaderPromise(
    new RangedZip(entry.size, read, { mostBlocks: Number.POSITIVE_INFINITY }),
    entry.size,
    { autoClose: false },
  );
  try {
    for await (const member of zip.eachEntry()) {
      if (!/^uv-[^/]+\.data\/scripts\/uv$/.test(member.fileName)) continue;
      await mkdir(join(program, '..'), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(member), createWriteStream(`${program}.part`));
      await chmod(`${program}.part`, 0o755);
      await rename(`${program}.part`, program);
      return;
    }
  } finally {
    zip.close();
  }
}

/** Wheels of the resolver need no Python, so any version will do. */
function thisMachine() {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  if (process.platform === 'darwin')
    return makeTarget({ version: '3.12', platform: `macosx_14_0_${machine === 'aarch64' ? 'arm64' : machine}` });
  return makeTarget({ version: '3.12', platform: `manylinux_2_28_${machine}` });
}
