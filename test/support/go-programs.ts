import { execFile } from 'node:child_process';
import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TEST_CACHE } from './python-clients.ts';

const run = promisify(execFile);

/** Milliseconds that a build may take where nothing of it is there yet, and others are at work. */
const LIMIT = 2_400_000;

interface GoProgram {
  /** Its package, and the module that it lies in. */
  package: string;
  module: string;
  version: string;
  /** Modules to take in the place of others, as the program's own go.mod says: `go install` heeds no such line. */
  replace?: Record<string, string>;
}

const PROGRAMS = {
  versitygw: {
    package: 'github.com/versity/versitygw/cmd/versitygw',
    module: 'github.com/versity/versitygw',
    version: 'v1.7.0',
  },
  // no longer maintained, and so only a second opinion; the last source that there is
  minio: {
    package: 'github.com/minio/minio',
    module: 'github.com/minio/minio',
    version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
  },
  weed: {
    package: 'github.com/seaweedfs/seaweedfs/weed',
    module: 'github.com/seaweedfs/seaweedfs',
    version: 'v0.0.0-20261109003541-7506e5f91cd6',
    replace: { 'github.com/tyler-smith/go-bip39': 'github.com/cosmos/go-bip39 v1.0.0' },
  },
} satisfies Record<string, GoProgram>;

/** A program built once with the Go toolchain and kept in the cache, under the name of its version. */
export async function goProgram(name: keyof typeof PROGRAMS): Promise<string> {
  const source: GoProgram = PROGRAMS[name];
  const folder = join(TEST_CACHE, 'engines');
  const program = join(folder, `${name}-${source.version}`);
  if (await isThere(program)) return program;
  const module = join(folder, `${name}-module`);
  await mkdir(module, { recursive: true });
  const replaced = Object.entries(source.replace ?? {}).map(([from, to]) => `replace ${from} => ${to}`);
  // a go.mod without its `go` line is read as an old one, whose modules choose other versions
  const lines = ['module larder.test/program', 'go 1.25', `require ${source.module} ${source.version}`, ...replaced];
  await writeFile(join(module, 'go.mod'), `${lines.join('\n\n')}\n`);
  const env = { ...process.env, GOFLAGS: '-buildvcs=false -mod=mod' };
  // two that build at once each have a file of their own
  const built = `${program}.${process.pid}`;
  const args = ['build', '-ldflags=-s -w', '-o', built, source.package];
  await run('go', args, { cwd: module, env, timeout: LIMIT, maxBuffer: 64 << 20 });
  await rename(built, program);
  return program;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
