import { z } from 'zod';
import type { MarkerEnvironment } from './markers.ts';

/** A Python on a platform, as a manifest names it. */
export const targetSchema = z.strictObject({
  version: z.coerce.string().regex(/^3\.\d+(\.\d+)?t?$/, 'a version like 3.12, 3.12.4 or 3.13t (free-threaded)'),
  platform: z
    .string()
    .regex(
      /^(manylinux_2_\d+|musllinux_1_\d+|macosx_\d+_\d+|win)_(x86_64|aarch64|i686|ppc64le|s390x|armv7l|riscv64|arm64|amd64)$|^win32$/,
      'a platform tag like manylinux_2_28_x86_64, musllinux_1_2_aarch64, macosx_14_0_arm64 or win_amd64',
    ),
});

/** A target with all that choosing files needs. */
export interface Target {
  /** `cp312 x86_64`: how messages name it. */
  name: string;
  /** `cp312-manylinux_2_28_x86_64`: how a bundle names it. */
  id: string;
  version: string;
  platform: string;
  environment: MarkerEnvironment;
  /** Wheel tags it takes, the best first. */
  tags: ReadonlyMap<string, number>;
}

/** Where `uv` and markers differ on what a platform is called. */
const SYSTEMS = {
  linux: { os_name: 'posix', sys_platform: 'linux', platform_system: 'Linux' },
  macosx: { os_name: 'posix', sys_platform: 'darwin', platform_system: 'Darwin' },
  win: { os_name: 'nt', sys_platform: 'win32', platform_system: 'Windows' },
} as const;

export function makeTarget({ version, platform }: z.infer<typeof targetSchema>): Target {
  const free = version.endsWith('t');
  const [major, minor, patch] = version.replace('t', '').split('.');
  const short = `${major}.${minor}`;
  const machine =
    platform === 'win32' ? 'x86' : platform.replace(/^(manylinux_2_\d+|musllinux_1_\d+|macosx_\d+_\d+|win)_/, '');
  const system = platform.startsWith('mac') ? 'macosx' : platform.startsWith('win') ? 'win' : 'linux';
  const interpreter = `cp${major}${minor}`;
  const values = {
    ...SYSTEMS[system],
    platform_machine: machine === 'amd64' ? 'AMD64' : machine,
    platform_python_implementation: 'CPython',
    implementation_name: 'cpython',
    python_version: short,
    // without a patch the first of the line: conditions on patches then ask for more, never for less
    python_full_version: `${short}.${patch ?? 0}`,
    implementation_version: `${short}.${patch ?? 0}`,
    platform_release: '',
    platform_version: '',
  };
  return {
    name: `${interpreter}${free ? 't' : ''} ${machine}${platform.startsWith('musl') ? ' musl' : ''}${system === 'linux' ? '' : ` ${SYSTEMS[system].platform_system}`}`,
    id: `${interpreter}${free ? 't' : ''}-${platform}`,
    version,
    platform,
    environment: { values },
    tags: tagsOf(Number(minor), free, platformsOf(platform)),
  };
}

/** https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/ — in the order installers prefer. */
function tagsOf(minor: number, free: boolean, platforms: readonly string[]): Map<string, number> {
  const tags: string[] = [];
  const interpreter = `cp3${minor}`;
  const abi = free ? `${interpreter}t` : interpreter;
  for (const platform of platforms) tags.push(`${interpreter}-${abi}-${platform}`);
  if (!free) for (const platform of platforms) tags.push(`${interpreter}-abi3-${platform}`);
  for (const platform of platforms) tags.push(`${interpreter}-none-${platform}`);
  if (!free)
    for (let older = minor - 1; older >= 2; older -= 1)
      for (const platform of platforms) tags.push(`cp3${older}-abi3-${platform}`);
  const generic = [`py3${minor}`, 'py3', ...Array.from({ length: minor }, (_, index) => `py3${minor - 1 - index}`)];
  for (const python of generic) for (const platform of platforms) tags.push(`${python}-none-${platform}`);
  tags.push(`${interpreter}-none-any`);
  for (const python of generic) tags.push(`${python}-none-any`);
  return new Map([...new Set(tags)].map((tag, index) => [tag, index]));
}

function platformsOf(platform: string): string[] {
  const linux = /^(manylinux_2|musllinux_1)_(\d+)_(.+)$/.exec(platform);
  if (linux)
    return linux[1] === 'manylinux_2' ? manylinux(Number(linux[2]), linux[3]!) : musllinux(Number(linux[2]), linux[3]!);
  const mac = /^macosx_(\d+)_(\d+)_(.+)$/.exec(platform);
  return mac ? macosx(Number(mac[1]), Number(mac[2]), mac[3]!) : [platform];
}

/** PEP 600, with the names of before it. */
function manylinux(glibc: number, machine: string): string[] {
  const oldest = machine === 'x86_64' || machine === 'i686' ? 5 : 17;
  const legacy: Record<number, string> = { 17: 'manylinux2014', 12: 'manylinux2010', 5: 'manylinux1' };
  const tags: string[] = [];
  for (let minor = glibc; minor >= oldest; minor -= 1) {
    tags.push(`manylinux_2_${minor}_${machine}`);
    if (legacy[minor]) tags.push(`${legacy[minor]}_${machine}`);
  }
  return [...tags, `linux_${machine}`];
}

function musllinux(musl: number, machine: string): string[] {
  return [
    ...Array.from({ length: musl + 1 }, (_, index) => `musllinux_1_${musl - index}_${machine}`),
    `linux_${machine}`,
  ];
}

function macosx(major: number, minor: number, machine: string): string[] {
  const binaries =
    machine === 'arm64' ? ['arm64', 'universal2'] : ['x86_64', 'intel', 'fat64', 'fat3', 'universal2', 'universal'];
  const tags: string[] = [];
  for (let version = major; version >= 11; version -= 1)
    for (const binary of binaries) tags.push(`macosx_${version}_0_${binary}`);
  const newest10 = major >= 11 ? 16 : minor;
  for (let version = newest10; version >= 4; version -= 1) {
    for (const binary of machine === 'arm64' ? ['universal2'] : binaries) tags.push(`macosx_10_${version}_${binary}`);
  }
  return tags;
}

/** How well a wheel fits: 0 is best; undefined when it does not. Compressed tag sets are spread (PEP 425). */
export function fitOf(filename: string, target: Target): number | undefined {
  const parts = filename.slice(0, -'.whl'.length).split('-');
  const [pythons, abis, platforms] = parts.slice(-3).map((part) => part.split('.'));
  let best: number | undefined;
  for (const python of pythons!) {
    for (const abi of abis!) {
      for (const platform of platforms!) {
        const rank = target.tags.get(`${python}-${abi}-${platform}`);
        if (rank !== undefined && (best === undefined || rank < best)) best = rank;
      }
    }
  }
  return best;
}
