import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from './bundles.ts';
import { startHub } from './hub.ts';
import type { RepoWish } from './hub-repo.ts';
import { carryModels, sha256 } from './hub-sites.ts';
import { type Ran, runCommand } from './python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from './spawn-larder.ts';

/** A Larder behind the gap that speaks S3, and a folder for clients of it. */
export interface S3Site {
  larder: SpawnedLarder;
  /** No trailing slash. */
  url: string;
  accessKey: string;
  secretKey: string;
  folder: string;
  /** What clients of AWS's make read: keys, region, endpoint; a home of their own. To mc and rclone the site is "l". */
  env: NodeJS.ProcessEnv;
  attempt(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ran>;
  /** The same, and it must work. @returns what it printed */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<string>;
  /** Runs Python with what is in `packages`; it must work. @returns what it printed */
  python(bin: string, script: string): Promise<string>;
  close(): Promise<void>;
}

/** Fills a store with models of a hub that is gone by then: they came over the gap in a bundle. */
export function modelsOf(repos: readonly RepoWish[]): (store: string) => Promise<void> {
  return async (store) => {
    const folder = await temporaryFolder();
    const hub = await startHub();
    try {
      for (const repo of repos) hub.add(repo);
      const items = repos.map(({ id }) => `{ hf: "${id}" }`);
      await carryModels(folder.path, items, { LARDER_HUGGINGFACE_ORIGIN: hub.url }, store);
    } finally {
      await hub.close();
      await folder.remove();
    }
  };
}

/** What is in a folder, by path; sha256 of each file. */
export async function filesIn(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found[relative(folder, path)] = sha256(await readFile(path));
  }
  return found;
}

/**
 * Its access key is made as README says: `larder token create --s3`.
 * @param fill puts things into the store before it is served
 */
export async function startS3Site(
  env: NodeJS.ProcessEnv = {},
  fill?: (store: string) => Promise<unknown>,
): Promise<S3Site> {
  const folder = await temporaryFolder();
  const store = join(folder.path, 'store');
  await fill?.(store);
  const made = await larder(['token', 'create', 'lab', '--write', '--s3', '--store', store]);
  const [accessKey = '', secretKey = ''] = made.stdout.trim().split('\n');
  const server = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true', ...env } });
  const url = server.urls.s3!;
  const own = {
    PATH: process.env.PATH,
    HOME: folder.path,
    LANG: 'C.UTF-8',
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: url,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...{ MC_HOST_l: url.replace('//', `//${accessKey}:${secretKey}@`), MC_CONFIG_DIR: join(folder.path, 'mc') },
    ...{ RCLONE_CONFIG_L_TYPE: 's3', RCLONE_CONFIG_L_PROVIDER: 'Other', RCLONE_CONFIG_L_ENDPOINT: url },
    ...{ RCLONE_CONFIG_L_ACCESS_KEY_ID: accessKey, RCLONE_CONFIG_L_SECRET_ACCESS_KEY: secretKey },
  };
  const attempt: S3Site['attempt'] = (command, args, more) =>
    runCommand(command, args, { cwd: folder.path, env: { ...own, ...more }, timeout: 120_000 });
  const run: S3Site['run'] = async (command, args, more) => {
    const { code, stdout, stderr } = await attempt(command, args, more);
    expect(`${args.join(' ')}: ${code}${code === 0 ? '' : `\n${stdout}\n${stderr.slice(-3000)}`}`).toBe(
      `${args.join(' ')}: 0`,
    );
    return stdout;
  };
  return {
    ...{ larder: server, url, accessKey, secretKey, folder: folder.path, env: own, attempt, run },
    async python(bin, script) {
      const file = join(folder.path, 'script.py');
      await writeFile(file, script);
      return run(join(bin, 'python'), [file]);
    },
    async close() {
      await server.stop();
      await folder.remove();
    },
  };
}
