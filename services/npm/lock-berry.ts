import { z } from 'zod';
import { flagsIn, guessedRoots, type Node, type Roots } from './lock-graph.ts';
import { decoded, strangerOf } from './lock-sources.ts';
import type { Project } from './lock-yarn.ts';
import { isPackageName, isVersion } from './package-name.ts';
import type { Platforms } from './targets.ts';
import { type Lock, LockedSet, wrongLock } from './wishes.ts';

const names = z.record(z.string(), z.string()).optional();
const entry = z.looseObject({
  version: z.string().optional(),
  resolution: z.string(),
  dependencies: names,
  dependenciesMeta: z.record(z.string(), z.looseObject({ optional: z.string().optional() })).optional(),
  conditions: z.string().optional(),
});
type Entry = z.infer<typeof entry>;

/** Places of a project itself: nothing is fetched for them. */
const OWN = /^(workspace|link|portal|virtual|exec|file):/;

/**
 * `yarn.lock` of yarn 2 and later. Its checksums are of archives that yarn makes itself, and say nothing of a tarball;
 * `conditions` say where a version runs.
 */
export function readBerryLock(table: Record<string, unknown>, file: string, projects: readonly Project[]): Lock {
  const { __metadata: _, ...entries } = table;
  const parsed = z.record(z.string(), entry).safeParse(entries);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw wrongLock(file, `${path.join('.')}: ${message}`);
  }
  const all = Object.entries(parsed.data);
  const nodes = new Map<string, Node>();
  for (const [key, one] of all) for (const id of idsOf(key)) nodes.set(id, edgesOf(one));
  const flags = flagsIn(nodes, rootsOf(nodes, all, projects));
  const patched = new Set(all.map(([, one]) => sourceOfPatch(one.resolution)));
  const found = new LockedSet();
  const strangers: string[] = [];
  for (const [key, one] of all) {
    const { name, reference } = resolved(one.resolution);
    // what is patched stands there as itself, too
    if (reference.startsWith('patch:') || isOwn(reference)) continue;
    const version = /^npm:([^:]+)/.exec(reference)?.[1] ?? '';
    if (!isPackageName(name) || !isVersion(version)) {
      strangers.push(strangerOf(name, reference));
      continue;
    }
    const platforms = platformsIn(one.conditions);
    const everywhere = one.conditions === undefined || patched.has(bare(one.resolution));
    const more = { ...(platforms ? { platforms } : {}), ...(everywhere ? { everywhere } : {}) };
    const locked = { name, version, integrity: [], ...more, why: file };
    for (const id of idsOf(key)) found.add({ ...locked, ...flags(id) });
  }
  return { file, kind: 'berry', packages: found.list(), strangers };
}

function idsOf(key: string): string[] {
  return key.split(/,\s*/);
}

/** `react@npm:19.0.0`, `@s/n@patch:…`. */
function resolved(resolution: string): { name: string; reference: string } {
  const at = resolution.indexOf('@', 1);
  return { name: resolution.slice(0, at), reference: resolution.slice(at + 1) };
}

/** `fsevents@npm:2.3.3` of its patch: yarn makes the patched one on every platform. */
function sourceOfPatch(resolution: string): string | undefined {
  const [, source] = /@patch:([^#]+)#/.exec(resolution) ?? [];
  return source && bare(decoded(source));
}

/** Without the address of an archive: `tool@npm:5.0.0::__archiveUrl=…`. */
function bare(resolution: string): string {
  return resolution.split('::')[0]!;
}

/** A tarball that lies beside the project is no part of it that a registry could have. */
function isOwn(reference: string): boolean {
  return OWN.test(reference) && !/^file:[^:#]*\.t(ar\.)?gz(::|#|$)/.test(reference);
}

function edgesOf({ dependencies = {}, dependenciesMeta = {} }: Entry): Node {
  const node = { needs: [] as string[], mayHave: [] as string[] };
  for (const [name, range] of Object.entries(dependencies)) {
    const edges = dependenciesMeta[name]?.optional === 'true' ? node.mayHave : node.needs;
    // older locks leave the protocol out where it is npm's
    edges.push(`${name}@${range}`, `${name}@npm:${range}`);
  }
  return node;
}

/** The workspaces are in the lock; which of what they need is for development, only a package.json says. */
function rootsOf(
  nodes: ReadonlyMap<string, Node>,
  all: readonly [string, Entry][],
  projects: readonly Project[],
): Roots {
  const own = all.filter(([, one]) => /^workspace:/.test(resolved(one.resolution).reference));
  if (own.length === 0) return guessedRoots(nodes);
  const ids = own.flatMap(([key]) => idsOf(key));
  if (projects.length === 0) return { needs: ids, mayHave: [], dev: [] };
  const isDev = new Set(projects.flatMap(({ devDependencies = {} }) => Object.keys(devDependencies)));
  for (const one of projects)
    for (const name of [...Object.keys(one.dependencies ?? {}), ...Object.keys(one.optionalDependencies ?? {})])
      isDev.delete(name);
  const edges = own.map(([, one]) => edgesOf(one));
  const split = (list: readonly string[], dev: boolean) =>
    list.filter((id) => isDev.has(id.slice(0, id.indexOf('@', 1))) === dev);
  const needs = edges.flatMap((edge) => edge.needs);
  return { needs: split(needs, false), mayHave: edges.flatMap((edge) => edge.mayHave), dev: split(needs, true) };
}

/** `os=linux & (cpu=x64 | cpu=arm64) & libc=glibc`, as yarn writes what a package.json says; undefined for all else. */
function platformsIn(conditions: string | undefined): Platforms | undefined {
  if (conditions === undefined) return undefined;
  const lists: Record<string, string[]> = {};
  for (const part of conditions.split('&')) {
    for (const token of part
      .trim()
      .replace(/^\((.*)\)$/, '$1')
      .split('|')) {
      const [, not, key, value] = /^\s*(!?)(os|cpu|libc)=([a-z0-9_-]+)\s*$/i.exec(token) ?? [];
      if (key === undefined) return undefined;
      lists[key] = [...(lists[key] ?? []), `${not}${value}`];
    }
  }
  return lists;
}
