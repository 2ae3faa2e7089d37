import { MirrorError } from '../../shared/model/errors.ts';

/** What the catalog has: models, and resources (which its JSON calls recipes). */
export type ArtifactKind = 'models' | 'resources';
export const ARTIFACT_KINDS: readonly ArtifactKind[] = ['models', 'resources'];

/** A model or a resource: `nvidia/tao/ocrnet`, `nvidia/genmol` (an org's own, without a team). */
export interface Artifact {
  kind: ArtifactKind;
  org: string;
  team?: string;
  name: string;
}

/** Orgs, teams and names as they stand in addresses; no `:` and no `/`, never `.` or `..`. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._~+-]{0,127}$/;
/** Versions are any text without a slash or a colon: `0.11.1+ba20956e-l40sx1`. */
const VERSION = /^[A-Za-z0-9_][A-Za-z0-9._~+@=, -]{0,254}$/;

export const isName = (text: string) => NAME.test(text) && text !== 'no-team';
export const isVersion = (text: string) => VERSION.test(text);

/** A file's path in its version: relative, no way out, no empty segments. */
export function isFilePath(path: string): boolean {
  if (path.length === 0 || path.length > 1024 || !path.isWellFormed()) return false;
  if (/[\0-\x1f\x7f\\]/.test(path)) return false;
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

/** `nvidia/tao/ocrnet`: as search and the CLI call it. */
export function idOf({ org, team, name }: Artifact): string {
  return team === undefined ? `${org}/${name}` : `${org}/${team}/${name}`;
}

/** What a person calls it. */
export function labelOf(artifact: Artifact, version?: string): string {
  const word = artifact.kind === 'models' ? 'model' : 'resource';
  return `${word} ${idOf(artifact)}${version === undefined ? '' : `:${version}`}`;
}

/** A version of an artifact. */
export interface ArtifactVersion {
  artifact: Artifact;
  version: string;
}

/**
 * Reads `org/team/name:version` or `org/name:version`; `ngc://` before it and `no-team` in it are taken.
 * Throws `bad-request` with what was expected.
 */
export function parseTarget(kind: ArtifactKind, text: string): ArtifactVersion {
  const found = /^(?:ngc:\/\/)?([^:]+):([^:]+)$/.exec(text);
  const artifact = found && parseId(kind, found[1]!);
  if (!artifact || !isVersion(found[2]!))
    throw new MirrorError(
      'bad-request',
      kind === 'models' ? 'model' : 'resource',
      `"${text.slice(0, 200)}" is not org/team/name:version (or org/name:version)`,
    );
  return { artifact, version: found[2]! };
}

/** Reads `org/team/name` or `org/name`; undefined when it is neither. */
export function parseId(kind: ArtifactKind, text: string): Artifact | undefined {
  const parts = text.split('/');
  const [org, team, name] = parts.length === 2 ? [parts[0]!, 'no-team', parts[1]!] : parts;
  if (parts.length > 3 || !org || !team || !name || !isName(org) || !isName(name)) return undefined;
  if (team === 'no-team') return { kind, org, name };
  return isName(team) ? { kind, org, team, name } : undefined;
}
