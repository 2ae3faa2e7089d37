import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { BundleItem, Bundling, Context, ManifestItem, MissingEdge } from '../../shared/service/service.ts';
import type { Rooms } from './asked.ts';
import type { OciConfig } from './config.ts';
import { choosePlatforms, type ImageItem, itemSchemas, readItem } from './items.ts';
import { repoKey } from './keys.ts';
import { isForeign, type Manifest, readManifest } from './manifest.ts';
import { digestIn, manifestRef } from './manifests.ts';
import { listedAt, referrersOf } from './referrers.ts';
import type { Repository } from './repositories.ts';
import { roomsOf } from './rooms.ts';

/** Indexes may name indexes; nobody builds deeper ones. */
const DEEPEST = 5;
/** What cosign and others keep beside an image, in tags made of its digest. */
const BESIDE = ['sig', 'att', 'sbom'];

/** How `oci` items come to be names, and how a bundle of them is proven. */
export function bundling(): Bundling<OciConfig> {
  return {
    items: itemSchemas,
    closure: (context, item) => closure(context, item),
    prove: (context, item) => prove(context, item),
  };
}

/** What was gathered of one image. */
interface Gathered {
  refs: Map<string, Ref>;
  optional: Map<string, Ref>;
  /** Digests of the manifests that are taken. */
  manifests: Set<string>;
  /** Platforms of an index that are left out. */
  left: Set<string>;
  referrers: Set<string>;
  bytes: number;
}

/** One item: an image with all that a client needs where there is no origin. */
async function* closure(context: Context<OciConfig>, { value, defaults }: ManifestItem): AsyncGenerator<BundleItem> {
  const rooms = roomsOf(context);
  const item = readItem(value, defaults);
  const repository = await repositoryOf(rooms, item);
  const { tag, digest } = item.name;
  const gathered: Gathered = {
    refs: new Map(),
    optional: new Map(),
    manifests: new Set(),
    left: new Set(),
    referrers: new Set(),
    bytes: 0,
  };
  const root = await manifestRef(rooms, repository, digest ?? tag ?? 'latest');
  const { entry } = await context.mirror.read(root);
  const rootDigest = digestIn(entry);
  add(gathered.refs, root);
  // "name:tag@digest": the tag is brought too, so that both find it
  if (digest && tag) add(gathered.optional, await manifestRef(rooms, repository, tag));
  if (!repository.registry) add(gathered.refs, localRef(repoKey(repository.name)));
  await take(rooms, repository, rootDigest, item, gathered);
  if (item.referrers)
    for (const one of [...gathered.manifests]) await takeReferrers(rooms, repository, one, item, gathered);
  yield {
    id: `oci:${repository.name}${tag || !digest ? `:${tag ?? 'latest'}` : ''}@${rootDigest}`,
    type: 'oci',
    refs: [...gathered.refs.values()],
    optional: [...gathered.optional.values()],
    details: {
      image: `${repository.name}${digest ? '' : `:${tag ?? 'latest'}`}`,
      digest: rootDigest,
      manifests: gathered.manifests.size,
      bytes: gathered.bytes,
      ...(item.platforms ? { platforms: item.platforms } : {}),
      ...(gathered.left.size > 0 ? { leftOut: [...gathered.left] } : {}),
      ...(gathered.referrers.size > 0 ? { referrers: [...gathered.referrers] } : {}),
    },
  };
}

/** A name without a host is a repository of ours where we have one, and docker.io's where not. */
async function repositoryOf({ repositories }: Rooms, { name }: ImageItem): Promise<Repository> {
  return repositories.find(
    name.bare ? { name: name.path.replace(/^library\//, '') } : { name: name.path, host: name.host },
  );
}

/** Takes a manifest and all that it names. */
async function take(
  rooms: Rooms,
  repository: Repository,
  digest: string,
  item: ImageItem,
  gathered: Gathered,
  depth = 0,
): Promise<void> {
  if (gathered.manifests.has(digest)) return;
  if (depth > DEEPEST)
    throw new MirrorError('bad-request', 'manifest', `${repository.name}: its indexes are nested too deep`);
  const manifest = await takeManifest(rooms, repository, digest, gathered);
  const { taken, left, lacking } = choosePlatforms(manifest.manifests, item.platforms);
  if (lacking.length > 0)
    throw new MirrorError(
      'not-found',
      'manifest',
      `${repository.name}@${digest} has no image for ${lacking.join(', ')}; it has ${left.join(', ')}`,
    );
  for (const one of left) gathered.left.add(one);
  for (const one of taken) await take(rooms, repository, one.digest, item, gathered, depth + 1);
}

async function takeManifest(
  rooms: Rooms,
  repository: Repository,
  digest: string,
  gathered: Gathered,
): Promise<Manifest> {
  const ref = rooms.refs.manifest(repository, digest);
  const { bytes, entry } = await rooms.context.mirror.read(ref);
  gathered.manifests.add(digest);
  add(gathered.refs, ref);
  // where it is listed as this repository's, it is offline, too
  for (const alias of ref.aliases?.(entry) ?? []) add(gathered.optional, alias);
  const manifest = readManifest(bytes, undefined);
  for (const one of [...(manifest.config ? [manifest.config] : []), ...manifest.layers]) {
    const blob = rooms.refs.blob(repository, one.digest);
    // foreign layers are where their owner keeps them; some registries have them all the same
    if (isForeign(one)) add(gathered.optional, blob);
    else if (add(gathered.refs, blob)) gathered.bytes += one.size;
  }
  return manifest;
}

/** What refers to a manifest, what refers to that in turn, and what lies in tags beside it. */
async function takeReferrers(
  rooms: Rooms,
  repository: Repository,
  digest: string,
  item: ImageItem,
  gathered: Gathered,
): Promise<void> {
  if (repository.registry)
    for (const page of (await listedAt(rooms, repository, digest)).pages) add(gathered.optional, page);
  for (const { digest: one } of await referrersOf(rooms, repository, digest)) {
    if (gathered.manifests.has(one)) continue;
    gathered.referrers.add(one);
    await take(rooms, repository, one, { ...item, platforms: undefined }, gathered);
    if (!repository.registry) await takeListing(rooms, repository, digest, one, gathered);
    await takeReferrers(rooms, repository, one, item, gathered);
  }
  const dashed = digest.replace(':', '-');
  for (const tag of [dashed, ...BESIDE.map((suffix) => `${dashed}.${suffix}`)]) {
    const ref = { ...(await manifestRef(rooms, repository, tag)), want: undefined };
    const found = await rooms.context.mirror.read(ref).catch(absent);
    if (!found) continue;
    add(gathered.refs, ref);
    gathered.referrers.add(digestIn(found.entry));
    await take(rooms, repository, digestIn(found.entry), { ...item, platforms: undefined }, gathered);
  }
}

async function takeListing(
  { context }: Rooms,
  { name }: Repository,
  subject: string,
  digest: string,
  gathered: Gathered,
): Promise<void> {
  const key = `referrer/${name}@${subject}/${digest}`;
  if (await context.catalog.get(key)) add(gathered.refs, localRef(key));
}

function absent(error: unknown): undefined {
  if (isKind(error, 'not-found', 'not-held', 'upstream-denied', 'upstream-failed', 'forbidden')) return undefined;
  throw error;
}

function localRef(key: string): Ref {
  return { key, subject: 'repository', label: key, source: '', origin: '', freshness: 'immutable' };
}

/** @returns false when it was there already */
function add(refs: Map<string, Ref>, ref: Ref): boolean {
  if (refs.has(ref.key)) return false;
  refs.set(ref.key, ref);
  return true;
}

/** Every manifest and blob that the item takes must be found in the bundle. */
async function* prove(context: Context<OciConfig>, item: ManifestItem): AsyncGenerator<MissingEdge> {
  const { name } = readItem(item.value, item.defaults);
  const target = `oci:${name.repository}`;
  try {
    for await (const { refs } of closure(context, item))
      for (const ref of refs)
        if (!(await context.mirror.held(ref))) yield { target, message: `${ref.label} is not in the bundle` };
  } catch (error) {
    if (!isKind(error, 'not-held', 'not-found')) throw error;
    yield { target, message: (error as MirrorError).message };
  }
}
