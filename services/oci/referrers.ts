import type { Entry } from '../../shared/model/entry.ts';
import { isKind } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { queryOfNext } from './address.ts';
import { type Asked, pathOf, type Rooms } from './asked.ts';
import { checkDigest } from './digests.ts';
import { sendJson } from './documents.ts';
import { referrerPrefix } from './keys.ts';
import { type Descriptor, MEDIA, readManifest } from './manifest.ts';
import { digestIn, manifestRef } from './manifests.ts';
import type { Repository } from './repositories.ts';

/** Descriptors on a page, and bytes of them: 4 MiB is what clients read of a list. */
const MOST = 1000;
const MOST_BYTES = 4_000_000;
/** Pages that are followed at an origin. */
const MOST_PAGES = 50;

/** `GET …/referrers/<digest>` (distribution-spec, spec.md#listing-referrers). "MUST NOT return 404". */
export async function getReferrers(rooms: Rooms, asked: Asked): Promise<void> {
  const { req, res, address, repository } = asked;
  const digest = checkDigest(address.reference);
  const { query } = address;
  const artifactType = query.get('artifactType') ?? undefined;
  const last = query.get('last') ?? '';
  const all = await referrersOf(rooms, repository, digest);
  const rest = all.filter(
    (one) => (artifactType === undefined || one.artifactType === artifactType) && one.digest > last,
  );
  const manifests = pageOf(rest, Math.min(MOST, Number(query.get('n')) || MOST));
  const headers: Record<string, string> = {};
  // "If filtering is requested and applied, the response MUST include a header `OCI-Filters-Applied: artifactType`"
  if (artifactType !== undefined) headers['oci-filters-applied'] = 'artifactType';
  if (manifests.length < rest.length) {
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

/** As many as fit; one at least. */
function pageOf(list: readonly Descriptor[], limit: number): Descriptor[] {
  const page: Descriptor[] = [];
  let bytes = 0;
  for (const one of list.slice(0, limit)) {
    bytes += Buffer.byteLength(JSON.stringify(one)) + 1;
    if (page.length > 0 && bytes > MOST_BYTES) break;
    page.push(one);
  }
  return page;
}

/**
 * All that refers to a manifest, by digest: what was pushed here, what its origin lists, and what the tag lists that
 * clients keep where a registry cannot ("an existing image index … MUST be included").
 */
export async function referrersOf(rooms: Rooms, repository: Repository, digest: string): Promise<Descriptor[]> {
  const own = await rooms.context.catalog.list(referrerPrefix(repository.name, digest));
  const listed = repository.registry ? (await listedAt(rooms, repository, digest)).manifests : [];
  const fallback = await documentAt(rooms, () => manifestRef(rooms, repository, fallbackTag(digest)));
  const found = new Map<string, Descriptor>();
  for (const one of [...own.map(descriptorOf), ...listed, ...(fallback?.manifests ?? [])])
    if (!found.has(one.digest)) found.set(one.digest, one);
  return [...found.values()].sort((one, other) => (one.digest < other.digest ? -1 : 1));
}

/** What an origin lists, page after page, and the names of these pages. */
export async function listedAt(
  { context, refs }: Rooms,
  repository: Repository,
  digest: string,
): Promise<{ manifests: Descriptor[]; pages: Ref[] }> {
  const manifests: Descriptor[] = [];
  const pages: Ref[] = [];
  let query: string | undefined = '';
  while (query !== undefined && pages.length < MOST_PAGES) {
    const ref: Ref = refs.referrers(repository, digest, query);
    const page = await documentAt({ context }, () => ref);
    if (!page) break;
    pages.push(ref);
    manifests.push(...page.manifests);
    query = queryOfNext(page.link);
  }
  return { manifests, pages };
}

/** `sha256-<hex>` ("Referrers Tag Schema"): at most 32 and 64 characters of the two parts. */
export function fallbackTag(digest: string): string {
  const [algorithm, hex] = digest.split(':') as [string, string];
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

async function documentAt(
  { context }: Pick<Rooms, 'context'>,
  named: () => Ref | Promise<Ref>,
): Promise<{ manifests: Descriptor[]; link: string | undefined } | undefined> {
  try {
    // what is missing here is not missed: no want
    const ref = { ...(await named()), want: undefined };
    const { bytes, entry } = await context.mirror.read(ref);
    return { manifests: readManifest(bytes).manifests, link: entry.headers.link };
  } catch (error) {
    if (isKind(error, ...NO_ANSWER)) return undefined;
    throw error;
  }
}

/** A list that cannot be had is as good as none: it is never 404. */
const NO_ANSWER = [
  'not-found',
  'not-held',
  'upstream-failed',
  'upstream-denied',
  'bad-request',
  'forbidden',
  'corrupt',
] as const;

function descriptorOf(entry: Entry): Descriptor {
  const { mediaType, size, headers } = entry;
  const annotations = headers.annotations ? (JSON.parse(headers.annotations) as Record<string, string>) : undefined;
  return { mediaType, digest: digestIn(entry), size, artifactType: headers['artifact-type'], annotations };
}
