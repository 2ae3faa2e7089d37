import type { Turns } from '../../shared/mirror/turns.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, field, param, sendEmpty } from './asked.ts';
import { type Checksum, sentChecksum } from './body/checksums.ts';
import { receive } from './body/receive.ts';
import { checkBucket } from './buckets.ts';
import { checkMeant, checkWriteConditions, hasWriteCondition, meansOne } from './conditions.ts';
import { objectKey } from './keys.ts';
import { metadataOf } from './metadata.ts';
import { checkVersion } from './read-object.ts';
import { deleteName, replaceName } from './writes.ts';

/** PUT of an object (API_PutObject.html). */
export async function putObject(asked: Asked, turns: Turns): Promise<void> {
  const { context } = asked;
  await checkBucket(asked);
  const metadata = metadataOf(asked);
  // before the body, which may be long; and again when it is here
  if (hasWriteCondition(asked)) checkWriteConditions(asked, await asked.view.get(asked.key));
  const received = await receive(asked, { mostBytes: context.config.putBytes, byDefault: 'CRC64NVME' });
  const entry = await keepObject(asked, turns, metadata, received);
  sendEmpty(asked, 200, {
    etag: entry.etag!,
    'x-amz-object-size': String(entry.size),
    ...sentChecksum(received.checksum),
  });
}

/** What an object is made of. */
export interface ObjectBytes {
  digest: Entry['digest'];
  size: number;
  /** Hex. */
  md5: string;
  checksum?: Checksum;
}

/** Gives bytes that are in the store their name, if the conditions of the request still hold. */
export async function keepObject(
  asked: Asked,
  turns: Turns,
  metadata: ReturnType<typeof metadataOf>,
  { digest, size, md5, checksum }: ObjectBytes,
): Promise<Entry> {
  const { context, bucket, key } = asked;
  const name = objectKey(bucket, key);
  const headers = { ...metadata.headers, ...(checksum ? sentChecksum(checksum) : {}) };
  const { mediaType } = metadata;
  const entry = stamped(context.now(), { key: name, digest, size, mediaType, etag: `"${md5}"`, headers });
  await turns.run(name, () => writeObject(asked, entry));
  return entry;
}

/** Gives an object its name, if the conditions of the request hold. Within a turn of the name. */
export async function writeObject(asked: Asked, entry: Entry): Promise<void> {
  const { context } = asked;
  if (!hasWriteCondition(asked)) {
    await context.catalog.put(entry);
    return;
  }
  await replaceName(context, entry.key, (held) => {
    checkWriteConditions(asked, held);
    return entry;
  });
}

/** An entry of now. */
export function stamped(now: number, entry: Omit<Entry, 'origin' | 'storedAt' | 'checkedAt' | 'lastModified'>): Entry {
  const at = new Date(now);
  const stamp = at.toISOString();
  return { ...entry, origin: 'upload', storedAt: stamp, checkedAt: stamp, lastModified: at.toUTCString() };
}

/** DELETE of an object, also of one that is not there (API_DeleteObject.html). */
export async function deleteObject(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket, key } = asked;
  await checkBucket(asked);
  checkVersion(param(asked, 'versionId'));
  const name = objectKey(bucket, key);
  const meant = {
    etag: field(asked, 'if-match'),
    size: field(asked, 'x-amz-if-match-size'),
    lastModified: field(asked, 'x-amz-if-match-last-modified-time'),
  };
  await turns.run(name, async () => {
    if (meansOne(meant)) await deleteName(context, name, (held) => checkMeant(meant, held));
    else await context.catalog.delete(name);
  });
  sendEmpty(asked, 204);
}
