/** A CPython on a platform. */
export interface Interpreter {
  /** 3.`minor` */
  minor: number;
  /** Built without the global lock (`cp313t`). */
  freeThreaded: boolean;
  /** `manylinux_2_28_x86_64`, `musllinux_1_2_aarch64`, `macosx_14_0_arm64`, `win_amd64`. */
  platform: string;
}

/**
 * The wheel tags that an interpreter takes, those it prefers first: what `packaging.tags`, and with it pip, makes of it
 * (https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/).
 */
export function compatibleTags({ minor, freeThreaded, platform }: Interpreter): string[] {
  const interpreter = `cp3${minor}`;
  const stable = freeThreaded ? 'abi3t' : 'abi3';
  const pure = [`py3${minor}`, 'py3', ...below(minor, 0).map((older) => `py3${older}`)];
  const onPlatforms = [
    `${interpreter}-${interpreter}${freeThreaded ? 't' : ''}`,
    `${interpreter}-${stable}`,
    `${interpreter}-none`,
    // the stable ABI came with 3.2
    ...below(minor, 2).map((older) => `cp3${older}-${stable}`),
    ...pure.map((python) => `${python}-none`),
  ];
  const platforms = platformTags(platform);
  return [
    ...onPlatforms.flatMap((pair) => platforms.map((name) => `${pair}-${name}`)),
    ...[interpreter, ...pure].map((python) => `${python}-none-any`),
  ];
}

/** Numbers below `from`, downwards to `to`. */
function below(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, from - to) }, (_, index) => from - 1 - index);
}

/** A platform and all older ones whose binaries run on it. */
export function platformTags(platform: string): string[] {
  const linux = /^(manylinux_2|musllinux_1)_(\d+)_(.+)$/.exec(platform);
  if (linux?.[1] === 'manylinux_2') return manylinux(Number(linux[2]), linux[3]!);
  if (linux) return musllinux(Number(linux[2]), linux[3]!);
  const mac = /^macosx_(\d+)_(\d+)_(.+)$/.exec(platform);
  return mac ? macosx(Number(mac[1]), Number(mac[2]), mac[3]!) : [platform];
}

/** PEP 600, each with the name that it had before. */
function manylinux(glibc: number, machine: string): string[] {
  const oldest = machine === 'x86_64' || machine === 'i686' ? 5 : 17;
  const older: Record<number, string> = { 17: 'manylinux2014', 12: 'manylinux2010', 5: 'manylinux1' };
  const tags = below(glibc + 1, oldest).flatMap((minor) => [
    `manylinux_2_${minor}_${machine}`,
    ...(older[minor] ? [`${older[minor]}_${machine}`] : []),
  ]);
  return [`linux_${machine}`, ...tags];
}

/** PEP 656. */
function musllinux(musl: number, machine: string): string[] {
  return [`linux_${machine}`, ...below(musl + 1, 0).map((minor) => `musllinux_1_${minor}_${machine}`)];
}

/** Since macOS 11 each year has a major version; before, a minor one of 10. Old binaries ran on Intel alone. */
function macosx(major: number, minor: number, machine: string): string[] {
  const formats = [machine, ...(machine === 'x86_64' ? ['intel', 'fat64', 'fat3'] : []), 'universal2'];
  if (machine === 'x86_64') formats.push('universal');
  const all = (version: string) => formats.map((format) => `macosx_${version}_${format}`);
  if (major === 10) return below(minor + 1, 4).flatMap((older) => all(`10_${older}`));
  return [
    ...below(major + 1, 11).flatMap((older) => all(`${older}_0`)),
    ...below(17, 4).flatMap((older) => (machine === 'x86_64' ? all(`10_${older}`) : [`macosx_10_${older}_universal2`])),
  ];
}
