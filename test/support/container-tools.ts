import { access, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Ran, runCommand, TEST_CACHE } from './python-clients.ts';

const FOLDER = join(TEST_CACHE, 'containers');
/** Debian's own: programs of the same name may come earlier in the PATH. */
const PLACES = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'];

/** Programs of Debian's packages, of S3 as well as of containers, which `.ci/container-tools.sh` installs. */
type Packaged =
  | 'skopeo'
  | 'podman'
  | 'buildah'
  | 'crun'
  | 'runc'
  | 'containerd'
  | 'ctr'
  | 'docker'
  | 'dockerd'
  | 'docker-registry'
  | 'busybox'
  // version 2 of the CLI; the first one comes by pip
  | 'aws'
  | 'rclone'
  | 's3cmd'
  | 's3fs';

/** What the Go toolchain builds; under `newest/` what Debian has in an older version. */
const MODULES = {
  crane: 'github.com/google/go-containerregistry/cmd/crane@v0.22.1',
  oras: 'oras.land/oras/cmd/oras@v1.3.6',
  regctl: 'github.com/regclient/regclient/cmd/regctl@v0.11.7',
  mc: 'github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9',
  helm: 'helm.sh/helm/v4/cmd/helm@v4.3.1',
  cosign: 'github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3',
  'newest/containerd': 'github.com/containerd/containerd/v2/cmd/containerd@v2.4.2',
  'newest/ctr': 'github.com/containerd/containerd/v2/cmd/ctr@v2.4.2',
  'newest/containerd-shim-runc-v2': 'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@v2.4.2',
  // Debian's does not know all that they ask of it
  'newest/runc': 'github.com/opencontainers/runc@v1.5.2',
  // version 29, as its repository counts since it is a module
  'newest/dockerd': 'github.com/moby/moby/v2/cmd/dockerd@v2.0.0-beta.24',
  'newest/docker': 'github.com/docker/cli/cmd/docker@v29.7.2+incompatible',
};
type Built = keyof typeof MODULES;

/** Folder for a PATH with the newest of these daemons, their client and all that they start. */
export async function newestDaemon(daemon: 'docker' | 'containerd'): Promise<string> {
  const started: Built[] = ['newest/containerd', 'newest/ctr', 'newest/containerd-shim-runc-v2', 'newest/runc'];
  const all: Built[] = daemon === 'docker' ? ['newest/dockerd', 'newest/docker', ...started] : started;
  for (const name of all) await built(name);
  return join(FOLDER, 'newest');
}

export type ContainerTool = Packaged | Built;

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Where a program of the container world is: what Debian has, from its package; the others built once and kept.
 * @throws for one that is not installed, with what installs it
 */
export async function containerTool(name: ContainerTool): Promise<string> {
  if (name in MODULES) return built(name as Built);
  for (const place of PLACES) if (await isThere(join(place, name))) return join(place, name);
  throw new Error(`${name} is not installed: .ci/container-tools.sh does it`);
}

/** One build at a time: each uses all of a machine. */
let building: Promise<unknown> = Promise.resolve();

function built(name: Built): Promise<string> {
  const turn = building.then(() => build(name));
  building = turn.catch(() => {});
  return turn;
}

async function build(name: Built): Promise<string> {
  const program = join(FOLDER, name);
  if (await isThere(program)) return program;
  await mkdir(dirname(program), { recursive: true });
  const [path, version] = MODULES[name].split('@') as [string, string];
  if (version.endsWith('+incompatible')) await buildVendored(path, version, program);
  else await go(['install', ...FLAGS, MODULES[name]], { GOBIN: dirname(program), ...(IN_C.has(name) ? CGO : {}) });
  return program;
}

/** Those with parts in C. The others do without, which is quicker. */
const IN_C = new Set<Built>(['newest/runc']);
const CGO = { CGO_ENABLED: '1' };
const FLAGS = ['-ldflags=-s -w'];

/** From before modules: what it needs stands in `vendor.mod`, which the toolchain is told to take for its own. */
async function buildVendored(path: string, version: string, program: string): Promise<void> {
  const module = path.split('/').slice(0, 3).join('/');
  const { stdout } = await go(['mod', 'download', '-json', `${module}@${version}`]);
  const folder = await mkdtemp(join(tmpdir(), 'larder-build-'));
  try {
    const source = join(folder, basename(module));
    await cp((JSON.parse(stdout) as { Dir: string }).Dir, source, { recursive: true });
    await rm(join(source, 'vendor'), { recursive: true, force: true });
    for (const name of await readdir(source))
      if (name.startsWith('vendor.')) await rename(join(source, name), join(source, name.replace('vendor', 'go')));
    await go(['build', ...FLAGS, '-o', program, `./${path.slice(module.length + 1)}`], {}, source);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function go(args: string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Ran> {
  const PATH = `${process.env.PATH}:/usr/local/go/bin`;
  const all = { ...process.env, PATH, GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0', ...env };
  const ran = await runCommand('go', args, { env: all, cwd, timeout: 1_500_000 });
  if (ran.code !== 0) throw new Error(`go ${args.join(' ')} failed:\n${ran.stderr.slice(-4000)}`);
  return ran;
}
