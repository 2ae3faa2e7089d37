import { execFileSync } from 'node:child_process';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { containerTool } from './container-tools.ts';
import type { DockerDaemon } from './docker-daemon.ts';
import { mustRun } from './python-clients.ts';

const APPLETS = ['sh', 'env', 'mkdir', 'chown', 'ln', 'ls', 'id', 'cat', 'test', 'true'];
const USERS = 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n';

/**
 * An image with the Node that tests run on, npm, a shell and a user "node", made of files of this machine: what the
 * official image is to the Dockerfile, where no registry can be asked for it.
 * @returns its name
 */
export async function importNodeImage(daemon: DockerDaemon, folder: string): Promise<string> {
  const root = join(folder, 'rootfs');
  const put = async (from: string, to: string) => {
    await mkdir(dirname(join(root, to)), { recursive: true });
    await cp(from, join(root, to), { recursive: true, dereference: true });
  };
  await put(process.execPath, 'usr/local/bin/node');
  for (const library of librariesOf(process.execPath)) await put(library, library);
  await put(await containerTool('busybox'), 'bin/busybox');
  for (const name of APPLETS) await symlink('busybox', join(root, 'bin', name));
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  await symlink('/bin/busybox', join(root, 'usr/bin/env'));
  const modules = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim();
  await put(join(modules, 'npm'), 'usr/local/lib/node_modules/npm');
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  await put('/etc/ssl/certs/ca-certificates.crt', 'etc/ssl/certs/ca-certificates.crt');
  await writeFile(join(root, 'etc/passwd'), USERS);
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n');
  for (const name of ['root', 'tmp', 'home/node']) await mkdir(join(root, name), { recursive: true, mode: 0o777 });
  const archive = join(folder, 'rootfs.tar');
  await mustRun('tar', ['-C', root, '--owner=0', '--group=0', '-cf', archive, '.']);
  const change = 'ENV PATH=/usr/local/bin:/usr/bin:/bin';
  const { code, stderr } = await daemon.docker('import', '--change', change, archive, 'node-of-this-machine:24');
  if (code !== 0) throw new Error(`docker import failed: ${stderr}`);
  return 'node-of-this-machine:24';
}

function librariesOf(program: string): string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
}
