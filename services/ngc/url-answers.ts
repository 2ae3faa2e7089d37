import type { Request, RequestHandler, Response } from 'express';
import type { Context } from '../../shared/service/service.ts';
import { parseAddress, pathOf } from './address.ts';
import { parameterOf, sendJson, wireOf } from './answers.ts';
import { type ArtifactVersion, labelOf } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { answerFile } from './files.ts';
import type { VersionFile } from './refs.ts';
import type { Rooms } from './routes.ts';

/** Seconds for which an address may be used that carries leave: a version of many gigabytes takes its time. */
const GOOD_FOR = 86_400;

/**
 * Forms 7 to 9, `…/{v}/files`: the addresses of all files, or of one by `path`; with `redirect=true` that one itself.
 * Always one page, whatever page is asked for: ngcsdk counts them from 0, ModelExpress from 1 (reference §2.4).
 */
export async function answerUrls(
  req: Request,
  res: Response,
  rooms: Rooms,
  { artifact, version }: ArtifactVersion,
  query: string,
): Promise<void> {
  const of = { artifact, version };
  const files = await rooms.documents.fileList(of);
  const wish = parameterOf(query, 'path', '%20');
  if (wish === undefined) return sendJson(req, res, await urlsOf(req, rooms, of, files));
  // ngcsdk writes spaces as "+" here, and here alone; README files a plus as it is
  const literal = parameterOf(query, 'path');
  const file =
    files.find(({ path }) => path === wish) ??
    files.find(({ path }) => path === literal) ??
    (await rooms.documents.listed(of, pathOf(wish)));
  if (parameterOf(query, 'redirect') === 'true') return answerFile(req, res, rooms, { ...of, path: file.path });
  return sendJson(req, res, await urlsOf(req, rooms, of, [file]));
}

/**
 * Clients take these addresses as they are and send no key there: they are encoded, a guest's, and carry the leave of
 * whoever asked for them.
 */
async function urlsOf(req: Request, rooms: Rooms, of: ArtifactVersion, files: readonly VersionFile[]) {
  const { kind, org, team, name } = of.artifact;
  const parts = [kind, org, ...(team === undefined ? [] : [team]), name, 'versions', of.version, 'files'];
  const place = `${rooms.base(req)}/v2/${parts.map(encodeURIComponent).join('/')}`;
  const leave = req.identity ? `?grant=${await rooms.context.grants.give(filesOf(of), GOOD_FOR)}` : '';
  return {
    requestStatus: { statusCode: 'SUCCESS' },
    paginationInfo: { index: 0, size: files.length, totalPages: 1, totalResults: files.length },
    urls: files.map(({ path }) => `${place}/${path.split('/').map(encodeURIComponent).join('/')}${leave}`),
    filepath: files.map(({ path }) => path),
  };
}

const filesOf = ({ artifact, version }: ArtifactVersion) => `read ${labelOf(artifact, version)}`;

/** Lets those in whose address carries leave to read a file; all others by what they say of themselves. */
export function byGrant(context: Context<NgcConfig>, otherwise: RequestHandler): RequestHandler {
  return async (req, res, next) => {
    const { path, query } = wireOf(req);
    const grant = parameterOf(query, 'grant');
    const asked = grant === undefined ? undefined : parseAddress(path);
    if (grant === undefined || asked?.form !== 'file') return otherwise(req, res, next);
    await context.grants.check(filesOf(asked), grant);
    next();
  };
}
