import type { Request } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';

/** Bytes of one line: a small file of 10 MiB in base64, and some room. */
const MOST_LINE = 16 << 20;
/** Lines of a commit. */
const MOST_LINES = 200_000;

/** A line of a commit (huggingface_hub, _commit_api.py: _prepare_commit_payload). */
export type Operation =
  | { key: 'header'; value: { summary?: string; description?: string; parentCommit?: string } }
  | { key: 'file'; value: { path: string; content?: string; encoding?: string } }
  | { key: 'lfsFile'; value: { path: string; algo?: string; oid?: string; size?: number } }
  | { key: 'copyFile'; value: { path: string; srcPath: string; srcRevision?: string } }
  | { key: 'deletedFile' | 'deletedFolder'; value: { path: string } };

const KEYS = ['header', 'file', 'lfsFile', 'copyFile', 'deletedFile', 'deletedFolder'];

/** Reads a commit line by line as it arrives. Throws `bad-request` for lines that are none, `too-large`. */
export async function* readOperations(req: Request): AsyncGenerator<Operation> {
  let count = 0;
  for await (const line of linesOf(req)) {
    count += 1;
    if (count > MOST_LINES)
      throw new MirrorError('too-large', 'commit', `a commit has at most ${MOST_LINES} changes; make several`);
    yield parseLine(line, count);
  }
}

async function* linesOf(req: Request): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    let rest = chunk;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const line = Buffer.concat([...waiting, rest.subarray(0, end)]);
      waiting = [];
      length = 0;
      rest = rest.subarray(end + 1);
      if (line.length > 0) yield line;
    }
    waiting.push(rest);
    length += rest.length;
    if (length > MOST_LINE)
      throw new MirrorError('too-large', 'commit', 'a line of the commit is too long; upload large files as LFS files');
  }
  const last = Buffer.concat(waiting);
  if (last.length > 0) yield last;
}

function parseLine(line: Buffer, number: number): Operation {
  try {
    const { key, value } = JSON.parse(line.toString('utf8')) as { key?: unknown; value?: unknown };
    if (typeof key === 'string' && KEYS.includes(key) && value !== null && typeof value === 'object')
      return { key, value } as Operation;
  } catch {
    // said below
  }
  throw new MirrorError('bad-request', 'commit', `line ${number} of the commit is none of ${KEYS.join(', ')}`);
}
