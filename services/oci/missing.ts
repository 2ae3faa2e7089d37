import { isKind, type MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { Asked, Rooms } from './asked.ts';
import { isDigest } from './digests.ts';
import { OciError } from './errors.ts';
import { linkPrefix, manifestKey } from './keys.ts';
import { isIndexType, platformText, readManifest } from './manifest.ts';
import type { Repository } from './repositories.ts';

const MOST_INDEX = 8 << 20;

/** Which platform of which index a digest is. */
interface Part {
  index: string;
  platform: string;
}

/**
 * What to put on the list of wants for a manifest that one of our indexes names and that was not brought along: the
 * index with this platform, which a person can read, rather than a digest.
 */
export async function wantedPlatform(rooms: Rooms, repository: Repository, ref: Ref): Promise<Ref> {
  if (rooms.context.listing !== 'held' || !repository.registry || !ref.key.startsWith('manifest/')) return ref;
  if (await rooms.context.catalog.get(ref.key)) return ref;
  const part = await partOf(rooms, repository, ref.key.slice(manifestKey('').length));
  if (!part) return ref;
  return { ...ref, want: { oci: `${repository.name}@${part.index}`, platforms: [part.platform] } };
}

/** Throws what a client is told: what is missing, and how it comes here. */
export async function missing(rooms: Rooms, asked: Asked, ref: Ref, error: unknown): Promise<never> {
  const { repository, address } = asked;
  if (isKind(error, 'not-held')) throw await notHeld(rooms, repository, ref, error);
  // Docker Hub says 401 of what does not exist. A bare name may be one that is about to be pushed: it is not there.
  const isRefused = isKind(error, 'upstream-denied', 'upstream-failed') && [401, 403].includes(error.originStatus ?? 0);
  const { req } = asked;
  // who has a token and looks before a push must not be held up by a registry that has no part in it
  const isPush = req.method === 'HEAD' && req.identity !== undefined && isKind(error, 'upstream-failed');
  if ((isRefused || isPush) && isBare(address, repository))
    throw new OciError('not-found', ref.subject, (error as MirrorError).message, { cause: error });
  throw error;
}

function isBare({ name, host, query }: Asked['address'], { registry }: Repository): boolean {
  return host === undefined && !query.has('ns') && registry !== undefined && !name.startsWith(`${registry.name}/`);
}

async function notHeld(rooms: Rooms, repository: Repository, ref: Ref, error: MirrorError): Promise<OciError> {
  const digest = ref.key.startsWith('manifest/') ? ref.key.slice(manifestKey('').length) : undefined;
  const part = digest && isDigest(digest) ? await partOf(rooms, repository, digest) : undefined;
  const seed = ref.want ?? { oci: ref.label };
  const what = part
    ? `the platform ${part.platform} of ${repository.name}@${part.index} was not brought here`
    : `${ref.label} is not in this mirror`;
  const how = `seed it with a bundle whose manifest has ${JSON.stringify(seed)}, or with "larder oci import" of a saved image`;
  const wanted = ref.want ? '; it was put on the list of wants ("larder wants")' : '';
  return new OciError('not-held', ref.subject, `${what}, and this site has no network: ${how}${wanted}`, {
    cause: error,
    detail: { missing: ref.label, ...(part ? { platform: part.platform, index: part.index } : {}), seed },
  });
}

/** Looks through the indexes that are held of a repository. */
async function partOf({ context }: Rooms, repository: Repository, digest: string): Promise<Part | undefined> {
  for (const entry of await context.catalog.list(linkPrefix(repository.name), { limit: 500 })) {
    if (!isIndexType(entry.mediaType)) continue;
    const { manifests } = readManifest(await context.blobs.read(entry.digest, MOST_INDEX));
    const found = manifests.find((one) => one.digest === digest);
    if (found?.platform)
      return { index: entry.key.slice(linkPrefix(repository.name).length), platform: platformText(found.platform) };
  }
  return undefined;
}
