import { MirrorError } from '../../shared/model/errors.ts';
import { isDigest } from './digests.ts';
import { isRepositoryName, isTag } from './repository-name.ts';

/** An image as people name it. */
export interface ImageName {
  /** As it is meant: `docker.io`, also where nobody wrote it. */
  host: string;
  /** True when the host was not written. */
  bare: boolean;
  /** Without its host: `library/busybox`. */
  path: string;
  /** `docker.io/library/busybox` */
  repository: string;
  tag?: string;
  digest?: string;
}

/**
 * Reads `nvcr.io/nvidia/tao:5@sha256:…` by docker's rules (distribution/reference): the first part is a host when it has
 * a dot or a colon or is `localhost`; without one it is docker.io, whose own images are under `library/`.
 * Throws `bad-request`.
 */
export function parseImageName(text: string): ImageName {
  const [named, digest, ...more] = text.split('@');
  const colon = named!.lastIndexOf(':');
  const hasTag = colon > named!.lastIndexOf('/');
  const tag = hasTag ? named!.slice(colon + 1) : undefined;
  const name = hasTag ? named!.slice(0, colon) : named!;
  const [first, ...rest] = name.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first!) || first === 'localhost');
  const host = hasHost ? (first === 'index.docker.io' ? 'docker.io' : first!) : 'docker.io';
  const asked = hasHost ? rest.join('/') : name;
  const path = host === 'docker.io' && !asked.includes('/') ? `library/${asked}` : asked;
  const isRight =
    isRepositoryName(path) && (tag === undefined || isTag(tag)) && (digest === undefined || isDigest(digest));
  if (!isRight || more.length > 0)
    throw new MirrorError(
      'bad-request',
      'image',
      `"${text.slice(0, 300)}" is no name of an image, such as nvcr.io/nvidia/tao:5 or busybox@sha256:…`,
    );
  return { host, bare: !hasHost, path, repository: `${host.replace(/:(\d+)$/, '_$1_')}/${path}`, tag, digest };
}
