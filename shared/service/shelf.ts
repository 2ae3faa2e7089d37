import type { Entry } from '../model/entry.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Catalog } from '../storage/catalog.ts';
import type { Page } from '../storage/catalog-index.ts';

/** Where a shelf looks: its own service's names, and the bytes. */
export interface ShelfPlace {
  catalog: Pick<Catalog, 'get' | 'keys' | 'list' | 'segments'>;
  blobs: Pick<BlobStore, 'read' | 'size'>;
}

/**
 * What a service holds, as a bucket that is only read: S3 shows it so, and no bytes are copied for it. Entries come with
 * the object's key as their own; only what is held is there.
 */
export interface Shelf {
  /** Its name as a bucket: `models`. */
  bucket: string;
  get(place: ShelfPlace, key: string): Promise<Entry | undefined>;
  /** In the order of the keys' bytes. */
  list(place: ShelfPlace, prefix: string, page: Page): Promise<Entry[]>;
}

/** A shelf over a store. */
export interface OpenShelf extends ShelfPlace {
  shelf: Shelf;
}
