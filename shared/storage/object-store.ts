import type { Readable } from 'node:stream';
import type { ByteRange } from '../model/byte-range.ts';

/** What a store knows of an object without opening it. */
export interface ObjectStat {
  /** Bytes. */
  size: number;
  /** Changes whenever the object is written; opaque; what `ifMatch` compares. */
  etag: string;
  modified: Date;
}

export interface PutOptions {
  /** Bytes of a stream, when known: an S3 engine needs it for a single put. */
  size?: number;
  /** Write only when nothing stands under the key. */
  ifAbsent?: boolean;
  /** Write only over the object with this etag. */
  ifMatch?: string;
}

export interface DeleteOptions {
  /** Delete only the object with this etag. */
  ifMatch?: string;
}

/**
 * `{ stored: false }` means that `ifAbsent` or `ifMatch` did not hold; nothing was changed. `modified` is told by
 * stores that know it without asking again: as `head` and `list` will tell it.
 */
export type PutOutcome = { stored: true; etag: string; modified?: Date } | { stored: false };

/** Where an object is to be had without us: for a while at an address, or as a file of the store's directory. */
export type Place = { url: string } | { file: string };

/**
 * THE SEAM to where bytes live: a directory, an S3 engine, memory. `test/conformance/object-store.ts` says what each
 * must do.
 *
 * Keys are the store's own (see `paths.ts`): `[a-zA-Z0-9._-]` segments with single slashes, none of them `.` or `..`,
 * at most 255 bytes a segment. Names of users never become keys.
 *
 * Absence is a value, an exception is a failure (a `MirrorError` of kind `internal`, `out-of-space`, or `unavailable`).
 * A put is visible whole or not at all, also after `kill -9` and power loss: an error of `body` or a body of another
 * length than `size` leaves nothing.
 */
export interface ObjectStore {
  head(key: string): Promise<ObjectStat | undefined>;
  /** The body comes in chunks of up to 1 MiB. `range` must lie inside the object. */
  get(key: string, range?: ByteRange): Promise<{ stat: ObjectStat; body: Readable } | undefined>;
  /** Does not look whether it is there. Stores that others cannot read from lack it. */
  locate?(key: string, as: { mediaType: string; disposition?: string }): Promise<Place>;
  put(key: string, body: Readable | Buffer, options?: PutOptions): Promise<PutOutcome>;
  /** Takes over a local file as the object: by rename where the store is on the same file system, else by reading it. The file is gone afterwards. */
  putFile(key: string, path: string, size: number): Promise<PutOutcome>;
  /** False when `from` is absent. */
  copy(from: string, to: string): Promise<boolean>;
  /** Makes what stands under the key look written at `now`: it is wanted again. Stores that cannot do it lack it. */
  touch?(key: string, now: Date): Promise<void>;
  /** Deleting what is absent is no error. False when `ifMatch` did not hold; nothing was changed. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;
  /**
   * In ascending order of key; engines over a file tree (SeaweedFS) go folder by folder (`a/b` before `a-`), so nothing
   * may rest on the order of keys whose folders differ. `after` resumes behind that key.
   */
  list(prefix: string, after?: string): AsyncIterable<{ key: string; size: number; modified: Date }>;
  /** Throws, in words for the operator, when the store cannot be read or written. */
  check(): Promise<void>;
  /** Sweeps what killed writers left behind; never anything of a live one. Called at start. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}
