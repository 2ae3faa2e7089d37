import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import type { ManifestItem } from '../../shared/service/service.ts';
import { readRequirements } from './lock-requirements.ts';
import { readLock, readRequirementFiles } from './locks.ts';
import { makeTarget, type Target, targetSchema } from './python/target.ts';
import { joinWishes, type Wishes } from './wishes.ts';

const text = z.string().min(1).max(4096);
const texts = z.union([text.transform((one) => [one]), z.array(text)]);
const targets = z.array(targetSchema).min(1, 'at least one target');

const body = z
  .strictObject({
    /** Requirements files, relative to the manifest. */
    requirements: texts.optional(),
    /** Requirements written out. */
    packages: texts.optional(),
    /** uv.lock or pylock.toml. */
    lockfile: text.optional(),
    /** The requirements are complete and pinned: take them as they are. */
    lock: z.boolean().default(false),
    /** Take sdists where no wheel fits, with what they need to be built. */
    sdists: z.enum(['deny', 'allow']).default('deny'),
    /** Bring what sdists need to be built. */
    buildRequires: z.boolean().default(true),
    /** Bring the newest pip, setuptools and wheel too. */
    tools: z.boolean().default(false),
    extras: z.array(text).default([]),
    groups: z.array(text).optional(),
    /** One of our origins by its name; asked before the others. */
    index: text.optional(),
    targets: targets.optional(),
  })
  .refine(
    (item) => item.requirements || item.packages || item.lockfile || item.tools,
    'say what: "requirements", "packages", "lockfile" or "tools"',
  );
export type PythonItem = z.output<typeof body>;

/** A manifest item of type `python`: one requirement, several, or files of them. */
export const pythonItemSchema = z.strictObject({
  python: z.preprocess(
    (value) => (typeof value === 'string' || Array.isArray(value) ? { packages: value } : value),
    body,
  ),
});

/** What most clusters run, where a manifest says nothing. */
const USUAL = { version: '3.12', platform: 'manylinux_2_28_x86_64' };

/** The targets of an item: its own, those of the manifest's defaults, or the usual one. */
export function targetsOf(item: PythonItem, defaults: ManifestItem['defaults']): Target[] {
  const parsed = targets.safeParse(item.targets ?? defaults.python ?? [USUAL]);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new MirrorError('bad-request', 'manifest', ['defaults.platforms.python', ...path].join('.') + `: ${message}`);
  }
  return parsed.data.map(makeTarget);
}

/** The requirements of an item, as they stand in it and in the files it names. */
export async function wishesOf(item: PythonItem, baseDir: string): Promise<Wishes> {
  const parts: Wishes[] = [];
  if (item.lockfile) parts.push(await readLock(item.lockfile, baseDir, item));
  if (item.requirements) parts.push(await readRequirementFiles(item.requirements, baseDir, item.lock));
  const packages = (item.packages ?? []).map((one) => ({ text: one, why: 'manifest' }));
  if (packages.length > 0) parts.push(readRequirements(packages, item.lock));
  return joinWishes(parts);
}
