import { z } from 'zod';
import type { Digest } from './digest.ts';

/** What is known of bytes before, or without, having them. */
export interface Facts {
  /** Bytes. */
  size?: number;
  mediaType: string;
  /** As an HTTP field has it, quotes included. */
  etag?: string;
  /** An HTTP date. */
  lastModified?: string;
  /** What else the origin said that clients of this protocol need, by lower-case name. */
  headers: Record<string, string>;
}

/** A name that points at a blob: the one document of the catalog. Names are mutable, bytes never. */
export interface Entry extends Facts {
  /** Unique in its service; never a path. */
  key: string;
  digest: Digest;
  size: number;
  /** Where the bytes came from: an origin's URL without credentials, `upload`, or `bundle:<id>`. */
  origin: string;
  /** ISO 8601. */
  storedAt: string;
  /** When the origin last confirmed it, ISO 8601. */
  checkedAt: string;
  /** An S3 multipart object: blobs that are joined when read. */
  parts?: { digest: Digest; size: number }[];
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>;
const size = z.number().int().nonnegative();

/** An Entry as it stands in a document, a bundle or an index: checked when it comes from outside. */
export const entrySchema: z.ZodType<Entry> = z.object({
  key: z.string().min(1).max(4096),
  digest,
  size,
  mediaType: z.string().max(256),
  etag: z.string().max(1024).optional(),
  lastModified: z.string().max(64).optional(),
  headers: z.record(z.string().max(128), z.string().max(65_536)),
  origin: z.string().max(4096),
  storedAt: z.string().max(40),
  checkedAt: z.string().max(40),
  parts: z.array(z.object({ digest, size })).max(10_000).optional(),
});

/** The facts of an entry alone. */
export function factsOf(entry: Entry): Facts & { size: number } {
  const { size, mediaType, etag, lastModified, headers } = entry;
  return { size, mediaType, etag, lastModified, headers };
}
