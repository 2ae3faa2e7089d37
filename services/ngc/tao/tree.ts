import { MirrorError } from '../../../shared/model/errors.ts';
import { type ArtifactVersion, idOf, isFilePath } from '../artifact.ts';

/** The folder of TAO's download that has a version's files (reference ngc.md §1.3); with its last slash. */
export function versionFolder({ artifact, version }: ArtifactVersion): string {
  return `${idOf(artifact)}/${version}/${artifact.name}_v${version}/`;
}

/** The name of the folder of a model of the hub, below `huggingface/`. */
export const hubName = (path: string) => path.replaceAll('/', '_');
export const hubFolder = (path: string) => `huggingface/${hubName(path)}/`;

/**
 * The beginning of keys below a registry: TAO takes the slashes at both ends of LOCAL_MODEL_REGISTRY away, and that is
 * where it looks in the bucket (§1.4). Throws `bad-request`.
 */
export function registryPrefix(registry: string): string {
  const plain = registry.trim().replace(/^\/+|\/+$/g, '');
  if (isFilePath(plain)) return `${plain}/`;
  throw new MirrorError(
    'bad-request',
    'settings',
    `"${registry}" is no path for LOCAL_MODEL_REGISTRY, such as /shared-storage/ptm/airgapped-models`,
  );
}
