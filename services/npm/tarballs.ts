import type { Request, Response } from 'express';
import { type Sendable, send, sendFacts } from '../../shared/http/send.ts';
import { DocumentCache } from '../../shared/mirror/document-cache.ts';
import { heldResource } from '../../shared/mirror/resource.ts';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { FoundVersion } from './packages.ts';
import type { VersionRecord } from './packument.ts';
import { tarballRef } from './refs.ts';
import type { Rooms } from './rooms.ts';

/** A version's tarball never becomes another: whoever has it need not ask again. */
const IMMUTABLE = 'public, max-age=31536000, immutable';
/** Bytes of a tarball that is kept in memory once it was asked for: nine in ten are smaller. */
const LARGEST_IN_MEMORY = 512 << 10;

type Handler = (req: Request, res: Response, asked: { name: string; version: string }) => Promise<void>;

/** `/<name>/-/<file>`: a tarball, held or arriving. Its hashes are checked before its last bytes go out. */
export function tarballHandler({ context, packages }: Rooms): Handler {
  const small = new DocumentCache();
  return async (req, res, { name, version }) => {
    const found = await packages.record(name, version);
    const { ref, etag } = askedBy(found);
    const options = { cacheControl: IMMUTABLE };
    if (req.method === 'HEAD') {
      const { facts, served } = await context.mirror.describe(ref);
      return sendFacts(req, res, { ...facts, etag: etag ?? facts.etag }, { ...options, served });
    }
    const resource = (await smallResource(context, small, found.entry)) ?? (await context.mirror.open(ref));
    const facts = { ...resource.facts, etag: etag ?? resource.facts.etag };
    await send(req, res, { ...resource, facts }, options);
  };
}

/** A small one that is held, whole: nobody looks whether it is there before it is read. Undefined for all others. */
async function smallResource(
  { mirror, blobs }: Rooms['context'],
  small: DocumentCache,
  entry: Entry | undefined,
): Promise<Sendable | undefined> {
  if (!entry || entry.size > LARGEST_IN_MEMORY) return undefined;
  const { digest, size } = entry;
  const bytes = await small.read(digest, () => blobs.read(digest, size)).catch(() => undefined);
  if (!bytes) return undefined;
  mirror.given();
  const open = async (range?: ByteRange) => (range ? bytes.subarray(range.start, range.end + 1) : bytes);
  return { ...heldResource(entry, 'hit', blobs), open };
}

interface TarballRef {
  ref: Ref;
  /** The same for a tarball that is arriving and one that is held, so that a client can go on with either. */
  etag: string | undefined;
}

const refs = new WeakMap<VersionRecord, TarballRef>();

/** What is held has one record for all who ask, and a Ref takes a moment to make. */
function askedBy({ origin, record }: FoundVersion): TarballRef {
  const known = refs.get(record);
  if (known?.ref.origin === origin) return known;
  const ref = tarballRef(origin, record);
  const { sha512, sha256, others } = ref.promised ?? {};
  const hex = sha512 ?? sha256 ?? others?.sha384 ?? others?.sha1;
  const made = { ref, etag: hex && `"${hex}"` };
  refs.set(record, made);
  return made;
}
