import type { Request, Response } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import { pathOf } from './address.ts';
import { sendJson } from './answers.ts';
import type { ArtifactVersion } from './artifact.ts';
import { sendFile } from './files.ts';
import type { VersionFile } from './refs.ts';
import type { Rooms } from './routes.ts';

/**
 * Forms 7 to 9, `…/{v}/files`: the addresses of all files, or of one by `path`; with `redirect=true` that one itself.
 * Always one page, whatever page is asked for: ngcsdk counts them from 0, ModelExpress from 1 (reference §2.4).
 */
export async function sendUrls(
  req: Request,
  res: Response,
  rooms: Rooms,
  { artifact, version }: ArtifactVersion,
  query: string,
): Promise<void> {
  const of = { artifact, version };
  const files = await rooms.documents.fileList(of);
  const wish = parameterOf(query, 'path');
  if (wish === undefined) return sendJson(req, res, urlsOf(rooms.base(req), of, files));
  const file = named(files, wish) ?? (await rooms.documents.listed(of, pathOf(wish)));
  if (parameterOf(query, 'redirect') === 'true') return sendFile(req, res, rooms, { ...of, path: file.path });
  return sendJson(req, res, urlsOf(rooms.base(req), of, [file]));
}

/** A `+` is a plus, as everywhere in NGC's addresses; where no file is called so, the client may have meant a space. */
function named(files: readonly VersionFile[], wish: string): VersionFile | undefined {
  const spaced = wish.replaceAll('+', ' ');
  return files.find(({ path }) => path === wish) ?? files.find(({ path }) => path === spaced);
}

/** Clients take these addresses as they are, and send no key there: they are encoded, and a guest's. */
function urlsOf(base: string, { artifact, version }: ArtifactVersion, files: readonly VersionFile[]) {
  const { kind, org, team, name } = artifact;
  const parts = [kind, org, ...(team === undefined ? [] : [team]), name, 'versions', version, 'files'];
  const place = `${base}/v2/${parts.map(encodeURIComponent).join('/')}`;
  return {
    requestStatus: { statusCode: 'SUCCESS' },
    paginationInfo: { index: 0, size: files.length, totalPages: 1, totalResults: files.length },
    urls: files.map(({ path }) => `${place}/${path.split('/').map(encodeURIComponent).join('/')}`),
    filepath: files.map(({ path }) => path),
  };
}

/** The first value of a parameter, decoded once; a `+` stays one. */
function parameterOf(query: string, name: string): string | undefined {
  const found = query.split('&').find((pair) => pair === name || pair.startsWith(`${name}=`));
  if (found === undefined) return undefined;
  try {
    return decodeURIComponent(found.slice(name.length + 1));
  } catch {
    throw new MirrorError('bad-request', 'address', 'the query has a broken %-escape');
  }
}
