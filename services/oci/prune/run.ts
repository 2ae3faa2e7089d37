import type { Entry } from '../../../shared/model/entry.ts';
import type { ImageRooms } from '../images.ts';
import { blobKey, layerKey, linkKey, manifestKey, referrerKey, tagKey } from '../keys.ts';
import { allKeys } from '../pages.ts';
import { HeldImages } from './held-images.ts';
import { goingManifests, type PrunePlan } from './plan.ts';

export interface Pruned {
  tags: number;
  manifests: number;
  blobs: number;
  bytes: number;
  /** Of the plan, what is needed again, or means something else by now. */
  kept: number;
}

/**
 * Does what was planned, of that what still holds: a tag that was moved stays, and so does all that something leads to.
 * Names go, tags first; the bytes go with the next collection of the store.
 */
export async function runPrune(rooms: ImageRooms, plan: PrunePlan, signal?: AbortSignal): Promise<Pruned> {
  const { catalog } = rooms;
  const result: Pruned = { tags: 0, manifests: 0, blobs: 0, bytes: 0, kept: 0 };
  for (const { repository, tag, digest } of plan.tags) {
    signal?.throwIfAborted();
    const now = (await new HeldImages(rooms).tags(repository)).find((one) => one.tag === tag);
    if (now?.digest === digest) {
      await catalog.delete(tagKey(repository, tag));
      result.tags += 1;
    } else result.kept += 1;
  }
  const held = new HeldImages(rooms);
  const manifests = await stillLoose(held, plan);
  result.kept += plan.manifests.length - manifests.length;
  const going = await goingManifests(held, { manifests });
  for (const { repository, digest } of manifests) {
    signal?.throwIfAborted();
    await removeManifest(rooms, held, repository, digest, going.has(digest));
    result.manifests += 1;
  }
  await removeBlobs(rooms, plan, result, signal);
  return result;
}

/** The plan's manifests that no tag leads to today. */
async function stillLoose(held: HeldImages, plan: PrunePlan): Promise<PrunePlan['manifests']> {
  const loose: PrunePlan['manifests'] = [];
  for (const repository of new Set(plan.manifests.map((one) => one.repository))) {
    const planned = new Set(plan.manifests.filter((one) => one.repository === repository).map(({ digest }) => digest));
    const here = [...(await held.manifests(repository)).keys()];
    const others = here.filter((digest) => !planned.has(digest));
    const tagged = (await held.tags(repository)).map(({ digest }) => digest);
    const reached = await held.reached(repository, [...tagged, ...others]);
    for (const digest of here) if (!reached.has(digest)) loose.push({ repository, digest });
  }
  return loose;
}

async function removeManifest(
  { catalog }: ImageRooms,
  held: HeldImages,
  repository: string,
  digest: string,
  everywhere: boolean,
): Promise<void> {
  const subject = (await held.manifest(digest))?.subject?.digest;
  if (subject) await catalog.delete(referrerKey(repository, subject, digest));
  await catalog.delete(linkKey(repository, digest));
  if (everywhere) await catalog.delete(manifestKey(digest));
}

/** Names of blobs, and of their places in repositories. A manifest that came meanwhile gets back what it needs. */
async function removeBlobs(rooms: ImageRooms, plan: PrunePlan, result: Pruned, signal?: AbortSignal): Promise<void> {
  const { catalog } = rooms;
  const needed = await neededBlobs(rooms);
  const removed = new Map<string, Entry[]>();
  const repositories = [...new Set(plan.manifests.map(({ repository }) => repository))];
  for (const { digest, size } of plan.blobs) {
    signal?.throwIfAborted();
    if (needed.has(digest)) {
      result.kept += 1;
      continue;
    }
    const keys = [...repositories.map((repository) => layerKey(repository, digest)), blobKey(digest)];
    const entries = await Promise.all(keys.map((key) => catalog.get(key)));
    const found = entries.filter((entry) => entry !== undefined);
    if (found.length === 0) continue;
    removed.set(digest, found);
    for (const key of keys) await catalog.delete(key);
    result.blobs += 1;
    result.bytes += size;
  }
  for (const digest of await neededBlobs(rooms)) {
    const entries = removed.get(digest);
    if (!entries?.length) continue;
    await catalog.putMany(entries);
    result.blobs -= 1;
    result.kept += 1;
  }
}

/** Of all manifests that are held. */
async function neededBlobs(rooms: ImageRooms): Promise<Set<string>> {
  const held = new HeldImages(rooms);
  const needed = new Set<string>();
  for (const digest of await allKeys(rooms.catalog, manifestKey('')))
    for (const blob of await held.blobs(digest)) needed.add(blob);
  return needed;
}
