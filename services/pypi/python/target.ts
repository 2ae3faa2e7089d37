import { z } from 'zod';
import type { MarkerEnvironment } from './markers.ts';
import { compatibleTags } from './tags.ts';
import { parseWheelName } from './wheel-name.ts';

const PLATFORM =
  /^(?:(?:manylinux_2_\d+|musllinux_1_\d+)_(?:x86_64|aarch64|i686|armv7l|ppc64le|s390x|riscv64|loongarch64)|macosx_\d+_\d+_(?:x86_64|arm64)|win32|win_amd64|win_arm64)$/;
const OLD_MANYLINUX: Record<string, string> = {
  manylinux1: 'manylinux_2_5',
  manylinux2010: 'manylinux_2_12',
  manylinux2014: 'manylinux_2_17',
};

/** A Python on a platform, as a manifest names it. */
export const targetSchema = z.strictObject({
  version: z
    .union([z.string(), z.number().transform(String)])
    // YAML reads 3.10 as the number 3.1
    .refine((text) => !/^3\.[1-6]$/.test(text), 'a version like "3.12"; in quotes, since 3.10 without them is 3.1')
    .refine((text) => /^3\.\d+(\.\d+)?t?$/.test(text), 'a version like "3.12", "3.12.4" or "3.13t" (free-threaded)'),
  platform: z
    .string()
    .transform((text) => text.replace(/^manylinux(1|2010|2014)(?=_)/, (old) => OLD_MANYLINUX[old]!))
    .refine(
      (text) => PLATFORM.test(text),
      'a platform tag like manylinux_2_28_x86_64, musllinux_1_2_aarch64, macosx_14_0_arm64 or win_amd64',
    ),
});
export type TargetName = z.infer<typeof targetSchema>;

/** A target with all that choosing files needs. */
export interface Target {
  /** `cp312 x86_64`: how messages name it. */
  name: string;
  /** `cp312-manylinux_2_28_x86_64`: how a bundle names it. */
  id: string;
  version: string;
  platform: string;
  environment: MarkerEnvironment;
  /** Wheel tags it takes, with their rank: 0 is the best. */
  tags: ReadonlyMap<string, number>;
}

const SYSTEMS = {
  linux: { os_name: 'posix', sys_platform: 'linux', platform_system: 'Linux' },
  macosx: { os_name: 'posix', sys_platform: 'darwin', platform_system: 'Darwin' },
  win: { os_name: 'nt', sys_platform: 'win32', platform_system: 'Windows' },
} as const;
/** What `platform.machine()` says where it is not the end of the platform tag. */
const MACHINES: Record<string, string> = { win32: 'x86', win_amd64: 'AMD64', win_arm64: 'ARM64' };

export function makeTarget({ version, platform }: TargetName): Target {
  const freeThreaded = version.endsWith('t');
  const [, minor, patch] = version.replace('t', '').split('.');
  const machine = platform.replace(/^(manylinux_2|musllinux_1|macosx_\d+)_\d+_|^win_/, '');
  const system = platform.startsWith('mac') ? 'macosx' : platform.startsWith('win') ? 'win' : 'linux';
  const python = `cp3${minor}${freeThreaded ? 't' : ''}`;
  // without a patch the first of the line, as uv has it: what asks for a later one is not taken to hold
  const fullVersion = `3.${minor}.${patch ?? 0}`;
  const where = platform.startsWith('musl') ? ' musl' : system === 'linux' ? '' : ` ${SYSTEMS[system].platform_system}`;
  return {
    name: `${python} ${machine}${where}`,
    id: `${python}-${platform}`,
    version,
    platform,
    environment: {
      values: {
        ...SYSTEMS[system],
        platform_machine: MACHINES[platform] ?? machine,
        platform_python_implementation: 'CPython',
        platform_release: '',
        platform_version: '',
        implementation_name: 'cpython',
        implementation_version: fullVersion,
        python_version: `3.${minor}`,
        python_full_version: fullVersion,
      },
    },
    tags: new Map(compatibleTags({ minor: Number(minor), freeThreaded, platform }).map((tag, rank) => [tag, rank])),
  };
}

/** How well a wheel fits: 0 is best; undefined when it does not. */
export function fitOf(filename: string, target: Target): number | undefined {
  const ranks = (parseWheelName(filename)?.tags ?? []).map((tag) => target.tags.get(tag));
  const fitting = ranks.filter((rank) => rank !== undefined);
  return fitting.length > 0 ? Math.min(...fitting) : undefined;
}
