import { type Request, type RequestHandler, type Response, Router } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import { parseApiAddress, revisionOf } from './address.ts';
import { clientBase, isTrue, sendJson } from './answers.ts';
import { HubError } from './errors.ts';
import { readJsonBody } from './paths-body.ts';
import { checkRepoId, filePrefix, isCommit, isRevision, labelOf, type Repo, type RepoType } from './repo.ts';
import { askerOf } from './resolve.ts';
import { authorOf, checkLocal, textIn, type WriteRooms, written } from './writing.ts';

/** Making and deleting of repos, branches and tags (huggingface_hub, hf_api.py). All of it needs a token that may write. */
export function reposApi(rooms: WriteRooms): Router {
  const router = Router({ caseSensitive: true });
  router.post('/api/repos/create', (req, res) => create(rooms, req, res));
  router.delete('/api/repos/delete', (req, res) => remove(rooms, req, res));
  router.post(/^\/api\/repos\//, () => {
    throw new MirrorError(
      'unsupported',
      'repository',
      'repos cannot be moved here; create the new one and upload to it',
    );
  });
  router.post(/^\/api\//, refHandler(rooms, 'POST'));
  router.delete(/^\/api\//, refHandler(rooms, 'DELETE'));
  router.put(/^\/api\//, settings(rooms));
  return router;
}

async function create(rooms: WriteRooms, req: Request, res: Response): Promise<void> {
  const body = await readJsonBody(req);
  const repo = repoIn(body, authorOf(req));
  const reason = await refusalOf(rooms, repo);
  if (reason) throw new MirrorError('conflict', 'repository', reason);
  const isPrivate = isTrue(body.private) || body.visibility === 'private';
  const made = await rooms.repos.create(repo, { private: isPrivate, author: authorOf(req) });
  const url = `${clientBase(req, rooms.context.publicUrl)}/${filePrefix(repo.type)}${repo.id}`;
  if (!made) {
    const message = `You already created this ${repo.type.slice(0, -1)} repo: ${repo.id}`;
    // with exist_ok clients read the address from the refusal
    throw new HubError('conflict', 'repository', message, { more: { url, name: repo.id, id: repo.id } });
  }
  written(rooms, repo);
  rooms.context.log.info({ event: 'create', repo: repo.id, type: repo.type, by: authorOf(req) }, 'repo created');
  return sendJson(req, res, { url, name: repo.id, id: repo.id, private: isPrivate });
}

/** A name that is mirrored is taken. */
async function refusalOf({ context }: WriteRooms, repo: Repo): Promise<string | undefined> {
  const entry = await context.catalog.get(`repo/${repo.type}/${repo.id}`);
  if (!entry || entry.origin === 'upload') return undefined;
  return `${labelOf(repo)} is mirrored from the hub; take another name`;
}

async function remove(rooms: WriteRooms, req: Request, res: Response): Promise<void> {
  const repo = repoIn(await readJsonBody(req), authorOf(req));
  await checkLocal(rooms, repo);
  await rooms.repos.delete(repo);
  written(rooms, repo);
  rooms.context.log.info({ event: 'delete', repo: repo.id, type: repo.type, by: authorOf(req) }, 'repo deleted');
  return sendJson(req, res, {});
}

function repoIn(body: Record<string, unknown>, author: string): Repo {
  const name = textIn(body, 'name');
  const kind = typeof body.type === 'string' ? body.type : 'model';
  const type = ({ model: 'models', dataset: 'datasets', space: 'spaces' } as Record<string, RepoType>)[kind];
  if (!type)
    throw new MirrorError('bad-request', 'repository', `"${kind}" is no type of repo: model, dataset or space`);
  const organization = typeof body.organization === 'string' && body.organization !== '' ? body.organization : author;
  return { type, id: checkRepoId(name.includes('/') ? name : `${organization}/${name}`) };
}

/** `POST|DELETE /api/{type}/{id}/branch|tag/{name}`: a tag's address names what it points at, its body the tag. */
function refHandler(rooms: WriteRooms, method: 'POST' | 'DELETE'): RequestHandler {
  return async (req, res, next) => {
    const address = parseApiAddress(req.path);
    if (address?.verb !== 'branch' && address?.verb !== 'tag') return next();
    const kind = address.verb === 'tag' ? 'tags' : 'branches';
    const rest = decodeURIComponent(address.rest);
    await checkLocal(rooms, address);
    if (method === 'DELETE') await rooms.repos.deleteRef(address, kind, rest);
    else {
      const body = await readJsonBody(req);
      const name = kind === 'tags' ? textIn(body, 'tag') : rest;
      const from = kind === 'tags' ? rest : typeof body.startingPoint === 'string' ? body.startingPoint : 'main';
      if (!isRevision(name) || isCommit(name) || name.startsWith('refs/'))
        throw new MirrorError(
          'bad-request',
          'revision',
          `"${name.slice(0, 100)}" cannot be the name of a branch or tag`,
        );
      const { sha } = await rooms.snapshots.at(address, revisionOf(from), askerOf(req));
      await rooms.repos.setRef(address, kind, name, sha, isTrue(body.overwrite));
    }
    written(rooms, address);
    return sendJson(req, res, {});
  };
}

/** `PUT …/settings`: only whether it is private can be set here, and only when it is made. */
function settings(rooms: WriteRooms): RequestHandler {
  return async (req, res, next) => {
    const address = parseApiAddress(req.path);
    if (address?.verb !== 'settings') return next();
    await checkLocal(rooms, address);
    const body = await readJsonBody(req);
    const { info } = await rooms.snapshots.at(address, 'main', askerOf(req));
    const wanted = body.private ?? (body.visibility === undefined ? undefined : body.visibility === 'private');
    if (wanted !== undefined && isTrue(wanted) !== (info.json.private === true))
      throw new HubError(
        'unsupported',
        'repository',
        'whether a repo is private is said when it is made; make another one',
      );
    return sendJson(req, res, { private: info.json.private === true });
  };
}
