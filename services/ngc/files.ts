import type { Request, Response } from 'express';
import { send, sendFacts } from '../../shared/http/send.ts';
import type { Mirror } from '../../shared/mirror/mirror.ts';
import { hexOf } from '../../shared/model/digest.ts';
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
export async function answerFile(
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
  const { mirror } = context;
  if (req.method === 'HEAD') {
    const { facts, served } = await mirror.describe(ref);
    return sendFacts(req, res, await told(mirror, facts, ref), { ...options, served });
  }
  const resource = await mirror.open(ref);
  return send(req, res, { ...resource, facts: await told(mirror, resource.facts, ref) }, options);
}

/** What the origin left out, its list of files says; and what that leaves out, the bytes that are held. */
async function told(mirror: Mirror, facts: Facts, ref: Ref): Promise<Facts> {
  const size = facts.size ?? ref.promised?.size;
  if (facts.etag !== undefined) return { ...facts, size };
  const digest = (await mirror.held(ref))?.digest;
  const sha256 = ref.promised?.sha256 ?? (digest && hexOf(digest));
  return { ...facts, size, etag: sha256 && `"${sha256}"` };
}
