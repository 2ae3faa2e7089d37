import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { SEGMENT_SIZE } from './layout.ts';

export interface Segment {
  /** From 1. */
  n: number;
  /** Bytes. */
  size: number;
  sha256: string;
}

export interface Hashed {
  sha256: string;
  size: number;
  /** Digests of the 1 GiB pieces, for blobs that are larger than one. */
  segments: Segment[] | undefined;
}

/** Hashes bytes as they pass, the whole and its segments. */
export class SegmentHasher {
  #size = 0;
  readonly #whole = createHash('sha256');
  readonly #cut: boolean;
  readonly #segments: Segment[] = [];
  #segment: Hash | undefined;
  #inSegment = 0;

  /** @param size bytes that are expected: only what is larger than a segment is hashed twice */
  constructor(size: number) {
    this.#cut = size > SEGMENT_SIZE;
  }

  update(chunk: Buffer): void {
    this.#size += chunk.length;
    this.#whole.update(chunk);
    if (!this.#cut) return;
    for (let offset = 0; offset < chunk.length; ) {
      const piece = chunk.subarray(offset, offset + SEGMENT_SIZE - this.#inSegment);
      this.#segment ??= createHash('sha256');
      this.#segment.update(piece);
      this.#inSegment += piece.length;
      offset += piece.length;
      if (this.#inSegment === SEGMENT_SIZE) this.#endSegment();
    }
  }

  finish(): Hashed {
    if (this.#inSegment > 0) this.#endSegment();
    return { sha256: this.#whole.digest('hex'), size: this.#size, segments: this.#cut ? this.#segments : undefined };
  }

  #endSegment(): void {
    const sha256 = this.#segment!.digest('hex');
    this.#segments.push({ n: this.#segments.length + 1, size: this.#inSegment, sha256 });
    this.#segment = undefined;
    this.#inSegment = 0;
  }
}

/** Reads a file once and hashes it. */
export async function hashFile(
  path: string,
  size: number,
  options: { signal?: AbortSignal; onBytes?(bytes: number): void } = {},
): Promise<Hashed> {
  const hasher = new SegmentHasher(size);
  for await (const chunk of createReadStream(path, {
    highWaterMark: 1 << 20,
    signal: options.signal,
  }) as AsyncIterable<Buffer>) {
    hasher.update(chunk);
    options.onBytes?.(chunk.length);
  }
  return hasher.finish();
}
