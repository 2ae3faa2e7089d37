import type { BlobStore } from '../storage/blob-store.ts';
import type { Catalog } from '../storage/catalog.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Wants } from './wants.ts';

/** What a mirror stands on. */
export interface MirrorOptions {
  service: string;
  catalog: Catalog;
  blobs: BlobStore;
  upstream: Upstream;
  wants: Wants;
  now(): number;
  telemetry: Telemetry;
  /** Seconds for which an origin's "no such thing" is believed. */
  absentFor?: number;
  /** Downloads side by side; more are told to come back. */
  mostFills?: number;
  /** Milliseconds before a broken download is gone on with. */
  resumePause?: number;
}
