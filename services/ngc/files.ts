import type { Request, Response } from 'express';
import { send, sendFacts } from '../../shared/http/send.ts';
import type { Facts } from '../../shared/model/entry.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { attachment } from './answers.ts';
import type { ArtifactVersion } from './artifact.ts';
import type { Rooms } from './routes.ts';

/** A file of a version. */
export type FileOf = ArtifactVersion & { path: string };

/**
 * Form 5, `…/versions/{v}/files/{path}`: the bytes themselves, where NGC sends on to a file host. Under the ETag that NGC
 * gave them, which NIM names its files by (reference §3).
 */
export async function sendFile(
  req: Request,
  res: Response,
  { context, documents }: Pick<Rooms, 'context' | 'documents'>,
  file: FileOf,
): Promise<void> {
  const ref = await documents.fileRef(file, file.path);
  const options = {
    cacheControl: 'no-cache',
    headers: { 'content-disposition': attachment(file.path.slice(file.path.lastIndexOf('/') + 1)) },
  };
  if (req.method === 'HEAD') {
    const { facts, served } = await context.mirror.describe(ref);
    return sendFacts(req, res, told(facts, ref), { ...options, served });
  }
  const resource = await context.mirror.open(ref);
  return send(req, res, { ...resource, facts: told(resource.facts, ref) }, options);
}

/** What the origin left out, its list of files says. */
function told(facts: Facts, { promised }: Ref): Facts {
  return {
    ...facts,
    size: facts.size ?? promised?.size,
    etag: facts.etag ?? (promised?.sha256 && `"${promised.sha256}"`),
  };
}
