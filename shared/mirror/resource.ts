import type { Readable } from 'node:stream';
import type { ByteRange } from '../model/byte-range.ts';
import { type Entry, type Facts, factsOf } from '../model/entry.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Elsewhere, Wanted } from '../storage/delivery.ts';

/**
 * How an answer came about; told in the `x-larder-served` response header, counted, logged.
 * hit: held and fresh · stale: held, the origin is asked behind it, or is out · revalidated: the origin confirmed what
 * is held · adopted: bytes held under another name · miss: this request started the download · shared: it joined one.
 */
export type Served = 'hit' | 'stale' | 'revalidated' | 'adopted' | 'miss' | 'shared';

/** Something that can be sent: held, or still arriving. */
export interface Resource {
  facts: Facts;
  served: Served;
  /**
   * The bytes, or some of them. Chunks are up to 1 MiB. May be called more than once, also after the download that
   * this resource came from is over. An error of the stream means that the bytes cannot be completed: the socket
   * must be destroyed, never ended.
   */
  open(range?: ByteRange): Promise<Readable>;
  /** Where clients get it without us; only of what is held. */
  elsewhere?(wanted: Wanted): Promise<Elsewhere | undefined>;
}

/** What is held, as something to send. */
export function heldResource(entry: Entry, served: Served, blobs: BlobStore): Resource {
  const { digest, parts, size } = entry;
  // an engine is asked for a large body in another way, so the store is told how large it is
  const whole = size > 0 ? { start: 0, end: size - 1 } : undefined;
  return {
    facts: factsOf(entry),
    served,
    open: (range = whole) => blobs.open(digest, range),
    // what lies in several blobs is nowhere whole
    ...(parts ? {} : { elsewhere: (wanted) => blobs.elsewhere(digest, wanted) }),
  };
}

/** A small thing read whole. */
export interface Document {
  entry: Entry;
  bytes: Buffer;
  served: Served;
}
