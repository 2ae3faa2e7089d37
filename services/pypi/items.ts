import { z } from 'zod';
import type { ManifestItem } from '../../shared/service/service.ts';
import { makeTarget, type Target, targetSchema } from './python/target.ts';

const text = z.string().min(1).max(4096);
const body = z.strictObject({
  /** Requirements files, relative to the manifest. */
  requirements: z.array(text).optional(),
  /** Requirements written out. */
  packages: z.array(text).optional(),
  /** uv.lock or pylock.toml. */
  lockfile: text.optional(),
  /** The requirements files are complete and pinned: take them as they are. */
  lock: z.boolean().default(false),
  /** Take sdists where no wheel fits, with what they need to be built. */
  sdists: z.enum(['deny', 'allow']).default('deny'),
  /** Bring what sdists need to be built. */
  buildRequires: z.boolean().default(true),
  extras: z.array(text).default([]),
  groups: z.array(text).default([]),
  targets: z.array(targetSchema).min(1).optional(),
});

/** A manifest item of type `python`: one requirement, several, or files of them. */
export const pythonItemSchema = z.strictObject({
  python: z
    .union([
      text.transform((one) => ({ packages: [one] })),
      z
        .array(text)
        .min(1)
        .transform((packages) => ({ packages })),
      z.unknown(),
    ])
    .pipe(
      body.refine(
        (item) => item.requirements || item.packages || item.lockfile,
        'say what: "requirements", "packages" or "lockfile"',
      ),
    ),
});
export type PythonItem = z.infer<typeof body>;

/** What most clusters run, where a manifest says nothing. */
const USUAL = { version: '3.12', platform: 'manylinux_2_28_x86_64' };

/** The targets of an item: its own, those of the manifest's defaults, or the usual one. */
export function targetsOf(item: PythonItem, defaults: ManifestItem['defaults']): Target[] {
  const listed =
    item.targets ??
    z
      .array(targetSchema)
      .min(1)
      .parse(defaults.python ?? [USUAL]);
  return listed.map(makeTarget);
}
