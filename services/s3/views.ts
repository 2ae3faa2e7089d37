import { type Digest, hexOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Context } from '../../shared/service/service.ts';
import type { OpenShelf } from '../../shared/service/shelf.ts';
import type { Page } from '../../shared/storage/catalog-index.ts';
import type { S3Config } from './config.ts';
import { S3Error } from './errors.ts';
import { bucketKey, objectKey, objectPrefix } from './keys.ts';

/** The objects of a bucket, wherever their names are kept. */
export interface View {
  /** Of a shelf of another service: nothing can be written. */
  readOnly: boolean;
  exists(): Promise<boolean>;
  get(key: string): Promise<Entry | undefined>;
  /** Keys that begin with `prefix`, in the order of their bytes; `page.after` is a key, too. */
  list(prefix: string, page: Page): Promise<{ key: string; entry: Entry }[]>;
}

export type Views = (bucket: string) => View;

/** The site's own buckets, and beside them those that show what mirrors hold. */
export function viewsOf({ catalog, shelves }: Pick<Context<S3Config>, 'catalog' | 'shelves'>): Views {
  const shown = new Map(shelves.map((open) => [open.shelf.bucket, shelfView(open)]));
  return (bucket) => shown.get(bucket) ?? ownView(catalog, bucket);
}

function ownView(catalog: Context<S3Config>['catalog'], bucket: string): View {
  const base = objectPrefix(bucket);
  return {
    readOnly: false,
    exists: async () => (await catalog.get(bucketKey(bucket))) !== undefined,
    // S3 gives what was written last, whichever replica took it (Welcome.html, "strong read-after-write consistency")
    get: (key) => catalog.get(objectKey(bucket, key), { fresh: true }),
    async list(prefix, { after, limit }) {
      const page = { after: after === undefined ? undefined : base + after, limit };
      return (await catalog.list(base + prefix, page)).map((entry) => ({ key: entry.key.slice(base.length), entry }));
    },
  };
}

function shelfView({ shelf, ...place }: OpenShelf): View {
  return {
    readOnly: true,
    exists: async () => true,
    async get(key) {
      const entry = await shelf.get(place, key);
      return entry && shown(entry);
    },
    async list(prefix, page) {
      const entries = await shelf.list(place, prefix, page);
      return entries.map((entry) => ({ key: entry.key, entry: shown(entry) }));
    },
  };
}

/** An ETag where no MD5 is known: it must not look like one, and be the same wherever the same bytes are. */
export function etagOf(digest: Digest): string {
  return `"${hexOf(digest).slice(0, 32)}-1"`;
}

/** As an object. */
function shown(entry: Entry): Entry {
  return { ...entry, etag: etagOf(entry.digest), headers: {}, lastModified: new Date(entry.storedAt).toUTCString() };
}

/** Throws `AccessDenied` for what would change a bucket that only shows what mirrors hold. */
export function checkWritable(view: View, bucket: string): void {
  if (!view.readOnly) return;
  throw new S3Error(
    'forbidden',
    'AccessDenied',
    `"${bucket}" shows what Larder's mirrors hold and is only read; copy from it into a bucket of your own`,
  );
}
