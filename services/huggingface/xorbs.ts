import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ByteRange } from '../../shared/model/byte-range.ts';

/**
 * A file as Xet's client wants to have it, made up over its plain bytes (reference/huggingface.md §3): xorbs of 32 MiB,
 * each a row of chunks of 64 KiB, each behind a header of 8 bytes and not compressed. Where a byte lies is arithmetic,
 * so nothing of it is ever stored.
 */
export const CHUNK = 64 << 10;
export const XORB = 32 << 20;
const HEAD = 8;
const FRAMED = CHUNK + HEAD;

/** Xorbs of a file of so many bytes. */
export function countOfXorbs(size: number): number {
  return Math.ceil(size / XORB);
}

/** Bytes of the file in a xorb. */
export function plainLength(size: number, index: number): number {
  return Math.min(XORB, size - index * XORB);
}

/** Bytes of a xorb, headers included. */
export function framedLength(size: number, index: number): number {
  const plain = plainLength(size, index);
  return plain + HEAD * Math.ceil(plain / CHUNK);
}

/** A name for it: any 64 hex digits that are always the same. */
export function xorbHash(sha256: string, index: number): string {
  return createHash('sha256').update(`${sha256} ${index}`).digest('hex');
}

/** A part of a file, as a term of a reconstruction has it. */
export interface Term {
  index: number;
  /** Chunks `start` to `end`, the last excluded. */
  chunks: { start: number; end: number };
  /** Their bytes in the xorb, both included. */
  bytes: ByteRange;
  /** Bytes of the file that they hold. */
  plain: number;
}

/** The terms that cover bytes of a file; the first begins at a chunk, so up to 64 KiB before. */
export function termsOf(size: number, range: ByteRange): Term[] {
  const terms: Term[] = [];
  for (let index = Math.floor(range.start / XORB); index * XORB <= range.end; index += 1) {
    const plain = plainLength(size, index);
    const first = Math.max(0, range.start - index * XORB);
    const last = Math.min(plain - 1, range.end - index * XORB);
    const chunks = { start: Math.floor(first / CHUNK), end: Math.floor(last / CHUNK) + 1 };
    const plainEnd = Math.min(plain, chunks.end * CHUNK);
    const bytes = { start: chunks.start * FRAMED, end: plainEnd + HEAD * chunks.end - 1 };
    terms.push({ index, chunks, bytes, plain: plainEnd - chunks.start * CHUNK });
  }
  return terms;
}

/**
 * Bytes of a xorb.
 * @param open gives bytes of the file
 */
export function openXorb(
  size: number,
  index: number,
  range: ByteRange | undefined,
  open: (range: ByteRange) => Promise<Readable>,
): Readable {
  const asked = range ?? { start: 0, end: framedLength(size, index) - 1 };
  return Readable.from(framed(size, index, asked, open), { objectMode: false, highWaterMark: 1 << 20 });
}

async function* framed(
  size: number,
  index: number,
  { start, end }: ByteRange,
  open: (range: ByteRange) => Promise<Readable>,
): AsyncGenerator<Buffer> {
  const plain = plainLength(size, index);
  const first = Math.floor(start / FRAMED);
  const last = Math.floor(end / FRAMED);
  const from = first * CHUNK;
  const to = Math.min(plain, (last + 1) * CHUNK) - 1;
  const body = await open({ start: index * XORB + from, end: index * XORB + to });
  // what comes before the first wanted byte, and how much is still wanted
  let skip = start - first * FRAMED;
  let left = end - start + 1;
  const cut = (bytes: Buffer): Buffer => {
    const dropped = Math.min(skip, bytes.length);
    skip -= dropped;
    const part = bytes.subarray(dropped, dropped + left);
    left -= part.length;
    return part;
  };
  let at = from;
  for await (const piece of body as AsyncIterable<Buffer>) {
    for (let offset = 0; offset < piece.length && left > 0; ) {
      if (at % CHUNK === 0) yield cut(header(Math.min(CHUNK, plain - at)));
      const length = Math.min(CHUNK - (at % CHUNK), piece.length - offset);
      const part = cut(Buffer.from(piece.subarray(offset, offset + length)));
      if (part.length > 0) yield part;
      at += length;
      offset += length;
    }
    if (left <= 0) break;
  }
}

/** Version 0, length stored, scheme 0 (not compressed), length. */
function header(length: number): Buffer {
  const bytes = Buffer.alloc(HEAD);
  bytes.writeUIntLE(length, 1, 3);
  bytes.writeUIntLE(length, 5, 3);
  return bytes;
}
