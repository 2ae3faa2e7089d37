import { parseSyml } from '@yarnpkg/parsers';
import { z } from 'zod';
import { flagsIn, guessedRoots, type Node, type Roots } from './lock-graph.ts';
import { packageOfTarball, strangerOf } from './lock-sources.ts';
import { isPackageName, isVersion } from './package-name.ts';
import { type Lock, LockedSet, wrongLock } from './wishes.ts';

const names = z.record(z.string(), z.string()).optional();
const entry = z.looseObject({
  version: z.string(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  dependencies: names,
  optionalDependencies: names,
});

/** The parts of a package.json that say where a project starts. */
export const projectSchema = z.looseObject({
  dependencies: names,
  devDependencies: names,
  optionalDependencies: names,
});
export type Project = z.infer<typeof projectSchema>;

/** What parses as either kind of `yarn.lock`. */
export function parseYarnLock(text: string, file: string): Record<string, unknown> {
  try {
    return parseSyml(text) as Record<string, unknown>;
  } catch (error) {
    throw wrongLock(file, `it is no lock of yarn: ${(error as Error).message.split('\n')[0]}`);
  }
}

/**
 * `yarn.lock` of yarn 1 (https://github.com/yarnpkg/yarn/tree/master/src/lockfile): it tells neither where a version runs nor
 * what is for development. Yarn fetches all of it, wherever it is; the second is in the project's package.json.
 */
export function readYarnLock(table: Record<string, unknown>, file: string, projects: readonly Project[]): Lock {
  const parsed = z.record(z.string(), entry).safeParse(table);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw wrongLock(file, `${path.join('.')}: ${message}`);
  }
  const entries = Object.entries(parsed.data);
  const nodes = new Map<string, Node>();
  for (const [key, one] of entries) for (const id of idsOf(key)) nodes.set(id, edgesOf(one));
  const flags = flagsIn(nodes, projects.length > 0 ? rootsOf(projects) : guessedRoots(nodes));
  const found = new LockedSet();
  const strangers: string[] = [];
  for (const [key, one] of entries) {
    const { resolved, version, integrity } = one;
    const address = resolved?.replace(/#[^#]*$/, '');
    const name = registryName(key, address);
    if (name === undefined || !isVersion(version)) {
      // a folder of the project itself has no address
      if (resolved !== undefined) strangers.push(strangerOf(nameIn(idsOf(key)[0]!), resolved));
      continue;
    }
    const promised = integrity ? [integrity] : shasum(resolved);
    for (const id of idsOf(key))
      found.add({ name, version, integrity: promised, ...flags(id), everywhere: true, why: file });
  }
  return { file, kind: 'yarn', packages: found.list(), strangers };
}

/** `"a@^1.0.0, a@^1.1.0"`: every range that came to this version. */
function idsOf(key: string): string[] {
  return key.split(/,\s*/);
}

/** `a` of `a@^1.0.0`, `@b/c` of `@b/c@1`. */
function nameIn(id: string): string {
  return id.slice(0, id.indexOf('@', 1));
}

/** The name that the registry knows: of the address where there is one, since names may be given anew (`npm:`). */
function registryName(key: string, address: string | undefined): string | undefined {
  if (address !== undefined && /^https?:/i.test(address)) return packageOfTarball(address);
  const [id] = idsOf(key);
  const range = id!.slice(nameIn(id!).length + 1);
  const name = /^npm:((?:@[^/]+\/)?[^@/]+)/.exec(range)?.[1] ?? nameIn(id!);
  // without an address, or with the bare file name of an offline mirror
  const isPlain =
    address === undefined ? !/^(file|link|portal|workspace):|^\.{0,2}\//.test(range) : /^[^/:]+\.tgz$/.test(address);
  return isPlain && isPackageName(name) ? name : undefined;
}

/** `…/a-1.0.0.tgz#<sha1>`: all that old ones promise. */
function shasum(resolved: string | undefined): string[] {
  const hex = /#([0-9a-f]{40})$/.exec(resolved ?? '')?.[1];
  return hex ? [`sha1-${Buffer.from(hex, 'hex').toString('base64')}`] : [];
}

function edgesOf({
  dependencies = {},
  optionalDependencies = {},
}: Pick<Project, 'dependencies' | 'optionalDependencies'>): Node {
  const needed = Object.entries(dependencies).filter(([name]) => !(name in optionalDependencies));
  return { needs: needed.map(toId), mayHave: Object.entries(optionalDependencies).map(toId) };
}

function rootsOf(projects: readonly Project[]): Roots {
  const edges = projects.map(edgesOf);
  return {
    needs: edges.flatMap(({ needs }) => needs),
    mayHave: edges.flatMap(({ mayHave }) => mayHave),
    dev: projects.flatMap(({ devDependencies = {} }) => Object.entries(devDependencies).map(toId)),
  };
}

function toId([name, range]: [string, string]): string {
  return `${name}@${range}`;
}
