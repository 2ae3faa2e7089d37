import { Readable } from 'node:stream';
import type { Digest } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Context } from '../../shared/service/service.ts';
import { checkKey } from './address.ts';
import { makeBucket } from './buckets.ts';
import type { S3Config } from './config.ts';
import { objectKey } from './keys.ts';
import { stamped } from './objects.ts';
import { etagOf } from './views.ts';

/** An object that is to be: a key for bytes that are in the store. */
export interface SiteObject {
  key: string;
  digest: Digest;
  size: number;
  /** Hex, where it is known: the ETag that a PUT would have given it. */
  md5?: string;
  mediaType?: string;
}

/** Objects that are looked at before they are written together. */
const BATCH = 500;

/**
 * Gives objects their names, and makes the bucket where there is none; no bytes move. What is there already as it should
 * be is left alone, its date too, so that this can be repeated at any time.
 * @returns how many were written, and how many were there
 */
export async function putSiteObjects(
  context: Pick<Context<S3Config>, 'catalog' | 'blobs' | 'now'>,
  bucket: string,
  objects: AsyncIterable<SiteObject> | Iterable<SiteObject>,
  options: { signal?: AbortSignal } = {},
): Promise<{ written: number; there: number; bucketMade: boolean }> {
  const bucketMade = await makeBucket(context, bucket);
  const counts = { written: 0, there: 0, bucketMade };
  let batch: Entry[] = [];
  const flush = async () => {
    await context.catalog.putMany(batch);
    counts.written += batch.length;
    batch = [];
  };
  for await (const object of objects) {
    options.signal?.throwIfAborted();
    const entry = entryOf(context, bucket, object);
    const held = await context.catalog.get(entry.key, { fresh: true });
    if (held?.digest === entry.digest && held.etag === entry.etag && !held.parts) {
      counts.there += 1;
      continue;
    }
    // a mirror keeps no blob for a file without bytes; a name of this site has one
    if (object.size === 0) await context.blobs.put(object.digest, 0, Readable.from([]));
    batch.push(entry);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return counts;
}

function entryOf({ now }: Pick<Context<S3Config>, 'now'>, bucket: string, object: SiteObject): Entry {
  const { key, digest, size, md5, mediaType = 'binary/octet-stream' } = object;
  checkKey(key);
  const etag = md5 ? `"${md5}"` : etagOf(digest);
  return stamped(now(), { key: objectKey(bucket, key), digest, size, mediaType, etag, headers: {} });
}
