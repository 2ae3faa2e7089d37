import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import { send } from '../../shared/http/send.ts';
import type { Resource } from '../../shared/mirror/resource.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { parseAddress } from './address.ts';
import { attachment, wireOf } from './answers.ts';
import { type ArtifactVersion, labelOf } from './artifact.ts';
import type { VersionFile } from './refs.ts';
import type { Rooms } from './routes.ts';
import { type Zipped, zipOf } from './zip-body.ts';

/** Files that are asked for ahead of the one that is being sent: many small ones would wait for each other. */
const AHEAD = 4;

/** Form 6, `…/versions/{v}/zip`: all files of a version in one archive. What is no such address is passed on. */
export function zip({ context, documents }: Rooms): RequestHandler {
  return async (req, res, next) => {
    const asked = parseAddress(wireOf(req).path);
    if (asked?.form !== 'zip') return next();
    const files = await documents.fileList(asked);
    await checkHeld(asked, files);
    const sizes: number[] = [];
    for (const file of files) sizes.push(await sizeOf(asked, file));
    const resources = opened(files, (path) => documents.file(asked, path));
    // the first answers for the whole: who may not have it hears so in words
    if (req.method !== 'HEAD' && files.length > 0) await resources(0);
    const zipped = files.map(
      ({ path }, index): Zipped => ({
        path,
        size: sizes[index]!,
        open: async () => (await resources(index)).open(),
      }),
    );
    const { version } = await documents.parsedVersion(asked);
    const body = zipOf(zipped, dateOf(version.createdDate), { etag: etagOf(files, version.createdDate) });
    // parts of it are read from its beginning: one of them at a time
    if (req.headers.range?.includes(',')) delete req.headers.range;
    await send(req, res, body, {
      cacheControl: 'no-cache',
      headers: { 'content-disposition': attachment('files.zip') },
    });
  };

  /** Where nobody can be asked all of it must be here before it begins: what breaks off later tells nobody why. */
  async function checkHeld(of: ArtifactVersion, files: readonly VersionFile[]): Promise<void> {
    if (context.listing !== 'held') return;
    for (const { path } of files) if (!(await documents.isHeld(of, path))) await documents.file(of, path);
  }

  /** As the list says, and where it does not, as the file's own answer does. Throws `upstream-failed` without either. */
  async function sizeOf(of: ArtifactVersion, { path, size }: VersionFile): Promise<number> {
    const label = `${path} of ${labelOf(of.artifact, of.version)}`;
    // some programs take it for a drive
    if (/^[a-z]:/i.test(path))
      throw new MirrorError('upstream-failed', 'file', `no archive can have the path of ${label}`);
    const found = size ?? (await context.mirror.describe(await documents.fileRef(of, path))).facts.size;
    if (found !== undefined) return found;
    throw new MirrorError(
      'upstream-failed',
      'file',
      `nobody says how large ${label} is, so that no archive can have it`,
    );
  }
}

/** Opens by place, some ahead, each once. */
function opened(files: readonly VersionFile[], open: (path: string) => Promise<Resource>) {
  const running = new Map<number, Promise<Resource>>();
  let next = 0;
  return (index: number): Promise<Resource> => {
    for (; next < files.length && next <= index + AHEAD; next += 1) {
      const one = open(files[next]!.path);
      // met when its turn comes
      one.catch(() => undefined);
      running.set(next, one);
    }
    return running.get(index)!;
  };
}

function dateOf(text: unknown): Date {
  const date = new Date(typeof text === 'string' ? text : Number.NaN);
  return Number.isNaN(date.getTime()) ? new Date(Date.UTC(1980, 0, 1)) : date;
}

/** Of what makes the bytes: the same files make the same archive. */
function etagOf(files: readonly VersionFile[], created: unknown): string {
  const text = JSON.stringify([created, files.map(({ path, size, sha256 }) => [path, size, sha256])]);
  return `"${createHash('sha256').update(text).digest('hex').slice(0, 40)}"`;
}
