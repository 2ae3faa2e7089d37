import { z } from 'zod';

/** What npm calls a machine: `process.platform`, `process.arch`, and the C library of a Linux. */
export interface Target {
  os: string;
  cpu: string;
  /** Of Linux alone. */
  libc?: string;
  /** `linux/x64/glibc`, for messages and lists. */
  name: string;
}

/** Where a version can be installed, as its package.json says it: names, or names that are not meant (`!win32`). */
export interface Platforms {
  os?: readonly string[];
  cpu?: readonly string[];
  libc?: readonly string[];
}

const SYSTEMS = [
  'aix',
  'android',
  'cygwin',
  'darwin',
  'freebsd',
  'haiku',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const CPUS = [
  ...['arm', 'arm64', 'ia32', 'loong64', 'mips', 'mips64el', 'mipsel', 'ppc', 'ppc64', 'riscv64', 's390', 's390x'],
  ...['wasm32', 'x64'],
];
const LIBCS = ['glibc', 'musl'];

/** What others call them. */
const MEANT: Record<string, string> = {
  ...{ windows: 'win32', win: 'win32', macos: 'darwin', mac: 'darwin', osx: 'darwin' },
  ...{ amd64: 'x64', x86_64: 'x64', aarch64: 'arm64', armv7: 'arm', x86: 'ia32', i686: 'ia32', gnu: 'glibc' },
};

/** A word of a list, or what is right instead. */
function word(what: string, known: readonly string[]) {
  return z.string().superRefine((value, problems) => {
    if (known.includes(value)) return;
    const meant = MEANT[value.toLowerCase()];
    const right = meant && known.includes(meant) ? `npm writes "${meant}"` : `known: ${known.join(', ')}`;
    problems.addIssue(`"${value.slice(0, 40)}" is no ${what}; ${right}`);
  });
}

const parts = z
  .strictObject({
    os: word('os', SYSTEMS),
    cpu: word('cpu', CPUS),
    libc: word('libc', LIBCS).optional(),
  })
  .refine(({ os, libc }) => os === 'linux' || libc === undefined, 'only linux has a libc to choose')
  .transform(({ os, cpu, libc }): Target => {
    if (os !== 'linux') return { os, cpu, name: `${os}/${cpu}` };
    const family = libc ?? 'glibc';
    return { os, cpu, libc: family, name: `${os}/${cpu}/${family}` };
  });

/** Every machine there is, for clients that ask for the builds of all of them. */
const EVERYTHING: Target = { os: 'any', cpu: 'any', libc: 'any', name: 'all' };

export function isEverything(target: Target): boolean {
  return target.name === EVERYTHING.name;
}

/**
 * `linux/x64/glibc`, `linux-arm64-musl`, `darwin/arm64`, or an object of the three; a Linux without a libc has glibc.
 * `all` is every machine.
 */
export const targetSchema = z.unknown().transform((value, problems) => {
  if (value === EVERYTHING.name) return EVERYTHING;
  const parsed = parts.safeParse(typeof value === 'string' ? split(value) : value);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues) problems.addIssue({ code: 'custom', path: [...path], message });
  return z.NEVER;
});

function split(text: string): Record<string, string | undefined> {
  const [os, cpu, libc, ...more] = text.split(/[/-]/);
  return { os, cpu, libc, ...(more.length > 0 ? { [more.join('/')]: '' } : {}) };
}

/** True where npm would install it ("os", "cpu" and "libc" of package.json, as npm-install-checks reads them). */
export function runsOn({ os, cpu, libc }: Platforms, target: Target): boolean {
  if (isEverything(target)) return true;
  if (libc && !target.libc) return false;
  return allows(os, target.os) && allows(cpu, target.cpu) && allows(libc, target.libc ?? '');
}

/** None of those that are not meant, and one of those that are, where there are any. */
function allows(list: readonly string[] | undefined, value: string): boolean {
  if (!list || (list.length === 1 && list[0] === 'any')) return true;
  const meant = list.filter((entry) => !entry.startsWith('!'));
  if (list.includes(`!${value}`)) return false;
  return meant.includes(value) || meant.length === 0;
}

/** The three lists of a package.json, or of a lock's entry. Undefined when it runs anywhere. */
export function platformsOf(manifest: Record<string, unknown>): Platforms | undefined {
  const { os, cpu, libc } = manifest;
  const lists = { os: listOf(os), cpu: listOf(cpu), libc: listOf(libc) };
  return lists.os || lists.cpu || lists.libc ? lists : undefined;
}

function listOf(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return undefined;
  return value.filter((entry) => typeof entry === 'string');
}

/** `os: linux, cpu: x64 or arm64`, for messages. */
export function shownPlatforms({ os, cpu, libc }: Platforms): string {
  return Object.entries({ os, cpu, libc })
    .filter(([, list]) => list)
    .map(([key, list]) => `${key}: ${list!.join(' or ')}`)
    .join(', ');
}
