import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import type { ManifestItem } from '../../shared/service/service.ts';
import { parseSpec } from './specs.ts';
import { type Target, targetSchema } from './targets.ts';

const spec = z
  .string()
  .min(1)
  .max(1024)
  .transform((text, problems) => {
    try {
      return parseSpec(text.trim());
    } catch (error) {
      problems.addIssue((error as MirrorError).message);
      return z.NEVER;
    }
  });
const listOf = (value: unknown) => (value === undefined || Array.isArray(value) ? value : [value]);
const specs = z.preprocess(listOf, z.array(spec).min(1, 'at least one package'));
const targets = z.preprocess(listOf, z.array(targetSchema).min(1, 'at least one target'));

const body = z
  .strictObject({
    /** Names of packages, alone or with ranges or tags; resolved together, as one project. */
    packages: specs.optional(),
    /** package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml, yarn.lock or bun.lock, relative to the manifest. */
    lockfile: z.string().min(1).max(4096).optional(),
    /** Machines that must be able to install it. */
    targets: targets.optional(),
    /** Take what nothing fails without: the builds for each platform are such. */
    optional: z.boolean().default(true),
    /** Take what only development needs, of a lock. */
    dev: z.boolean().default(true),
  })
  .refine((item) => item.packages || item.lockfile, 'say what: "packages" or "lockfile"');
export type NpmItem = z.output<typeof body>;

/** A manifest item of type `npm`: one package, several, or a lock. */
export const npmItemSchema = z.strictObject({
  npm: z.preprocess((value) => (typeof value === 'string' || Array.isArray(value) ? { packages: value } : value), body),
});

/** What most clusters run, where a manifest says nothing. */
const USUAL = 'linux/x64/glibc';

export function itemOf(item: ManifestItem): NpmItem {
  return (item.value as { npm: NpmItem }).npm;
}

/** The targets of an item: its own, those of the manifest's defaults, or the usual one. */
export function targetsOf(item: NpmItem, defaults: ManifestItem['defaults']): Target[] {
  const parsed = item.targets
    ? { success: true as const, data: item.targets }
    : targets.safeParse(defaults.npm ?? USUAL);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new MirrorError('bad-request', 'manifest', ['defaults.platforms.npm', ...path].join('.') + `: ${message}`);
  }
  return [...new Map(parsed.data.map((target) => [target.name, target])).values()];
}
