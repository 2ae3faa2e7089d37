import type { Entry } from '../model/entry.ts';
import type { Store } from '../storage/store.ts';
import type { BundleHead } from './layout.ts';
import type { OpenedBundle } from './open.ts';
import type { BundleProgress } from './progress.ts';

/** An item with everything it needs held in the store. */
export interface ResolvedItem {
  id: string;
  type: string;
  service: string;
  /** Facts for people, written into the item's line. */
  details: Record<string, unknown>;
  /** Names that say their bytes. */
  entries: Entry[];
  /** Names that move; imported last. */
  refs: Entry[];
}

/** Something that a bundle lacks. */
export interface Failed {
  item: string;
  message: string;
}

export interface CreateOptions {
  id: string;
  channel?: string;
  /** The manifest as its author wrote it. */
  manifestText: string;
  items: AsyncIterable<ResolvedItem> | Iterable<ResolvedItem>;
  /** Items that could not be had; a bundle with any says `complete: false`. */
  failed?: Failed[];
  store: Store;
  /** The bundle's folder. Must not exist, or be empty; beside it `<target>.partial` grows until it is whole. */
  target: string;
  now(): number;
  /** `larder 1.2.3` */
  tool: string;
  /**
   * Looks at the written bundle before it counts as finished, and names what it lacks. What is found becomes part of
   * `failed` when `allowPartial` says so; else the bundle stays unfinished.
   */
  prove?(bundle: OpenedBundle): Promise<Failed[]>;
  /** Finish a bundle that lacks something, and say so inside it. */
  allowPartial?: boolean;
  progress?: BundleProgress;
  signal?: AbortSignal;
}

export interface CreateResult {
  dir: string;
  head: BundleHead;
  /** sha256 of the tag manifest. */
  tagManifest: string;
  /** What two people compare over the telephone. */
  code: string;
}
