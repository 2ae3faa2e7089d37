import { Readable } from 'node:stream';
import type { DocumentCache } from '../../shared/mirror/document-cache.ts';
import { type ByteRange, lengthOf } from '../../shared/model/byte-range.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { BlobStore } from '../../shared/storage/blob-store.ts';

type Blobs = Pick<BlobStore, 'open' | 'read'>;

/** Objects up to so many bytes are read at once, and go out with their headers. */
const SMALL = 64 * 1024;

/** The same for an answer: a small object in one piece. */
export async function bodyOf(
  blobs: Blobs,
  small: DocumentCache,
  entry: Entry,
  range?: ByteRange,
): Promise<Readable | Buffer> {
  if (entry.parts || entry.size > SMALL || entry.size === 0) return openObject(blobs, entry, range);
  const bytes = await small.read(entry.digest, () => blobs.read(entry.digest, SMALL));
  return range ? bytes.subarray(range.start, range.end + 1) : bytes;
}

/** The bytes of an object, or a part of them, whatever blobs they lie in. */
export async function openObject(blobs: Blobs, entry: Entry, range?: ByteRange): Promise<Readable> {
  if (!entry.parts) return entry.size === 0 ? Readable.from([]) : blobs.open(entry.digest, range);
  const wanted = range ?? { start: 0, end: entry.size - 1 };
  return Readable.from(joined(blobs, entry.parts, wanted), { objectMode: false, highWaterMark: 1 << 20 });
}

async function* joined(blobs: Blobs, parts: NonNullable<Entry['parts']>, range: ByteRange): AsyncGenerator<Buffer> {
  let left = range.start;
  let length = lengthOf(range);
  for (const { digest, size } of parts) {
    if (length <= 0) return;
    const here = Math.min(size - left, length);
    if (here > 0) {
      yield* (await blobs.open(digest, { start: left, end: left + here - 1 })) as AsyncIterable<Buffer>;
      length -= here;
    }
    left = Math.max(0, left - size);
  }
}

/** Bytes of a part of an object that was put together from parts; of any other the whole is part 1. */
export function partOf(entry: Entry, number: number): ByteRange | undefined {
  const sizes = entry.parts?.map(({ size }) => size) ?? [entry.size];
  const size = sizes[number - 1];
  if (size === undefined) return undefined;
  const start = sizes.slice(0, number - 1).reduce((sum, one) => sum + one, 0);
  return { start, end: start + size - 1 };
}
