import type { ImageRooms } from '../images.ts';
import { blobKey, manifestKey } from '../keys.ts';
import { allKeys } from '../pages.ts';
import { patternOf } from '../repository-name.ts';
import { HeldImages, type HeldTag, subjectOfTag } from './held-images.ts';

/** What is to go. A tag goes when all that is said of it holds. */
export interface PruneRule {
  /** Full names, `*` for any characters: `nvcr.io/nvidia/*`. */
  repositories: readonly string[];
  /** Tags, likewise; unset for all of them. */
  tags?: readonly string[];
  /** So many of the newest of a repository stay. */
  keep?: number;
  /** Younger ones stay. Seconds. */
  olderThan?: number;
  /** Manifests that no tag leads to, too. */
  untagged?: boolean;
}

/** What a rule means today; a document that can be read, kept and signed before it is done. */
export interface PrunePlan {
  /** ISO 8601. */
  made: string;
  tags: { repository: string; tag: string; digest: string }[];
  manifests: { repository: string; digest: string }[];
  blobs: { digest: string; size: number }[];
  /** Of these blobs. */
  bytes: number;
}

/** Says what a rule would take away: tags, manifests that nothing leads to then, and blobs that nothing needs then. */
export async function planPrune(rooms: ImageRooms, rule: PruneRule): Promise<PrunePlan> {
  const held = new HeldImages(rooms);
  const patterns = rule.repositories.map(patternOf);
  const plan: PrunePlan = { made: new Date(rooms.now()).toISOString(), tags: [], manifests: [], blobs: [], bytes: 0 };
  for (const repository of await held.repositories())
    if (patterns.some((pattern) => pattern.test(repository))) await planRepository(rooms, held, repository, rule, plan);
  await planBlobs(rooms, held, plan);
  return plan;
}

async function planRepository(
  rooms: ImageRooms,
  held: HeldImages,
  repository: string,
  rule: PruneRule,
  plan: PrunePlan,
): Promise<void> {
  const tags = await held.tags(repository);
  const images = tags.filter(({ tag }) => subjectOfTag(tag) === undefined);
  const going = new Set(chosenTags(images, rule, rooms.now()).map(({ tag }) => tag));
  const staying = images.filter(({ tag }) => !going.has(tag)).map(({ digest }) => digest);
  const manifests = await held.manifests(repository);
  const before = await held.reached(repository, roots(tags));
  const old = (at: string) => Date.parse(at) <= rooms.now() - (rule.olderThan ?? 0) * 1000;
  const loose = [...manifests].filter(([digest, at]) => !before.has(digest) && !(rule.untagged && old(at)));
  const after = await held.reached(repository, [...staying, ...loose.map(([digest]) => digest)]);
  // what lies in a tag that is made of a digest goes with the manifest of that digest
  const companions = tags.filter(({ tag }) => subjectOfTag(tag) !== undefined);
  for (const { tag, digest } of companions)
    if (isLost(subjectOfTag(tag)!, after, manifests)) going.add(tag);
    else for (const one of await held.reached(repository, [digest])) after.add(one);
  for (const { tag, digest } of tags) if (going.has(tag)) plan.tags.push({ repository, tag, digest });
  for (const digest of manifests.keys()) if (!after.has(digest)) plan.manifests.push({ repository, digest });
}

const roots = (tags: readonly HeldTag[]) => tags.map(({ digest }) => digest);

function isLost(subject: string, after: ReadonlySet<string>, manifests: ReadonlyMap<string, string>): boolean {
  return manifests.has(subject) && !after.has(subject);
}

/** Newest first, so that `keep` counts from there. */
function chosenTags(tags: readonly HeldTag[], rule: PruneRule, now: number): HeldTag[] {
  const patterns = rule.tags?.map(patternOf);
  const byTag = tags.filter(({ tag }) => !patterns || patterns.some((pattern) => pattern.test(tag)));
  const newest = byTag.sort((one, other) => Date.parse(other.storedAt) - Date.parse(one.storedAt));
  return newest
    .slice(rule.keep ?? 0)
    .filter(({ storedAt }) => Date.parse(storedAt) <= now - (rule.olderThan ?? 0) * 1000);
}

/** Blobs of the manifests that go and of none that stays. */
async function planBlobs(rooms: ImageRooms, held: HeldImages, plan: PrunePlan): Promise<void> {
  const going = await goingManifests(held, plan);
  const candidates = new Set<string>();
  for (const digest of going) for (const blob of await held.blobs(digest)) candidates.add(blob);
  for (const digest of await allKeys(rooms.catalog, manifestKey('')))
    if (!going.has(digest)) for (const blob of await held.blobs(digest)) candidates.delete(blob);
  for (const digest of [...candidates].sort()) {
    const entry = await rooms.catalog.get(blobKey(digest));
    if (!entry) continue;
    plan.blobs.push({ digest, size: entry.size });
    plan.bytes += entry.size;
  }
}

/** Digests that no repository has any more when the plan is done. */
export async function goingManifests(held: HeldImages, plan: Pick<PrunePlan, 'manifests'>): Promise<Set<string>> {
  const planned = new Set(plan.manifests.map(({ repository, digest }) => `${repository}@${digest}`));
  const going = new Set(plan.manifests.map(({ digest }) => digest));
  for (const repository of await held.repositories())
    for (const digest of (await held.manifests(repository)).keys())
      if (!planned.has(`${repository}@${digest}`)) going.delete(digest);
  return going;
}
