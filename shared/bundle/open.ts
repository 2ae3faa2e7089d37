import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { hexOf } from '../model/digest.ts';
import type { Entry } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import { hashFile } from './hash-file.ts';
import { readJsonLines, readLines } from './json-lines.ts';
import {
  BLOBS,
  BUNDLE_FORMAT,
  type BundleHead,
  blobMember,
  blobSchema,
  EXTERNAL,
  externalSchema,
  HEAD,
  headSchema,
  ITEMS,
  type ItemLine,
  itemSchema,
  MANIFEST,
  MOST_HEAD_BYTES,
  TAG_FILES,
  TAG_MANIFEST,
  UNDERSTOOD,
} from './layout.ts';
import { scanTree } from './scan.ts';
import { spokenCode } from './tag-files.ts';

/** A bundle whose structure and lists are right; its blobs are not read yet. */
export interface OpenedBundle {
  dir: string;
  head: BundleHead;
  /** sha256 of the tag manifest. */
  tagManifest: string;
  code: string;
  /** Blobs in it: hex → bytes. */
  blobs: Map<string, number>;
  /** Blobs that the site must hold already: hex → bytes. */
  external: Map<string, number>;
  /** Payload files that are no blobs, with their sha256. */
  others: Map<string, string>;
  /** Read from the medium each time it is called. */
  items(): AsyncGenerator<ItemLine>;
}

/**
 * Opens a bundle and checks all of it but the blobs' bytes: only allowed members, every list under its digest, every
 * name inside it pointing at a blob that is listed. Throws `bad-request` (not a bundle, or a hostile one),
 * `unsupported` (a newer format), `corrupt` (a list was changed); nothing is written.
 */
export async function openBundle(path: string): Promise<OpenedBundle> {
  const dir = resolve(path);
  const head = await readHead(dir);
  const files = await scanTree(dir);
  const tagManifest = await checkTagFiles(dir, files);
  const digests = await readManifest(dir, MANIFEST);
  comparePayload(files, digests);
  const blobs = await readBlobs(dir, files);
  const external = new Map<string, number>();
  for await (const line of readJsonLines(join(dir, EXTERNAL), EXTERNAL, externalSchema))
    external.set(line.sha256, line.size);
  const others = new Map([...digests].filter(([name]) => !name.startsWith('data/blobs/')));
  const items = () => readJsonLines(join(dir, ITEMS), ITEMS, itemSchema);
  const bundle = { dir, head, tagManifest, code: spokenCode(tagManifest), blobs, external, others, items };
  await checkItems(bundle);
  return bundle;
}

/** Reads the head alone: what `format` and `requires` say decides whether the rest can be understood. */
export async function readHead(dir: string): Promise<BundleHead> {
  const path = join(dir, HEAD);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile())
    throw new MirrorError('bad-request', 'bundle', `there is no ${HEAD} in ${dir}: it is not a bundle`);
  if (found.size > MOST_HEAD_BYTES) {
    throw new MirrorError('bad-request', 'bundle', `${HEAD} is larger than ${MOST_HEAD_BYTES} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    throw new MirrorError('bad-request', 'bundle', `${HEAD} is not JSON`);
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (format !== BUNDLE_FORMAT) {
    const shown = JSON.stringify(format ?? null).slice(0, 80);
    throw new MirrorError('unsupported', 'bundle', `its format is ${shown}; this Larder reads ${BUNDLE_FORMAT}`);
  }
  const parsed = headSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new MirrorError('bad-request', 'bundle', `${HEAD}: ${issue.path.join('.')}: ${issue.message}`);
  }
  const unknown = parsed.data.requires.filter((word) => !UNDERSTOOD.has(word));
  if (unknown.length > 0) {
    throw new MirrorError(
      'unsupported',
      'bundle',
      `it needs ${unknown.join(', ')}, which this Larder does not know; use a newer one`,
    );
  }
  return parsed.data;
}

async function checkTagFiles(dir: string, files: Map<string, number>): Promise<string> {
  if (!files.has(TAG_MANIFEST)) throw new MirrorError('bad-request', 'bundle', `${TAG_MANIFEST} is missing`);
  const digests = await readManifest(dir, TAG_MANIFEST);
  for (const name of TAG_FILES) {
    const promised = digests.get(name);
    if (!promised || !files.has(name)) throw new MirrorError('bad-request', 'bundle', `${name} is missing`);
    const { sha256 } = await hashFile(join(dir, name), 0);
    if (sha256 !== promised)
      throw new MirrorError('corrupt', 'bundle', `${name} is not what ${TAG_MANIFEST} says it is`);
  }
  for (const name of digests.keys()) {
    if (!(TAG_FILES as readonly string[]).includes(name)) {
      throw new MirrorError(
        'bad-request',
        'bundle',
        `${TAG_MANIFEST} names ${JSON.stringify(name.slice(0, 200))}, which has no place in it`,
      );
    }
  }
  return createHash('sha256')
    .update(await readFile(join(dir, TAG_MANIFEST)))
    .digest('hex');
}

/** Lines of sha256sum: 64 hex digits, two blanks, a path. */
async function readManifest(dir: string, name: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for await (const line of readLines(join(dir, name), name)) {
    const match = /^([0-9a-f]{64}) [ *]([\x21-\x7e]+)$/.exec(line);
    if (!match) throw new MirrorError('bad-request', 'bundle', `${name} has a line that sha256sum would not write`);
    if (digests.has(match[2]!)) throw new MirrorError('bad-request', 'bundle', `${name} names ${match[2]} twice`);
    digests.set(match[2]!, match[1]!);
  }
  return digests;
}

function comparePayload(files: Map<string, number>, digests: Map<string, string>): void {
  for (const [path, sha256] of digests) {
    if (!path.startsWith('data/'))
      throw new MirrorError('bad-request', 'bundle', `${MANIFEST} names ${path}, which is no payload`);
    if (!files.has(path))
      throw new MirrorError('corrupt', 'bundle', `${path} is listed and not there; copy the bundle again`);
    if (path.startsWith('data/blobs/') && path !== blobMember(sha256)) {
      throw new MirrorError('bad-request', 'bundle', `${MANIFEST} gives ${path} another digest than its name`);
    }
  }
  for (const path of files.keys()) {
    if (path.startsWith('data/') && !digests.has(path)) {
      throw new MirrorError('bad-request', 'bundle', `${path} is there and in no list`);
    }
  }
}

async function readBlobs(dir: string, files: Map<string, number>): Promise<Map<string, number>> {
  const blobs = new Map<string, number>();
  for await (const line of readJsonLines(join(dir, BLOBS), BLOBS, blobSchema)) {
    if (line.path !== blobMember(line.sha256))
      throw new MirrorError('bad-request', 'bundle', `${BLOBS} puts ${line.sha256} at another place`);
    if (blobs.has(line.sha256)) throw new MirrorError('bad-request', 'bundle', `${BLOBS} names ${line.sha256} twice`);
    const size = files.get(line.path);
    if (size === undefined)
      throw new MirrorError('corrupt', 'bundle', `${line.path} is listed and not there; copy the bundle again`);
    if (size !== line.size) {
      throw new MirrorError(
        'corrupt',
        'bundle',
        `${line.path} has ${size} bytes instead of ${line.size}; copy the bundle again`,
      );
    }
    blobs.set(line.sha256, line.size);
  }
  for (const path of files.keys()) {
    if (path.startsWith('data/blobs/') && !blobs.has(path.slice(-64)))
      throw new MirrorError('bad-request', 'bundle', `${path} is there and not in ${BLOBS}`);
  }
  return blobs;
}

async function checkItems(bundle: OpenedBundle): Promise<void> {
  const ids = new Set<string>();
  const names = new Map<string, string>();
  for await (const item of bundle.items()) {
    if (ids.has(item.id))
      throw new MirrorError('bad-request', 'bundle', `${ITEMS} has ${JSON.stringify(item.id)} twice`);
    ids.add(item.id);
    for (const entry of [...item.entries, ...item.refs]) checkEntry(bundle, item, entry, names);
  }
}

function checkEntry(bundle: OpenedBundle, item: ItemLine, entry: Entry, names: Map<string, string>): void {
  const name = `${item.service} ${entry.key}`;
  const before = names.get(name);
  if (before !== undefined && before !== entry.digest) {
    throw new MirrorError('bad-request', 'bundle', `${JSON.stringify(name)} stands in it twice with different bytes`);
  }
  names.set(name, entry.digest);
  for (const blob of entry.parts ?? [entry]) {
    const size = bundle.blobs.get(hexOf(blob.digest)) ?? bundle.external.get(hexOf(blob.digest));
    if (size === undefined)
      throw new MirrorError('bad-request', 'bundle', `${item.id} needs ${blob.digest}, which is in no list`);
    if (size !== blob.size)
      throw new MirrorError('bad-request', 'bundle', `${item.id} gives ${blob.digest} another size than ${BLOBS}`);
  }
}
