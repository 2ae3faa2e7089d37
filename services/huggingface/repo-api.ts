import type { Request, RequestHandler, Response } from 'express';
import { CodedBody } from '../../shared/http/coded-body.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { type ApiAddress, parseApiAddress, revisionOf, splitRevision } from './address.ts';
import { clientBase, isTrue, queryOf, sendJson } from './answers.ts';
import type { HuggingfaceConfig } from './config.ts';
import { HubError, noEntry } from './errors.ts';
import { historyOf, readRefs } from './history.ts';
import { type Info, renderInfo } from './info.ts';
import { readPaths } from './paths-body.ts';
import { askerOf } from './resolve.ts';
import type { Snapshot, Snapshots } from './snapshots.ts';
import { pathsUnder, type Tree, type TreeFile } from './tree.ts';

export interface ApiRooms {
  context: Context<HuggingfaceConfig>;
  snapshots: Snapshots;
  /** The Xet id of a file, where Xet is served for it. */
  xetHash(file: TreeFile): string | undefined;
}

type Answerer = (rooms: ApiRooms, req: Request, res: Response, address: ApiAddress) => Promise<void>;

/** Reads below `/api/{type}/{id}`, by what is asked of the repo. */
const READS: Record<string, Answerer> = {
  '': (rooms, req, res, address) => info(rooms, req, res, { ...address, rest: 'main' }),
  revision: info,
  tree,
  refs,
  commits,
  'auth-check': authCheck,
  'security-status': securityStatus,
  'xet-write-token': async () => {
    throw new MirrorError(
      'unsupported',
      'upload',
      'uploads by Xet are not taken here: set HF_HUB_DISABLE_XET=1 and upload again',
    );
  },
  discussions: async (_rooms, req, res) => sendJson(req, res, { discussions: [], count: 0, start: 0 }),
};

/** Handles what it knows, and leaves the rest to who comes next. */
export function repoApi(rooms: ApiRooms): RequestHandler {
  return async (req, res, next) => {
    const address = parseApiAddress(req.path);
    const answer = address && READS[address.verb];
    if (!answer) return next();
    return answer(rooms, req, res, address);
  };
}

/** `POST …/paths-info/{rev}`: facts of some paths; those that are not there are left out. */
export function pathsInfo(rooms: ApiRooms): RequestHandler {
  return async (req, res, next) => {
    const address = parseApiAddress(req.path);
    if (address?.verb !== 'paths-info') return next();
    const { paths, expand } = await readPaths(req);
    const snapshot = await at(rooms, req, address);
    const known = await rooms.snapshots.tree(snapshot);
    const found = paths.flatMap((path) => entriesAt(known, path.replace(/^\/+|\/+$/g, '')));
    return sendJson(
      req,
      res,
      found.map((path) => entryOf(rooms, known, path, expand ? snapshot : undefined)),
    );
  };
}

function at({ snapshots }: ApiRooms, req: Request, address: ApiAddress): Promise<Snapshot> {
  return snapshots.at(address, splitRevision(address.rest).rev, askerOf(req));
}

const rendered = new WeakMap<Info, Map<string, CodedBody>>();

async function info(rooms: ApiRooms, req: Request, res: Response, address: ApiAddress): Promise<void> {
  const snapshot = await rooms.snapshots.at(address, revisionOf(decodeURIComponent(address.rest)), askerOf(req));
  const blobs = isTrue(queryOf(req).get('blobs'));
  const bodies = rendered.get(snapshot.info) ?? new Map<string, CodedBody>();
  rendered.set(snapshot.info, bodies);
  const name = `${blobs} ${snapshot.repo.id}`;
  const body =
    bodies.get(name) ??
    new CodedBody(renderInfo(snapshot.repo, snapshot.info, blobs ? await rooms.snapshots.tree(snapshot) : undefined));
  bodies.set(name, body);
  return sendJson(req, res, body, { 'x-repo-commit': snapshot.sha });
}

/** Pages of at most so many entries, where a client asks for pages. All at once where it does not: some read one page. */
const MOST_LIMIT = 10_000;

async function tree(rooms: ApiRooms, req: Request, res: Response, address: ApiAddress): Promise<void> {
  const { path: folder } = splitRevision(address.rest);
  const snapshot = await at(rooms, req, address);
  const known = await rooms.snapshots.tree(snapshot);
  const query = queryOf(req);
  const expand = isTrue(query.get('expand'));
  const paths = pathsUnder(known, folder, isTrue(query.get('recursive')));
  if (!paths) throw noEntry(folder, snapshot.sha);
  const first = cursorOf(query.get('cursor'), paths);
  const limit = limitOf(query.get('limit'));
  const end = limit === undefined ? paths.length : Math.min(paths.length, first + limit);
  const headers: Record<string, string> = { 'x-repo-commit': snapshot.sha };
  if (end < paths.length) headers.link = nextLink(rooms, req, query, paths[end - 1]!);
  const lines = paths
    .slice(first, end)
    .map((path) => JSON.stringify(entryOf(rooms, known, path, expand ? snapshot : undefined)));
  return sendJson(req, res, new CodedBody(`[${lines.join(',')}]`), headers);
}

/** "`Link: <ABSOLUTE_URL>; rel="next"`", with a space behind the semicolon: clients insist on both. */
function nextLink({ context }: ApiRooms, req: Request, query: URLSearchParams, last: string): string {
  const next = new URLSearchParams(query);
  next.set('cursor', Buffer.from(last).toString('base64url'));
  return `<${clientBase(req, context.publicUrl)}${req.path}?${next}>; rel="next"`;
}

function cursorOf(cursor: string | null, paths: readonly string[]): number {
  if (!cursor) return 0;
  const last = Buffer.from(cursor, 'base64url').toString('utf8');
  const at = paths.indexOf(last);
  if (at === -1) throw new MirrorError('bad-request', 'list', 'the cursor is not one that this list gave out');
  return at + 1;
}

function limitOf(text: string | null): number | undefined {
  const limit = Number(text ?? Number.NaN);
  return Number.isInteger(limit) && limit > 0 ? Math.min(limit, MOST_LIMIT) : undefined;
}

function entriesAt(tree: Tree, path: string): string[] {
  return tree.files.has(path) || tree.folders.has(path) ? [path] : [];
}

/** An entry of a tree as the hub shows it. With `expand`, the commit that is looked at stands for its last change. */
function entryOf(rooms: ApiRooms, tree: Tree, path: string, expanded: Snapshot | undefined): object {
  const file = tree.files.get(path);
  const lastCommit = expanded && {
    id: expanded.sha,
    title: 'the commit that is held here',
    date: String(expanded.info.json.lastModified ?? '1970-01-01T00:00:00.000Z'),
  };
  const more = lastCommit ? { lastCommit } : {};
  if (!file) return { type: 'directory', oid: tree.folders.get(path)!.oid, size: 0, path, ...more };
  const { oid, lfs } = file;
  const xetHash = rooms.xetHash(file);
  const xet = xetHash === undefined ? {} : { xetHash };
  return { type: 'file', oid, size: lfs?.size ?? file.size, ...(lfs ? { lfs } : {}), ...xet, path, ...more };
}

async function refs(rooms: ApiRooms, req: Request, res: Response, address: ApiAddress): Promise<void> {
  const pulls = isTrue(queryOf(req).get('include_prs'));
  return sendJson(req, res, await readRefs(rooms, await rooms.snapshots.at(address, 'main', askerOf(req)), pulls));
}

async function commits(rooms: ApiRooms, req: Request, res: Response, address: ApiAddress): Promise<void> {
  const snapshot = await rooms.snapshots.at(address, revisionOf(decodeURIComponent(address.rest)), askerOf(req));
  const all = await historyOf(rooms, snapshot);
  const query = queryOf(req);
  const limit = limitOf(query.get('limit')) ?? 50;
  const page = Math.max(0, Number(query.get('p') ?? 0) || 0);
  const headers: Record<string, string> = { 'x-total-count': String(all.length) };
  if ((page + 1) * limit < all.length) {
    const next = new URLSearchParams(query);
    next.set('p', String(page + 1));
    headers.link = `<${clientBase(req, rooms.context.publicUrl)}${req.path}?${next}>; rel="next"`;
  }
  return sendJson(req, res, all.slice(page * limit, (page + 1) * limit), headers);
}

/** 200 when the caller may read the files, in the words of the errors otherwise. */
async function authCheck(rooms: ApiRooms, req: Request, res: Response, address: ApiAddress): Promise<void> {
  const snapshot = await rooms.snapshots.at(address, 'main', askerOf(req));
  if (snapshot.info.gated === false || snapshot.local) return sendJson(req, res, {});
  const { mirror } = rooms.context;
  for (const file of (await rooms.snapshots.tree(snapshot)).files.values()) {
    if (file.size === 0) continue;
    const ref = rooms.snapshots.fileRef(snapshot, file);
    if (await mirror.held(ref)) return sendJson(req, res, {});
    // the hub gates files and not the listing: one of them tells
    await mirror.describe(ref);
    return sendJson(req, res, {});
  }
  return sendJson(req, res, {});
}

async function securityStatus(_rooms: ApiRooms, _req: Request, _res: Response, address: ApiAddress): Promise<void> {
  throw new HubError('unsupported', 'repository', `the hub's scans of ${address.id} are not mirrored`);
}
