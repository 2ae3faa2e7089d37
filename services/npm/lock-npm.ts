import { z } from 'zod';
import { packageOfTarball, strangerOf } from './lock-sources.ts';
import { isPackageName, isVersion } from './package-name.ts';
import { platformsOf } from './targets.ts';
import { type Lock, LockedSet, wrongLock } from './wishes.ts';

const entry = z.looseObject({
  name: z.string().optional(),
  version: z.string().optional(),
  resolved: z.union([z.string(), z.boolean()]).optional(),
  integrity: z.string().optional(),
  link: z.boolean().optional(),
  inBundle: z.boolean().optional(),
  dev: z.boolean().default(false),
  optional: z.boolean().default(false),
  devOptional: z.boolean().default(false),
});
type Entry = z.infer<typeof entry>;
const schema = z.looseObject({
  lockfileVersion: z.number().optional(),
  packages: z.record(z.string(), entry).optional(),
});

/** Where a tree of npm keeps packages; what lies elsewhere in a lock is the project and its workspaces. */
const FOLDER = 'node_modules/';

/**
 * `package-lock.json` and `npm-shrinkwrap.json` of npm 7 and later (lockfileVersion 2 and 3): what all platforms need,
 * each entry with where it runs.
 * https://github.com/npm/cli/blob/latest/docs/lib/content/configuring-npm/package-lock-json.md
 */
export function readNpmLock(text: string, file: string): Lock {
  const parsed = schema.safeParse(parseJson(text, file));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw wrongLock(file, `${path.join('.') || 'it'}: ${message}`);
  }
  const { lockfileVersion, packages } = parsed.data;
  if (!packages || (lockfileVersion !== 2 && lockfileVersion !== 3)) {
    const said = lockfileVersion === undefined ? 'no lockfileVersion' : `lockfileVersion ${lockfileVersion}`;
    throw wrongLock(file, `it has ${said}; 2 and 3 can be read: "npm install --package-lock-only" of npm 7 writes one`);
  }
  const found = new LockedSet();
  const strangers: string[] = [];
  for (const [place, one] of Object.entries(packages)) {
    const name = nameOf(place, one);
    // what is bundled lies in the tarball of who bundles it
    if (name === undefined || one.link || one.inBundle) continue;
    if (!isOfRegistry(name, one)) strangers.push(strangerOf(name, String(one.resolved || one.version)));
    else found.add({ ...flagsOf(one), name, version: one.version!, why: file });
  }
  return { file, kind: 'npm', packages: found.list(), strangers };
}

function nameOf(place: string, one: Entry): string | undefined {
  const start = place.lastIndexOf(FOLDER);
  if (start === -1) return undefined;
  const own = place.slice(start + FOLDER.length);
  // below a workspace, not in a tree
  if (own.split('/').length > (own.startsWith('@') ? 2 : 1)) return undefined;
  return one.name ?? own;
}

/** An address may be left out ("omit-lockfile-registry-resolved"): name and version say it. */
function isOfRegistry(name: string, { version, resolved }: Entry): boolean {
  if (version === undefined || !isVersion(version) || !isPackageName(name)) return false;
  return typeof resolved !== 'string' || resolved === '' || packageOfTarball(resolved) !== undefined;
}

function flagsOf(one: Entry) {
  const { dev, optional, devOptional, integrity } = one;
  const platforms = platformsOf(one);
  return { dev, optional, devOptional, integrity: integrity ? [integrity] : [], ...(platforms ? { platforms } : {}) };
}

/** Throws `bad-request`, naming the file. */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw wrongLock(file, `it is not JSON: ${(error as Error).message.split('\n')[0]}`);
  }
}
