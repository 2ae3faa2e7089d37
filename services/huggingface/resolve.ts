import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { send, sendBytes, sendFacts } from '../../shared/http/send.ts';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { parseRange } from '../../shared/model/byte-range.ts';
import type { Context } from '../../shared/service/service.ts';
import { type FileAddress, parseFileAddress } from './address.ts';
import type { HuggingfaceConfig } from './config.ts';
import { pointerText } from './git-objects.ts';
import { factsOfFile } from './refs.ts';
import { isCommit } from './repo.ts';
import type { Asker, Snapshot, Snapshots } from './snapshots.ts';
import type { TreeFile } from './tree.ts';

/** Fields that a browser's script may read (transformers.js). */
export const EXPOSED =
  'X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash';

/** Bytes of a file that is fetched whole although one byte is asked for: the next request is for the rest. */
const SMALL = 1 << 20;

/** Further fields of a file's answer; Xet's, where it is served. */
export type MoreFields = (req: Request, snapshot: Snapshot, file: TreeFile) => Record<string, string>;

/**
 * `/{prefix}{id}/resolve/{rev}/{path}`: the file itself, never a redirect, with what clients need on HEAD and GET alike.
 * What the file is comes from the commit's tree, so that a HEAD costs no question to the hub.
 */
export function resolveHandler(
  context: Context<HuggingfaceConfig>,
  snapshots: Snapshots,
  more: MoreFields,
): RequestHandler {
  return async (req, res, next) => {
    const address = parseFileAddress(req.path);
    if (!address) return next();
    const snapshot = await snapshots.at(address, address.rev, askerOf(req));
    const file = await snapshots.file(snapshot, address.path);
    if (address.verb === 'raw' && file.lfs) return sendPointer(req, res, snapshot, file);
    const ref = snapshots.fileRef(snapshot, file);
    const facts = { ...factsOfFile(file), size: file.lfs?.size ?? file.size };
    const options = {
      cacheControl: isCommit(address.rev) ? 'public, max-age=31536000, immutable' : 'no-cache',
      headers: { ...fieldsOf(snapshot, file, address), ...more(req, snapshot, file) },
    };
    if (facts.size === 0) return sendEmpty(req, res, facts, options);
    const { mirror } = context;
    if (req.method === 'HEAD') {
      // a gated file, or one that only others hold: whether it can be had is not the tree's to say
      const held = await mirror.held(ref);
      const doubtful = !held && (snapshot.info.gated !== false || context.listing === 'held' || snapshot.local);
      const { served } = doubtful
        ? await mirror.describe(ref)
        : { served: held ? ('hit' as const) : ('miss' as const) };
      return sendFacts(req, res, facts, { ...options, served });
    }
    if (facts.size > SMALL && isProbe(req, facts.size)) {
      // JavaScript and Rust clients open with one byte; that starts no download
      const open = (range?: ByteRange) => mirror.peek(ref, range ?? { start: 0, end: facts.size - 1 });
      return send(req, res, { facts, served: (await mirror.held(ref)) ? 'hit' : 'miss', open }, options);
    }
    const resource = await mirror.open(ref);
    return send(req, res, { ...resource, facts }, options);
  };
}

/** One load of one program: its address, its name, its token. */
export function askerOf(req: Request): Asker {
  const { authorization = '', 'user-agent': agent = '' } = req.headers;
  const program = createHash('sha256').update(`${agent}\n${authorization}`).digest('base64');
  return { load: `${req.socket.remoteAddress} ${program}`, known: req.identity !== undefined };
}

function isProbe(req: Request, size: number): boolean {
  const asked = parseRange(req.headers.range, size);
  return Array.isArray(asked) && asked.length === 1 && asked[0]!.start === 0 && asked[0]!.end < 16;
}

function fieldsOf(snapshot: Snapshot, file: TreeFile, { path }: FileAddress): Record<string, string> {
  const { size, etag } = factsOfFile(file);
  return {
    'x-repo-commit': snapshot.sha,
    'x-linked-size': String(size),
    'x-linked-etag': etag!,
    'content-disposition': disposition(path.slice(path.lastIndexOf('/') + 1)),
    'access-control-allow-origin': '*',
    'access-control-expose-headers': EXPOSED,
  };
}

/** RFC 6266, with the plain form for clients that know no other. */
function disposition(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\]/g, '_');
  const full = encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `inline; filename*=UTF-8''${full}; filename="${plain}";`;
}

/** `/raw/` gives what stands in git: for a large file its pointer. */
function sendPointer(req: Request, res: Response, snapshot: Snapshot, file: TreeFile): Promise<void> {
  const bytes = Buffer.from(pointerText(file.lfs!.oid, file.lfs!.size));
  const facts = { mediaType: 'text/plain; charset=utf-8', etag: `"${file.oid}"`, headers: {} };
  const headers = {
    'x-repo-commit': snapshot.sha,
    'access-control-allow-origin': '*',
    'access-control-expose-headers': EXPOSED,
  };
  return sendBytes(req, res, bytes, facts, { headers });
}

/**
 * An empty file has no byte to give to `Range: bytes=0-0`. A 416 breaks JavaScript's client, a plain 200 too; 200 with
 * `Content-Range: bytes * /0` is what all of them understand.
 */
function sendEmpty(
  req: Request,
  res: Response,
  facts: Parameters<typeof sendBytes>[3],
  options: Parameters<typeof sendBytes>[4] & object,
): Promise<void> {
  const ranged = req.method === 'GET' && req.headers.range !== undefined;
  delete req.headers.range;
  const headers = { ...options.headers, ...(ranged ? { 'content-range': 'bytes */0' } : {}) };
  return sendBytes(req, res, Buffer.alloc(0), facts, { ...options, headers });
}
