import type { Entry } from '../../shared/model/entry.ts';
import { isKind } from '../../shared/model/errors.ts';
import { type Asked, pathOf, type Rooms } from './asked.ts';
import { checkDigest } from './digests.ts';
import { sendJson } from './documents.ts';
import { referrerPrefix } from './keys.ts';
import { type Descriptor, MEDIA, readManifest } from './manifest.ts';
import { digestIn, manifestRef } from './manifests.ts';
import type { Repository } from './repositories.ts';

/** Descriptors on a page: "4MiB" is what clients read of one, and annotations may be long. */
const MOST = 1000;

/** `GET …/referrers/<digest>` (distribution-spec, spec.md#listing-referrers). "MUST NOT return 404". */
export async function getReferrers(rooms: Rooms, asked: Asked): Promise<void> {
  const { req, res, address, repository } = asked;
  const digest = checkDigest(address.reference);
  const { query } = address;
  const artifactType = query.get('artifactType') ?? undefined;
  const all = await referrersOf(rooms, repository, digest);
  const found = artifactType === undefined ? all : all.filter((one) => one.artifactType === artifactType);
  const from = found.findIndex((one) => one.digest === query.get('last')) + 1;
  const limit = Math.min(MOST, Number(query.get('n')) || MOST);
  const manifests = found.slice(from, from + limit);
  const headers: Record<string, string> = {};
  // "If filtering is requested and applied, the response MUST include a header `OCI-Filters-Applied: artifactType`"
  if (artifactType !== undefined) headers['oci-filters-applied'] = 'artifactType';
  if (from + limit < found.length) {
    const next = new URLSearchParams(query);
    next.set('last', manifests.at(-1)!.digest);
    headers.link = `<${pathOf(asked, `referrers/${digest}`)}?${next}>; rel="next"`;
  }
  await sendJson(
    req,
    res,
    { schemaVersion: 2, mediaType: MEDIA.index, manifests },
    { mediaType: MEDIA.index, headers },
  );
}

/**
 * All that refers to a manifest: what was pushed here, what its origin lists, and what the tag lists that clients keep
 * where a registry cannot ("an existing image index … MUST be included").
 */
export async function referrersOf(rooms: Rooms, repository: Repository, digest: string): Promise<Descriptor[]> {
  const own = await rooms.context.catalog.list(referrerPrefix(repository.name, digest));
  const listed = repository.registry ? await indexAt(rooms, () => rooms.refs.referrers(repository, digest)) : undefined;
  const fallback = await indexAt(rooms, () => manifestRef(rooms, repository, fallbackTag(digest)));
  const found = new Map<string, Descriptor>();
  for (const one of [...own.map(descriptorOf), ...(listed ?? []), ...(fallback ?? [])])
    if (!found.has(one.digest)) found.set(one.digest, one);
  return [...found.values()];
}

/** `sha256-<hex>` ("Referrers Tag Schema"): at most 32 and 64 characters of the two parts. */
export function fallbackTag(digest: string): string {
  const [algorithm, hex] = digest.split(':') as [string, string];
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

async function indexAt(
  rooms: Rooms,
  named: () => ReturnType<typeof manifestRef> | ReturnType<Rooms['refs']['referrers']>,
): Promise<Descriptor[] | undefined> {
  try {
    // what is missing here is not missed: no want
    const ref = { ...(await named()), want: undefined };
    const { bytes } = await rooms.context.mirror.read(ref);
    return readManifest(bytes).manifests;
  } catch (error) {
    if (
      isKind(
        error,
        'not-found',
        'not-held',
        'upstream-failed',
        'upstream-denied',
        'bad-request',
        'forbidden',
        'corrupt',
      )
    )
      return undefined;
    throw error;
  }
}

function descriptorOf(entry: Entry): Descriptor {
  const { mediaType, size, headers } = entry;
  const annotations = headers.annotations ? (JSON.parse(headers.annotations) as Record<string, string>) : undefined;
  return { mediaType, digest: digestIn(entry), size, artifactType: headers['artifact-type'], annotations };
}
