import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerTool } from './container-tools.ts';
import { runCommand } from './python-clients.ts';
import type { S3Site } from './s3-site.ts';

/** A bucket as a folder, by the program s3fs. */
export interface S3Mount {
  folder: string;
  close(): Promise<void>;
}

/** Milliseconds to wait for a mount. */
const PATIENCE = 60_000;

/** Mounts a bucket in the site's folder; nothing is kept beside it. Throws with what s3fs says when it does not. */
export async function mountBucket(site: S3Site, bucket: string, options: readonly string[] = []): Promise<S3Mount> {
  const folder = join(site.folder, `mounted-${bucket}`);
  const passwords = join(site.folder, 'passwords');
  await mkdir(folder);
  await writeFile(passwords, `${site.accessKey}:${site.secretKey}\n`, { mode: 0o600 });
  const all = [
    `url=${site.url}`,
    `passwd_file=${passwords}`,
    'use_path_request_style',
    'sigv4',
    'retries=1',
    ...options,
  ];
  const args = [bucket, folder, '-f', ...all.flatMap((option) => ['-o', option])];
  const child = spawn(await containerTool('s3fs'), args, { stdio: ['ignore', 'pipe', 'pipe'], env: site.env });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (said = `${said}${chunk}`.slice(-5000)));
  if (!(await isMounted(folder, child))) {
    child.kill('SIGKILL');
    throw new Error(`s3fs did not mount "${bucket}":\n${said}`);
  }
  return {
    folder,
    async close() {
      await runCommand('umount', ['-l', folder]);
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

async function isMounted(folder: string, child: ChildProcess): Promise<boolean> {
  for (const until = Date.now() + PATIENCE; Date.now() < until && child.exitCode === null; ) {
    if ((await readFile('/proc/mounts', 'utf8')).includes(` ${folder} `)) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}
