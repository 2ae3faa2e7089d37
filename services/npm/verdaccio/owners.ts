import type { Request, Response } from 'express';
import { baseUrl } from '../../../shared/http/base-url.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import { tarballUrl } from '../address.ts';
import type { LocalDocument } from '../local-document.ts';
import type { Rooms } from '../rooms.ts';
import { isObject } from './publication.ts';
import type { WriteRow } from './rows.ts';

/**
 * `GET /<name>?write=true`: the document as it is, of who is about to write it: `npm deprecate` and `unpublish` send it
 * back with less in it, so nothing may be left out. Throws `not-found` for what was not published here.
 */
export async function answerLook(rooms: Rooms, req: Request, res: Response, name: string): Promise<void> {
  const found = await rooms.locals.read(name);
  if (!found) throw notOurs(name);
  const base = baseUrl(req, rooms.context.publicUrl);
  const versions = Object.entries(found.packument.versions).map(([version, manifest]) => {
    const dist = { ...manifest.dist, tarball: tarballUrl(base, name, version) };
    return [version, { ...manifest, dist }];
  });
  res.setHeader('cache-control', 'no-store');
  res.json({ ...found.packument, versions: Object.fromEntries(versions) });
}

export function isOwners(body: unknown): body is { maintainers: unknown[] } {
  return isObject(body) && Array.isArray(body.maintainers) && body.versions === undefined && body.users === undefined;
}

/** `npm owner` sends the list alone: Verdaccio would take it for a document in which no version is left. */
export async function answerOwners(
  { locals, context }: Rooms,
  req: Request & { writes: WriteRow },
  res: Response,
  owners: readonly unknown[],
): Promise<void> {
  const { name, revision } = req.writes;
  const { _rev } = await locals.change(name, (document) => {
    checkThere(document, revision);
    document.maintainers = owners.flatMap((owner) => {
      const { name: user, email } = isObject(owner) ? owner : {};
      return typeof user === 'string' ? [{ name: user, email: typeof email === 'string' ? email : '' }] : [];
    });
  });
  context.log.info({ event: 'npm owners', package: name, by: req.identity?.name }, 'a package changed');
  res.status(201).json({ ok: 'owners changed', rev: _rev });
}

/**
 * Throws `not-found` for a package that has nothing left to change, `conflict` when somebody changed it since the client
 * looked: what was published meanwhile would be taken back with the rest.
 */
export function checkThere(document: LocalDocument, revision: string | undefined): void {
  const { name } = document;
  if (Object.keys(document.versions).length === 0 && Object.keys(document._attachments).length === 0)
    throw notOurs(name);
  if (revision === undefined || revision === 'undefined' || revision === document._rev) return;
  const message = `"${name}" was changed by somebody else meanwhile; run the command again`;
  throw new MirrorError('conflict', 'package', message);
}

export function notOurs(name: string): MirrorError {
  return new MirrorError('not-found', 'package', `there is no package "${name}" that was published here`);
}
