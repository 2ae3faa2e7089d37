import { type Digest, hexOf } from '../model/digest.ts';
import { MirrorError } from '../model/errors.ts';
import { allDocuments } from './catalog-documents.ts';
import { blobPath, IMPORTS } from './paths.ts';
import type { Store } from './store.ts';

export interface GcOptions {
  /**
   * Blobs younger than this are left alone: bytes come before their names, so downloads and imports that run have
   * some that no name points at yet.
   */
  olderThanSeconds: number;
  /** Milliseconds since the epoch. */
  now: number;
  signal?: AbortSignal;
}

export interface GcPlan {
  /** Blobs last wanted before this (ms since the epoch) may go. */
  cutoff: number;
  blobs: { digest: Digest; size: number }[];
  bytes: number;
  /** Unreferenced, and too young to go. */
  young: { count: number; bytes: number };
  /** Imports under way, for which everything is kept: `imports/<id>`. */
  importing: string[];
}

export interface GcResult {
  deleted: number;
  bytes: number;
  /** Of the plan, those that were wanted again meanwhile. */
  kept: number;
}

/**
 * Says which blobs no name points at any more. The documents are read for it, not the index. Throws `corrupt` when one
 * of them cannot be read: what it points at is not known, so nothing may go.
 */
export async function planGc(store: Store, options: GcOptions): Promise<GcPlan> {
  const cutoff = options.now - options.olderThanSeconds * 1000;
  const importing = await importsSince(store, cutoff);
  const plan: GcPlan = { cutoff, blobs: [], bytes: 0, young: { count: 0, bytes: 0 }, importing };
  const referenced = await referencedBlobs(store, options.signal);
  for await (const { digest, size, modified } of store.blobs.list()) {
    options.signal?.throwIfAborted();
    if (referenced.has(hexOf(digest))) continue;
    if (importing.length > 0 || modified.getTime() >= cutoff) {
      plan.young.count += 1;
      plan.young.bytes += size;
    } else {
      plan.blobs.push({ digest, size });
      plan.bytes += size;
    }
  }
  return plan;
}

/** Deletes what is planned and still unwanted: names and ages are looked at again, since the plan may have been slept over. */
export async function runGc(store: Store, plan: GcPlan, options: { signal?: AbortSignal } = {}): Promise<GcResult> {
  const result: GcResult = { deleted: 0, bytes: 0, kept: 0 };
  const importing = await importsSince(store, plan.cutoff);
  if (plan.blobs.length === 0 || importing.length > 0) return { ...result, kept: plan.blobs.length };
  const referenced = await referencedBlobs(store, options.signal);
  for (const { digest, size } of plan.blobs) {
    options.signal?.throwIfAborted();
    if (referenced.has(hexOf(digest)) || !(await isUnwanted(store, digest, plan.cutoff))) {
      result.kept += 1;
      continue;
    }
    await store.blobs.delete(digest);
    result.deleted += 1;
    result.bytes += size;
  }
  return result;
}

/** A look at the last moment: bytes that are offered again are touched, and names reach the index at once. */
async function isUnwanted(store: Store, digest: Digest, cutoff: number): Promise<boolean> {
  const found = await store.objects.head(blobPath(digest));
  if (!found || found.modified.getTime() >= cutoff) return false;
  for (const service of await store.services()) {
    if ((await store.catalog(service).referrers(digest)).length > 0) return false;
  }
  return true;
}

async function referencedBlobs(store: Store, signal?: AbortSignal): Promise<Set<string>> {
  const referenced = new Set<string>();
  for await (const { path, document, damage } of allDocuments(store.objects, signal)) {
    if (damage) {
      const message = `${path} cannot be read, so nobody knows which bytes it needs and nothing is deleted; run "larder store verify"`;
      throw new MirrorError('corrupt', 'name', message, { cause: damage });
    }
    const blobs = document ? (document.entry.parts ?? [document.entry]) : [];
    for (const { digest } of blobs) referenced.add(hexOf(digest));
  }
  return referenced;
}

/**
 * Imports that began behind the cutoff and are not done. They count on blobs that they found here, however old these
 * are. An import that was given up counts no more once it is older than the grace period.
 */
async function importsSince(store: Store, cutoff: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, modified } of store.objects.list(IMPORTS)) {
    if (key.endsWith('/journal.json') && modified.getTime() >= cutoff)
      found.push(key.slice(0, -'/journal.json'.length));
  }
  return found;
}
