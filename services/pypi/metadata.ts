import { Readable } from 'node:stream';
import type { Resource } from '../../shared/mirror/resource.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { type FileRecord, isWheel } from './project-page.ts';
import { fileRef, metadataRef } from './refs.ts';
import { readWheelMetadata } from './wheel-metadata.ts';

/** METADATA is small; what an origin sends instead may not be. */
const MOST_BYTES = 32 << 20;

/**
 * The METADATA of a wheel, verbatim: the origin's when its hash is right, else read out of the wheel: from the one that
 * is held, or by ranges of the one at the origin, without downloading it.
 */
export async function metadataResource(
  context: Context<PypiConfig>,
  origin: string,
  project: string,
  record: FileRecord,
): Promise<Resource> {
  if (!isWheel(record.filename))
    throw new MirrorError('not-found', 'file', `${record.filename} is no wheel; only wheels have METADATA here`);
  // the wheel is what a site wants; its METADATA comes along with it
  const ref = { ...metadataRef(origin, project, record), want: undefined };
  const held = await context.catalog.get(ref.key);
  if (!held && ref.source !== '') {
    try {
      // read whole before it is answered: an origin's copy with a wrong hash must not reach a client
      await context.mirror.hold(ref);
    } catch (error) {
      if (!isKind(error, 'corrupt', 'not-found', 'not-held', 'upstream-denied')) throw error;
    }
  }
  const entry = held ?? (await context.catalog.get(ref.key)) ?? (await extract(context, origin, project, record));
  return { facts: entry, served: held ? 'hit' : 'miss', open: (range) => context.blobs.open(entry.digest, range) };
}

/** The text of it, for those who read it here. */
export async function metadataText(
  context: Context<PypiConfig>,
  origin: string,
  project: string,
  record: FileRecord,
): Promise<string> {
  const resource = await metadataResource(context, origin, project, record);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of (await resource.open()) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES)
      throw new MirrorError('too-large', 'file', `the METADATA of ${record.filename} is absurdly large`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function extract(
  context: Context<PypiConfig>,
  origin: string,
  project: string,
  record: FileRecord,
): Promise<Entry> {
  const ref = fileRef(origin, project, record);
  const { facts } = await context.mirror.describe(ref);
  const size = facts.size ?? (await context.mirror.hold(ref)).entry.size;
  const bytes = await readWheelMetadata(record.filename, size, (range) => context.mirror.peek(ref, range));
  const kept = await context.blobs.ingest(Readable.from([bytes]), { subject: 'file' });
  const at = new Date(context.now()).toISOString();
  const { key } = metadataRef(origin, project, record);
  const entry: Entry = {
    key,
    ...kept,
    mediaType: 'text/plain; charset=utf-8',
    headers: {},
    origin: record.url,
    storedAt: at,
    checkedAt: at,
  };
  await context.catalog.put(entry);
  return entry;
}
