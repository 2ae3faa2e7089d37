import { z } from 'zod';
import { itemPatterns } from '../../shared/bundle/manifest.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { type Artifact, type ArtifactKind, labelOf, parseId, parseTarget } from './artifact.ts';
import { matchesGlob } from './glob.ts';

/** Manifest item types, and what they bring. */
const KINDS: Record<string, ArtifactKind> = { ngc: 'models', 'ngc-resource': 'resources' };

/** `org/team/name:version`, or without a version the latest: a want of somebody who only asked what there is. */
function read(kind: ArtifactKind, text: string): { artifact: Artifact; version?: string } {
  const artifact = parseId(kind, text.replace(/^ngc:\/\//, ''));
  return artifact ? { artifact } : parseTarget(kind, text);
}

function target(kind: ArtifactKind) {
  return z.string().superRefine((text, problems) => {
    try {
      read(kind, text);
    } catch (error) {
      problems.addIssue((error as MirrorError).message);
    }
  });
}

/** Only files that one of these names, as the CLI's `--file` and `--exclude`: `*` stands for slashes, too. */
const options = { include: itemPatterns.optional(), exclude: itemPatterns.optional() };

/** `{ ngc: org/team/name[:version], include, exclude }`, likewise `ngc-resource`. */
export const itemSchemas = {
  ngc: z.strictObject({ ngc: target('models'), ...options }),
  'ngc-resource': z.strictObject({ 'ngc-resource': target('resources'), ...options }),
};

export interface VersionItem {
  artifact: Artifact;
  /** The latest when it names none. */
  version?: string;
  include: string[] | undefined;
  exclude: string[];
}

/** @param value what the schema of `type` made of an item */
export function readItem(type: string, value: unknown): VersionItem {
  const { include, exclude = [] } = value as { include?: string[]; exclude?: string[] };
  return { ...read(KINDS[type]!, (value as Record<string, string>)[type]!), include, exclude };
}

/** What a manifest calls a kind. */
export function itemTypeOf(kind: ArtifactKind): string {
  return kind === 'models' ? 'ngc' : 'ngc-resource';
}

/** Files that an item takes, and those that it leaves out. Throws `bad-request` when none of many is left. */
export function chooseFiles<F extends { path: string }>(
  files: readonly F[],
  { artifact, version, include, exclude }: VersionItem,
): { taken: F[]; left: string[] } {
  const isWanted = ({ path }: F) =>
    (!include || include.some((pattern) => names(pattern, path))) && !exclude.some((pattern) => names(pattern, path));
  const taken = files.filter(isWanted);
  if (taken.length === 0 && files.length > 0) {
    const label = labelOf(artifact, version);
    const what = `${label}: "include" and "exclude" leave none of its ${files.length} files`;
    throw new MirrorError('bad-request', 'manifest', what);
  }
  return { taken, left: files.filter((file) => !isWanted(file)).map(({ path }) => path) };
}

/** A folder is a pattern for all below it. */
function names(pattern: string, path: string): boolean {
  return matchesGlob(path, pattern.endsWith('/') ? `${pattern}*` : pattern);
}
