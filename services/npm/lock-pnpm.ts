import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { type Flags, flagsIn, type Node } from './lock-graph.ts';
import { packageOfTarball, strangerOf } from './lock-sources.ts';
import { isPackageName, isVersion } from './package-name.ts';
import { platformsOf } from './targets.ts';
import { type Lock, LockedSet, wrongLock } from './wishes.ts';

const names = z.record(z.string(), z.unknown()).nullish();
const resolution = z.looseObject({
  integrity: z.string().optional(),
  tarball: z.string().optional(),
  type: z.string().optional(),
  repo: z.string().optional(),
});
const entry = z.looseObject({
  resolution: resolution.optional(),
  name: z.string().optional(),
  version: z.string().optional(),
  dev: z.boolean().optional(),
  optional: z.boolean().optional(),
});
type Entry = z.infer<typeof entry>;
const importer = z.looseObject({ dependencies: names, devDependencies: names, optionalDependencies: names });
const snapshot = z.looseObject({ dependencies: names, optionalDependencies: names }).nullish();
const schema = z.looseObject({
  lockfileVersion: z.union([z.number(), z.string()]).transform(String),
  importers: z.record(z.string(), importer).optional(),
  packages: z.record(z.string(), entry).nullish(),
  snapshots: z.record(z.string(), snapshot).nullish(),
});
type Document = z.infer<typeof schema>;

/** `pnpm-lock.yaml`, lockfileVersion 5 to 9 (https://github.com/pnpm/spec/tree/master/lockfile). */
export function readPnpmLock(text: string, file: string): Lock {
  const found = new LockedSet();
  const strangers = new Set<string>();
  // newer ones keep what pnpm itself needs in a document of its own, before the project's
  for (const document of documentsOf(text, file)) {
    const major = Number.parseInt(document.lockfileVersion, 10);
    if (!(major >= 5 && major <= 9))
      throw wrongLock(file, `its lockfileVersion is ${document.lockfileVersion}; 5 to 9 can be read`);
    const flagsFor = major >= 9 ? flagsOfGraph(document) : flagsOfEntry;
    for (const [key, one] of Object.entries(document.packages ?? {})) {
      const id = idIn(key, one, major);
      // a folder of the project itself
      if (one.resolution?.type === 'directory') continue;
      const address = addressOf(one) ?? (isVersion(id.version) ? undefined : id.version);
      if (address !== undefined || !isPackageName(id.name)) {
        strangers.add(strangerOf(id.name, address ?? key));
        continue;
      }
      const { integrity } = one.resolution ?? {};
      const platforms = platformsOf(one);
      found.add({
        ...id,
        integrity: integrity ? [integrity] : [],
        ...flagsFor(key, one),
        ...(platforms ? { platforms } : {}),
        why: file,
      });
    }
  }
  return { file, kind: 'pnpm', packages: found.list(), strangers: [...strangers] };
}

function documentsOf(text: string, file: string): Document[] {
  const documents = parseAllDocuments(text, { uniqueKeys: false });
  if (documents.length === 0) throw wrongLock(file, 'it is empty');
  return documents.map((one) => {
    if (one.errors[0]) throw wrongLock(file, `it is not YAML: ${one.errors[0].message.split('\n')[0]}`);
    const parsed = schema.safeParse(one.toJS({ maxAliasCount: 100 }));
    if (parsed.success) return parsed.data;
    const { path, message } = parsed.error.issues[0]!;
    throw wrongLock(file, `${path.join('.') || 'it'}: ${message}`);
  });
}

/**
 * 9: `name@1.0.0`; 6 to 8: `/name@1.0.0(peer@1.0.0)`; 5: `/name/1.0.0_peer@1.0.0`. Before the slash may stand the host
 * of a registry that is not the usual one.
 */
function idIn(key: string, one: Entry, major: number): { name: string; version: string } {
  const bare = key.replace(/\(.*$/s, '');
  const pattern =
    major >= 6
      ? /^(?:[^/@]*\/)?(@[^/@]+\/[^@]+|[^/@][^@]*)@(.+)$/
      : /^(?:[^/@]*\/)(@[^/]+\/[^/]+|[^/]+)\/([^/_]+)(?:_.*)?$/;
  const [, name = bare, version = ''] = pattern.exec(bare) ?? [];
  return { name: one.name ?? name, version: one.version ?? version };
}

/** Where it comes from when that is no registry. */
function addressOf({ resolution: from }: Entry): string | undefined {
  if (!from) return undefined;
  if (from.type !== undefined) return from.repo ? `git+${from.repo}` : from.type;
  return from.tarball !== undefined && packageOfTarball(from.tarball) === undefined ? from.tarball : undefined;
}

function flagsOfEntry(_key: string, { dev = false, optional = false }: Entry): Flags {
  return { dev, optional, devOptional: false };
}

/** From 9 on entries do not tell what they are there for: the graph does. */
function flagsOfGraph({ importers = {}, snapshots }: Document): (key: string) => Flags {
  const nodes = new Map<string, Node>();
  for (const [id, one] of Object.entries(snapshots ?? {}))
    nodes.set(id, { needs: keysOf(one?.dependencies), mayHave: keysOf(one?.optionalDependencies) });
  const from = Object.values(importers);
  const flags = flagsIn(nodes, {
    needs: from.flatMap((one) => keysOf(one.dependencies)),
    mayHave: from.flatMap((one) => keysOf(one.optionalDependencies)),
    dev: from.flatMap((one) => keysOf(one.devDependencies)),
  });
  const byEntry = new Map<string, Flags>();
  for (const id of nodes.keys()) {
    const key = id.replace(/\(.*$/s, '');
    const known = byEntry.get(key);
    const found = flags(id);
    byEntry.set(key, known ? leastFree(known, found) : found);
  }
  return (key) => byEntry.get(key) ?? { dev: false, optional: false, devOptional: false };
}

/** One version stands there once for each set of its peers. */
function leastFree(a: Flags, b: Flags): Flags {
  const dev = a.dev && b.dev;
  const optional = a.optional && b.optional;
  const isFree = (one: Flags) => one.dev || one.optional || one.devOptional;
  return { dev, optional, devOptional: isFree(a) && isFree(b) && !dev && !optional };
}

/** `react: 19.0.0(peer@1.0.0)`, `other: real@1.0.0`, `{ specifier, version }`; links lead out of the lock. */
function keysOf(dependencies: z.infer<typeof names>): string[] {
  return Object.entries(dependencies ?? {}).flatMap(([name, value]) => {
    const version = typeof value === 'object' && value ? (value as { version?: unknown }).version : value;
    if (typeof version !== 'string' || version.startsWith('link:')) return [];
    return [`${name}@${version}`, version];
  });
}
