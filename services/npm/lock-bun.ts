import { parseDocument } from 'yaml';
import { z } from 'zod';
import { flagsIn, type Node, type Roots } from './lock-graph.ts';
import { packageOfTarball, strangerOf } from './lock-sources.ts';
import { type Project, projectSchema } from './lock-yarn.ts';
import { isPackageName, isVersion } from './package-name.ts';
import { platformsOf } from './targets.ts';
import { type Lock, LockedSet, wrongLock } from './wishes.ts';

/** `[id, address, package.json's parts, integrity]` for a registry's; others have no address, or nothing but an id. */
const entry = z.tuple([z.string()]).rest(z.unknown());
const schema = z.looseObject({
  lockfileVersion: z.number(),
  workspaces: z.record(z.string(), projectSchema.extend({ name: z.string().optional() })).default({}),
  packages: z.record(z.string(), entry).default({}),
});
type Document = z.infer<typeof schema>;
const partsSchema = projectSchema.extend({ bundled: z.boolean().optional() }).catch({});

/** Places of a project itself. */
const OWN = /^(workspace|link|root):/;

/**
 * `bun.lock` (https://bun.com/docs/pm/lockfile): JSON with commas at ends. Its keys are ways through a tree: what
 * `a/b` needs is `a/b/c`, `a/c` or `c`, whichever is there first.
 */
export function readBunLock(text: string, file: string): Lock {
  const document = documentOf(text, file);
  const flags = flagsIn(...graphOf(document));
  const found = new LockedSet();
  const strangers: string[] = [];
  for (const [key, one] of Object.entries(document.packages)) {
    const { name, reference, address, parts, integrity } = fieldsOf(one);
    // what is bundled lies in the tarball of who bundles it
    if (OWN.test(reference) || partsSchema.parse(parts).bundled) continue;
    // an empty address is the usual registry's
    const elsewhere = address === undefined || (address !== '' && packageOfTarball(address) === undefined);
    if (elsewhere || !isVersion(reference) || !isPackageName(name)) {
      if (isFolder(reference)) continue;
      strangers.push(strangerOf(name, address || reference));
      continue;
    }
    const platforms = platformsOf(parts);
    const more = { ...flags(key), ...(platforms ? { platforms } : {}) };
    found.add({ name, version: reference, integrity: integrity ? [integrity] : [], ...more, why: file });
  }
  return { file, kind: 'bun', packages: found.list(), strangers };
}

function documentOf(text: string, file: string): Document {
  // YAML's flow form is JSON that takes commas at ends
  const parsed = parseDocument(text, { uniqueKeys: false });
  if (parsed.errors[0]) throw wrongLock(file, `it is no lock of bun: ${parsed.errors[0].message.split('\n')[0]}`);
  const checked = schema.safeParse(parsed.toJS({ maxAliasCount: 0 }));
  if (checked.success) return checked.data;
  const { path, message } = checked.error.issues[0]!;
  throw wrongLock(file, `${path.join('.') || 'it'}: ${message}`);
}

function fieldsOf([id, ...rest]: z.infer<typeof entry>) {
  const at = id.indexOf('@', 1);
  const integrity = rest.at(-1);
  return {
    name: id.slice(0, at),
    reference: id.slice(at + 1),
    address: typeof rest[0] === 'string' && rest.length > 1 ? rest[0] : undefined,
    parts: (rest.find((one) => typeof one === 'object' && one !== null) ?? {}) as Record<string, unknown>,
    integrity: typeof integrity === 'string' && /^sha\d+-/.test(integrity) ? integrity : undefined,
  };
}

/** A folder beside the project; a tarball there is something else. */
function isFolder(reference: string): boolean {
  return reference.startsWith('file:') && !/\.t(ar\.)?gz$/.test(reference);
}

function graphOf({ packages, workspaces }: Document): [Map<string, Node>, Roots] {
  const nodes = new Map<string, Node>();
  const place = (from: string, name: string) => placesFrom(from, name).find((key) => key in packages) ?? name;
  const edges = (from: string, project: Project): Roots => {
    const { dependencies = {}, optionalDependencies = {}, devDependencies = {}, peerDependencies } = project;
    const keysOf = (names: object) => Object.keys(names).map((name) => place(from, name));
    const needed = Object.keys({ ...namesIn(peerDependencies), ...dependencies });
    return {
      needs: needed.filter((name) => !(name in optionalDependencies)).map((name) => place(from, name)),
      mayHave: keysOf(optionalDependencies),
      dev: keysOf(devDependencies),
    };
  };
  for (const [key, one] of Object.entries(packages)) nodes.set(key, edges(key, partsSchema.parse(fieldsOf(one).parts)));
  const roots = Object.values(workspaces).map(({ name = '', ...project }) => edges(name, project));
  return [
    nodes,
    {
      needs: roots.flatMap(({ needs }) => needs),
      mayHave: roots.flatMap(({ mayHave }) => mayHave),
      dev: roots.flatMap(({ dev }) => dev),
    },
  ];
}

/** `a/@s/b/c`, `a/c`, `c` for what `a/@s/b` needs of `c`. */
function placesFrom(from: string, name: string): string[] {
  const steps = from.match(/(@[^/]+\/)?[^/]+/g) ?? [];
  return [...steps.keys(), steps.length].reverse().map((length) => [...steps.slice(0, length), name].join('/'));
}

function namesIn(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
