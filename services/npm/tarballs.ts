import type { Request, Response } from 'express';
import { send, sendFacts } from '../../shared/http/send.ts';
import type { Promised } from '../../shared/model/digest.ts';
import { tarballRef } from './refs.ts';
import type { Rooms } from './rooms.ts';

/** A version's tarball never becomes another: whoever has it need not ask again. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** `/<name>/-/<file>`: a tarball, held or arriving. Its hashes are checked before its last bytes go out. */
export async function answerTarball(
  { context, packages }: Rooms,
  req: Request,
  res: Response,
  { name, version }: { name: string; version: string },
): Promise<void> {
  const { origin, record } = await packages.record(name, version);
  const ref = tarballRef(origin, record);
  const options = { cacheControl: IMMUTABLE };
  if (req.method === 'HEAD') {
    const { facts, served } = await context.mirror.describe(ref);
    return sendFacts(req, res, { ...facts, etag: etagOf(ref.promised) ?? facts.etag }, { ...options, served });
  }
  const resource = await context.mirror.open(ref);
  const facts = { ...resource.facts, etag: etagOf(ref.promised) ?? resource.facts.etag };
  await send(req, res, { ...resource, facts }, options);
}

/** The same for a tarball that is arriving and one that is held, so that a client can go on with either. */
function etagOf(promised: Promised | undefined): string | undefined {
  const hex = promised?.sha512 ?? promised?.sha256 ?? promised?.others?.sha384 ?? promised?.others?.sha1;
  return hex && `"${hex}"`;
}
