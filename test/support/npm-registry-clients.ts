import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { npmPackages } from './npm-clients.ts';

/** How each client of npm's protocol is installed. Which must be there is said in test/clients/npm-required.json. */
const CLIENTS = {
  'npm-10': { packages: ['npm@10'], program: 'npm/bin/npm-cli.js' },
  'npm-11': { packages: ['npm@11'], program: 'npm/bin/npm-cli.js' },
  pnpm: { packages: ['pnpm@10'], program: 'pnpm/bin/pnpm.cjs' },
  'yarn-1': { packages: ['yarn@1'], program: 'yarn/bin/yarn.js' },
  berry: { packages: ['@yarnpkg/cli-dist@4'], program: '@yarnpkg/cli-dist/bin/yarn.js' },
  // its script would put the binary of this machine's package in place; it lies there all the same
  bun: { packages: ['bun@1'], program: `@oven/bun-${process.platform}-${cpu()}/bin/bun` },
} as const;

export type RegistryClient = keyof typeof CLIENTS;
export const REGISTRY_CLIENTS = Object.keys(CLIENTS) as RegistryClient[];

function cpu(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x64';
}

/** What is spawned before a client's own arguments. */
export type Program = [command: string, ...args: string[]];

/** A client's program; installs it the first time, from what npm on this machine is configured with. */
export async function registryClient(name: RegistryClient): Promise<Program> {
  const { packages, program } = CLIENTS[name];
  const path = join(await npmPackages(name, packages), 'node_modules', program);
  if (!program.endsWith('bun')) return [process.execPath, path];
  await chmod(path, 0o755);
  return [path];
}

/** The version of a client that is installed, as its own package.json says. */
export async function clientVersion(name: RegistryClient): Promise<string> {
  const { packages } = CLIENTS[name];
  const [folder] = /^@?[^@]+/.exec(packages[0])!;
  const file = join(await npmPackages(name, packages), 'node_modules', folder, 'package.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}

/**
 * A folder for PATH: Node as it runs here and, by the name of npm, one of its versions. pnpm leaves to it what it has
 * no verb of its own for.
 */
export async function programsFor(home: string, npm: RegistryClient = 'npm-11'): Promise<string> {
  const folder = join(home, 'programs');
  await mkdir(folder, { recursive: true });
  const [, cli] = await registryClient(npm);
  await writeFile(join(folder, 'npm'), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`, { mode: 0o755 });
  await symlink(process.execPath, join(folder, 'node'));
  return `${folder}:${dirname(process.execPath)}:/usr/bin:/bin`;
}
