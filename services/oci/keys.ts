/**
 * Names in the catalog.
 *
 *   blob/<digest>                           a blob, whichever mirrored repository it was asked for in
 *   manifest/<digest>                       a manifest, likewise
 *   tag/<repository>:<tag>                  the manifest that a tag means
 *   link/<repository>@<digest>              a manifest that belongs to this repository
 *   layer/<repository>@<digest>             a blob that belongs to this local repository
 *   referrer/<repository>@<subject>/<digest>  a manifest that says of itself that it belongs to another
 *   referrers/<repository>@<subject>        what an origin answered when it was asked for those
 *   repo/<repository>                       this repository was made here: no origin is asked for it
 *
 * A repository is `<host>/<name>` where it is mirrored. None of the separators may stand in a name, a tag or a digest.
 */
export const blobKey = (digest: string) => `blob/${digest}`;
export const manifestKey = (digest: string) => `manifest/${digest}`;
export const tagPrefix = (repository: string) => `tag/${repository}:`;
export const tagKey = (repository: string, tag: string) => `${tagPrefix(repository)}${tag}`;
export const linkPrefix = (repository: string) => `link/${repository}@`;
export const linkKey = (repository: string, digest: string) => `${linkPrefix(repository)}${digest}`;
export const layerKey = (repository: string, digest: string) => `layer/${repository}@${digest}`;
export const referrerPrefix = (repository: string, subject: string) => `referrer/${repository}@${subject}/`;
export const referrerKey = (repository: string, subject: string, digest: string) =>
  `${referrerPrefix(repository, subject)}${digest}`;
export const referrersKey = (repository: string, subject: string) => `referrers/${repository}@${subject}`;
export const repoKey = (repository: string) => `repo/${repository}`;

/** The header of an entry that holds a manifest's digest, where that is not the sha256 of its bytes. */
export const DIGEST_HEADER = 'docker-content-digest';
