import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, copyFile, cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runCommand, TEST_CACHE } from './python-clients.ts';

const SOURCES = resolve(import.meta.dirname, '../fixtures/rust');

/** Whether programs in Rust can be built here. */
export const hasCargo = spawnSync('cargo', ['--version']).status === 0;

/**
 * A program of test/fixtures/rust, built once and kept: with crates as cargo on this machine gets them. Of the build
 * only the program stays.
 * @param program its name in Cargo.toml
 * @param tools variables that name what its crates are built with; asked for when it is to be built
 */
export async function cargoProgram(
  folder: string,
  program: string,
  tools: () => Promise<Record<string, string>> = async () => ({}),
): Promise<string> {
  const mark = createHash('sha256');
  for (const file of ['Cargo.toml', 'src/main.rs']) mark.update(await readFile(join(SOURCES, folder, file)));
  const built = join(TEST_CACHE, 'rust', `${program}-${mark.digest('hex').slice(0, 12)}`);
  if (
    await access(built).then(
      () => true,
      () => false,
    )
  )
    return built;
  const work = `${built}.build`;
  await rm(work, { recursive: true, force: true });
  await mkdir(join(work, '..'), { recursive: true });
  await cp(join(SOURCES, folder), work, { recursive: true });
  const env = { ...process.env, ...(await tools()), CARGO_TARGET_DIR: join(work, 'target'), CARGO_TERM_COLOR: 'never' };
  const ran = await runCommand('cargo', ['build', '--quiet'], { cwd: work, env, timeout: 1_800_000 });
  if (ran.code !== 0) throw new Error(`cargo build of ${folder} failed:\n${ran.stderr}`);
  await copyFile(join(work, 'target/debug', program), join(work, program));
  await rename(join(work, program), built);
  await rm(work, { recursive: true, force: true });
  return built;
}
