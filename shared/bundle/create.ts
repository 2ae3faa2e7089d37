import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { digestOf, hexOf } from '../model/digest.ts';
import { fromSystemError, MirrorError } from '../model/errors.ts';
import { checkRoom, copyBlobs, dropStrangers } from './copy-blobs.ts';
import type { CreateOptions, CreateResult, Failed } from './create-options.ts';
import { type Hashed, hashFile } from './hash-file.ts';
import {
  BLOBS,
  BUNDLE_FORMAT,
  type BundleHead,
  blobMember,
  EXTERNAL,
  HEAD,
  ITEMS,
  MANIFEST,
  SEGMENT_SIZE,
  VOLUMES,
} from './layout.ts';
import { openBundle } from './open.ts';
import { type BundleProgress, silent } from './progress.ts';
import { syncFolder, syncTree } from './sync.ts';
import { spokenCode, writeDescriptions, writeOciLayout, writeTagManifest } from './tag-files.ts';

/**
 * Writes a bundle in the directory form. Nothing that looks like a finished bundle exists before the last rename; a run
 * that was cut short leaves `<target>.partial`, and the same call goes on from there (blobs that lie there whole are
 * read and kept, not copied again).
 */
export async function createBundle(options: CreateOptions): Promise<CreateResult> {
  const progress = options.progress ?? silent;
  const target = resolve(options.target);
  const partial = `${target}.partial`;
  await refuseOccupied(target);
  try {
    await mkdir(join(partial, 'data/blobs/sha256'), { recursive: true });
    await mkdir(join(partial, 'index'), { recursive: true });
    progress.step('resolve');
    const listed = await writeItems(partial, options, progress);
    await dropStrangers(partial, listed.blobs);
    await checkRoom(partial, listed.blobs);
    progress.step('copy', {
      count: listed.blobs.size,
      bytes: [...listed.blobs.values()].reduce((sum, size) => sum + size, 0),
    });
    const payload = await copyBlobs(partial, listed.blobs, {
      blobs: options.store.blobs,
      progress,
      signal: options.signal,
    });
    progress.step('lists');
    let result = await writeLists(partial, options, listed, payload);
    const missing = await findMissing(partial, options, progress);
    if (missing.length > 0) result = await writeLists(partial, { ...options, failed: missing }, listed, payload);
    await syncTree(partial);
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
    await syncFolder(dirname(target));
    return { dir: target, ...result };
  } catch (error) {
    throw fromSystemError(error, 'bundle');
  }
}

/** What the bundle lacks, of items that could not be had and of what its proof found; throws when that may not be. */
async function findMissing(partial: string, options: CreateOptions, progress: BundleProgress): Promise<Failed[]> {
  const missing = [...(options.failed ?? [])];
  if (options.prove) {
    progress.step('prove');
    missing.push(...(await options.prove(await openBundle(partial))));
  }
  if (missing.length > 0 && !options.allowPartial) {
    const shown = missing.map(({ item, message }) => `${item}: ${message}`).join('\n  ');
    throw new MirrorError('conflict', 'bundle', `it would not be whole, so it was not finished:\n  ${shown}`);
  }
  return missing;
}

async function refuseOccupied(target: string): Promise<void> {
  const present = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new MirrorError('bad-request', 'bundle', `${target} cannot be written to (${error.code})`, { cause: error });
  });
  if (present.length > 0) {
    throw new MirrorError(
      'conflict',
      'bundle',
      `${target} is not empty; give a new folder, a bundle is never written over another`,
    );
  }
}

interface Listed {
  items: number;
  blobs: Map<string, number>;
}

async function writeItems(partial: string, options: CreateOptions, progress: BundleProgress): Promise<Listed> {
  const lines = createWriteStream(join(partial, ITEMS));
  const lock = createWriteStream(join(partial, 'bundle.lock.json'));
  const blobs = new Map<string, number>();
  const seen = new Set<string>();
  lock.write(`{"format":"larder-lock/1","manifest":"${digestOf(options.manifestText)}","items":[\n`);
  for await (const item of options.items) {
    options.signal?.throwIfAborted();
    if (seen.has(item.id)) continue;
    const names = [...item.entries, ...item.refs];
    for (const entry of names) {
      for (const blob of entry.parts ?? [entry]) blobs.set(hexOf(blob.digest), blob.size);
    }
    await writeAll(
      lines,
      `${JSON.stringify({ id: item.id, type: item.type, service: item.service, ...item.details, entries: item.entries, refs: item.refs })}\n`,
    );
    const locked = {
      id: item.id,
      type: item.type,
      service: item.service,
      names: names.map(({ key, digest, size }) => ({ key, digest, size })),
    };
    await writeAll(lock, `${seen.size > 0 ? ',' : ''}${JSON.stringify(locked)}\n`);
    seen.add(item.id);
    progress.advance({ count: 1, label: item.id });
  }
  lock.write(']}\n');
  await Promise.all([endFile(lines), endFile(lock)]);
  return { items: seen.size, blobs };
}

async function writeAll(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

async function endFile(stream: NodeJS.WritableStream): Promise<void> {
  stream.end();
  await once(stream, 'finish');
}

async function writeLists(
  dir: string,
  options: CreateOptions,
  listed: Listed,
  payload: Map<string, Hashed>,
): Promise<Omit<CreateResult, 'dir'>> {
  const created = new Date(options.now()).toISOString();
  await writeOciLayout(dir);
  const small = new Map<string, Hashed>();
  for (const name of ['data/index.json', 'data/oci-layout']) small.set(name, await hashFile(join(dir, name), 0));
  const blobLines: string[] = [];
  const manifest: string[] = [];
  let bytes = 0;
  for (const [hex, { size, segments }] of payload) {
    blobLines.push(`${JSON.stringify({ sha256: hex, size, path: blobMember(hex), segments })}\n`);
    manifest.push(`${hex}  ${blobMember(hex)}\n`);
    bytes += size;
  }
  for (const [name, { sha256 }] of small) manifest.push(`${sha256}  ${name}\n`);
  await writeFile(join(dir, BLOBS), blobLines.join(''));
  await writeFile(join(dir, VOLUMES), '');
  await writeFile(join(dir, EXTERNAL), '');
  await writeFile(join(dir, MANIFEST), manifest.join(''));
  await writeFile(join(dir, 'bundle.yaml'), options.manifestText);
  const payloadBytes = bytes + [...small.values()].reduce((sum, { size }) => sum + size, 0);
  await writeDescriptions(dir, {
    id: options.id,
    channel: options.channel,
    created,
    tool: options.tool,
    payloadFiles: payload.size + small.size,
    payloadBytes,
  });
  const head = await writeHead(dir, options, { items: listed.items, blobs: payload.size, bytes }, created);
  const tagManifest = await writeTagManifest(dir);
  return { head, tagManifest, code: spokenCode(tagManifest) };
}

async function writeHead(
  dir: string,
  options: CreateOptions,
  counts: BundleHead['counts'],
  created: string,
): Promise<BundleHead> {
  const failed = options.failed ?? [];
  const digest: Record<string, string> = {};
  for (const name of [ITEMS, BLOBS, VOLUMES, MANIFEST])
    digest[name] = `sha256:${(await hashFile(join(dir, name), 0)).sha256}`;
  const head: BundleHead = {
    format: BUNDLE_FORMAT,
    requires: [],
    id: options.id,
    channel: options.channel ?? null,
    created,
    creator: { tool: options.tool },
    base: null,
    complete: failed.length === 0,
    failed,
    counts,
    segmentSize: SEGMENT_SIZE,
    digest,
  };
  await writeFile(join(dir, HEAD), `${JSON.stringify(head, null, 2)}\n`);
  return head;
}
