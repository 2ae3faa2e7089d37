import { z } from 'zod';
import { entrySchema } from '../model/entry.ts';

/**
 * The bundle on a medium: a BagIt 1.0 bag (RFC 8493) whose payload is an OCI image layout.
 *
 *   <bundle>/
 *   |- README.txt                    how to check it with sha256sum alone
 *   |- bagit.txt  bag-info.txt       BagIt declaration
 *   |- bundle.json                   the head: <= 64 KiB, read first
 *   |- bundle.yaml                   the manifest as its author wrote it
 *   |- bundle.lock.json              everything it resolved to
 *   |- index/items.jsonl             one item per line: its names and their blobs
 *   |- index/blobs.jsonl             one blob per line: size, place, segments
 *   |- index/volumes.jsonl           one volume per line; empty in the directory form
 *   |- index/external.jsonl          blobs that the site must hold already; empty in a full bundle
 *   |- manifest-sha256.txt           every file under data/, as sha256sum writes it
 *   |- tagmanifest-sha256.txt        every file above: the one thing to sign
 *   `- data/
 *      |- oci-layout  index.json     an OCI image layout; other content needs no image manifest
 *      `- blobs/sha256/<64 hex>      the bytes under their own digest
 *
 * Only hex names on the medium; real names live in JSON. Later forms add members and `requires` words; a reader
 * refuses a word that it does not know.
 */
export const BUNDLE_FORMAT = 'larder-bundle/1';

/** Words in `requires` that this reader understands. `segments`: blobs.jsonl carries digests of 1 GiB segments. */
export const UNDERSTOOD = new Set(['segments']);

/** Bytes in a segment: the unit of later volumes, resume and multipart. */
export const SEGMENT_SIZE = 1024 ** 3;

export const HEAD = 'bundle.json';
export const MOST_HEAD_BYTES = 64 * 1024;
export const ITEMS = 'index/items.jsonl';
export const BLOBS = 'index/blobs.jsonl';
export const VOLUMES = 'index/volumes.jsonl';
export const EXTERNAL = 'index/external.jsonl';
export const MANIFEST = 'manifest-sha256.txt';
export const TAG_MANIFEST = 'tagmanifest-sha256.txt';

/** A line of a list may be this long: a project with many files has long facts, never this long. */
export const MOST_LINE_BYTES = 4 * 1024 * 1024;

/** Tag files that the tag manifest must name: all but itself and its signatures. */
export const TAG_FILES = [
  'README.txt',
  'bag-info.txt',
  'bagit.txt',
  'bundle.json',
  'bundle.lock.json',
  'bundle.yaml',
  BLOBS,
  EXTERNAL,
  ITEMS,
  VOLUMES,
  MANIFEST,
] as const;

const SIGNATURES = /^tagmanifest-sha256\.txt(\.[a-z0-9-]{1,64})?\.(sig|minisig)$/;
const PAYLOAD = /^data\/(oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/;
const FOLDERS = new Set(['', 'index', 'data', 'data/blobs', 'data/blobs/sha256']);

/** True for a file that may stand in a bundle. Everything else is refused, wherever it stands. */
export function isMember(path: string): boolean {
  return (
    (TAG_FILES as readonly string[]).includes(path) ||
    path === TAG_MANIFEST ||
    SIGNATURES.test(path) ||
    PAYLOAD.test(path)
  );
}

/** True for a folder that may stand in a bundle. */
export function isFolder(path: string): boolean {
  return FOLDERS.has(path);
}

/** Where a blob lies. */
export function blobMember(hex: string): string {
  return `data/blobs/sha256/${hex}`;
}

/** A bundle's name: it also names folders and volume files, so it is kept plain. */
export const bundleIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1-63 of a-z, 0-9 and "-", starting with a letter or digit');

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** bundle.json. Fields that a later writer adds are let through; what changes the meaning goes into `requires`. */
export const headSchema = z.looseObject({
  format: z.string(),
  requires: z.array(z.string().max(64)).max(64),
  id: bundleIdSchema,
  channel: z.string().max(128).nullable(),
  created: z.string().max(40),
  creator: z.looseObject({ tool: z.string().max(128) }),
  base: z.looseObject({ kind: z.string() }).nullable(),
  complete: z.boolean(),
  failed: z.array(z.object({ item: z.string(), message: z.string() })).max(10_000),
  counts: z.looseObject({ items: bytes, blobs: bytes, bytes }),
  segmentSize: bytes,
  digest: z.record(z.string(), z.string().regex(/^sha256:[0-9a-f]{64}$/)),
});
export type BundleHead = z.infer<typeof headSchema>;

/**
 * A line of index/items.jsonl. `entries` are names that say their bytes; `refs` are names that move (project pages,
 * tags, branches) and are put last. What else stands in the line are facts for people and other tools.
 */
export const itemSchema = z.looseObject({
  id: z.string().min(1).max(1024),
  type: z.string().min(1).max(64),
  service: z.string().regex(/^[a-z][a-z0-9]{0,31}$/),
  entries: z.array(entrySchema).max(100_000),
  refs: z.array(entrySchema).max(100_000),
});
export type ItemLine = z.infer<typeof itemSchema>;

/** A line of index/blobs.jsonl. */
export const blobSchema = z.looseObject({
  sha256: hex,
  size: bytes,
  path: z.string().max(256),
  segments: z.array(z.looseObject({ n: z.number().int().positive(), size: bytes, sha256: hex })).optional(),
});
export type BlobLine = z.infer<typeof blobSchema>;

/** A line of index/external.jsonl. */
export const externalSchema = z.looseObject({ sha256: hex, size: bytes });
