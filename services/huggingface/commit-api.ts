import type { Request, RequestHandler } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import { parseApiAddress, revisionOf } from './address.ts';
import { clientBase, isTrue, queryOf, sendJson } from './answers.ts';
import { type Operation, readOperations } from './commit-body.ts';
import { HubError } from './errors.ts';
import { LARGE_FROM, largeRule } from './large-files.ts';
import { keepSmallFile, largeFile } from './local-documents.ts';
import { readJsonBody } from './paths-body.ts';
import { fileKey } from './refs.ts';
import { filePrefix, isFilePath, type Repo } from './repo.ts';
import { askerOf } from './resolve.ts';
import type { TreeFile } from './tree.ts';
import { authorOf, checkLocal, type WriteRooms, written } from './writing.ts';

const MOST_QUESTION = 32 << 20;

/** `POST …/preupload/{rev}`: which files are large, and what is there already. */
export function preupload(rooms: WriteRooms): RequestHandler {
  return async (req, res, next) => {
    const address = parseApiAddress(req.path);
    if (address?.verb !== 'preupload') return next();
    await checkLocal(rooms, address);
    const { files, gitAttributes } = await readJsonBody(req, MOST_QUESTION);
    if (!Array.isArray(files)) throw new MirrorError('bad-request', 'request', '"files" is a list');
    const branch = revisionOf(decodeURIComponent(address.rest));
    const held = await rooms.repos.files(address, await rooms.repos.head(address, branch));
    const rule = largeRule(typeof gitAttributes === 'string' ? gitAttributes : await attributesOf(rooms, held));
    const answers = files.map((file: { path?: unknown; size?: unknown; sample?: unknown }) => {
      const path = checkPath(file.path);
      const sample = typeof file.sample === 'string' ? Buffer.from(file.sample, 'base64') : undefined;
      const known = held.get(path);
      const uploadMode = rule({ path, size: Number(file.size) || 0, sample }) ? 'lfs' : 'regular';
      return { path, uploadMode, shouldIgnore: false, oid: known ? (known.lfs?.oid ?? known.oid) : null };
    });
    return sendJson(req, res, { files: answers });
  };
}

async function attributesOf(
  { context }: WriteRooms,
  files: ReadonlyMap<string, TreeFile>,
): Promise<string | undefined> {
  const file = files.get('.gitattributes');
  const entry = file && !file.lfs && file.size > 0 ? await context.catalog.get(fileKey(file)) : undefined;
  return entry ? (await context.blobs.read(entry.digest, LARGE_FROM)).toString('utf8') : undefined;
}

/** `POST …/commit/{rev}`: a header, then what to add, copy and delete, a line each. */
export function commit(rooms: WriteRooms): RequestHandler {
  return async (req, res, next) => {
    const address = parseApiAddress(req.path);
    if (address?.verb !== 'commit') return next();
    await checkLocal(rooms, address);
    if (isTrue(queryOf(req).get('create_pr')))
      throw new MirrorError('unsupported', 'revision', 'there are no pull requests here; commit to a branch');
    const branch = revisionOf(decodeURIComponent(address.rest));
    if ((await rooms.repos.head(address, branch)) === undefined)
      throw new HubError('not-found', 'revision', `Invalid rev id: ${branch}; create the branch first`, {
        code: 'RevisionNotFound',
      });
    const { header, operations } = await readChanges(rooms, address, req);
    const sha = await rooms.repos.commit(address, {
      branch,
      title: header.summary,
      message: header.description,
      parent: header.parentCommit,
      author: authorOf(req),
      change: (before) => applied(before, operations),
    });
    written(rooms, address);
    const { log, publicUrl } = rooms.context;
    log.info({ event: 'commit', repo: address.id, sha, changes: operations.length, by: authorOf(req) }, 'commit');
    const page = `${clientBase(req, publicUrl)}/${filePrefix(address.type)}${address.id}/commit/${sha}`;
    return sendJson(req, res, { success: true, commitUrl: page, commitOid: sha, hookOutput: '' });
  };
}

/** What a change comes to: files with their ids, whose bytes are in the store. */
type Change = { add: TreeFile } | { remove: string } | { removeFolder: string };

async function readChanges(rooms: WriteRooms, repo: Repo, req: Request) {
  const operations: Change[] = [];
  let header = { summary: 'Upload', description: '', parentCommit: undefined as string | undefined };
  for await (const operation of readOperations(req)) {
    if (operation.key === 'header') {
      const { summary, description, parentCommit } = operation.value;
      header = {
        summary: String(summary ?? 'Upload'),
        description: String(description ?? ''),
        parentCommit: parentCommit || undefined,
      };
    } else operations.push(await changeOf(rooms, repo, req, operation));
  }
  return { header, operations };
}

async function changeOf(
  rooms: WriteRooms,
  repo: Repo,
  req: Request,
  operation: Exclude<Operation, { key: 'header' }>,
): Promise<Change> {
  const path = checkPath(operation.value.path);
  switch (operation.key) {
    case 'file': {
      const bytes = Buffer.from(
        operation.value.content ?? '',
        operation.value.encoding === 'base64' ? 'base64' : 'utf8',
      );
      if (bytes.length > LARGE_FROM)
        throw new MirrorError(
          'too-large',
          'file',
          `"${path}" is over ${LARGE_FROM} bytes; upload it as a large file (LFS)`,
        );
      return { add: await keepSmallFile(rooms.context, path, bytes, 'upload') };
    }
    case 'lfsFile':
      return { add: await uploaded(rooms, path, operation.value) };
    case 'copyFile': {
      const { srcPath, srcRevision } = operation.value;
      const source = await rooms.snapshots.at(repo, revisionOf(srcRevision ?? 'main'), askerOf(req));
      return { add: { ...(await rooms.snapshots.file(source, checkPath(srcPath))), path } };
    }
    case 'deletedFolder':
      return { removeFolder: path.replace(/\/+$/, '') };
    case 'deletedFile':
      return { remove: path };
  }
}

async function uploaded(
  { context }: WriteRooms,
  path: string,
  { oid, size, algo }: { oid?: string; size?: number; algo?: string },
) {
  if ((algo ?? 'sha256') !== 'sha256' || !/^[0-9a-f]{64}$/.test(oid ?? ''))
    throw new MirrorError('bad-request', 'file', `"${path}" has no sha256 as its oid`);
  const entry = await context.catalog.get(`lfs/${oid}`);
  if (!entry || (size !== undefined && size !== entry.size))
    throw new MirrorError(
      'bad-request',
      'file',
      `"${path}" (sha256 ${oid}) was never uploaded here; upload it, then commit`,
    );
  return largeFile(path, oid!, entry.size);
}

function applied(before: ReadonlyMap<string, TreeFile>, changes: readonly Change[]): Map<string, TreeFile> {
  const files = new Map(before);
  for (const change of changes) {
    if ('add' in change) files.set(change.add.path, change.add);
    else if ('remove' in change) {
      if (!files.delete(change.remove))
        throw new HubError('not-found', 'file', `"${change.remove}" cannot be deleted: it does not exist`, {
          code: 'EntryNotFound',
        });
    } else for (const path of [...files.keys()]) if (path.startsWith(`${change.removeFolder}/`)) files.delete(path);
  }
  return files;
}

function checkPath(path: unknown): string {
  if (typeof path === 'string' && isFilePath(path.replace(/\/+$/, ''))) return path;
  throw new MirrorError(
    'bad-request',
    'file',
    `"${String(path).slice(0, 200)}" is no path in a repo: no empty, ".", ".." or ".git" parts`,
  );
}
