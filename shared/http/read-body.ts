import type { IncomingMessage } from 'node:http';
import { MirrorError } from '../model/errors.ts';

/**
 * Reads a whole small body. Throws `too-large`, and `bad-request` for a client that leaves in the middle.
 * @param subject the protocol's word for what is sent: "manifest"
 */
export async function readBody(req: IncomingMessage, mostBytes: number, subject = 'request'): Promise<Buffer> {
  const tooLarge = () => new MirrorError('too-large', subject, `the body is over ${mostBytes} bytes`);
  if (Number(req.headers['content-length'] ?? 0) > mostBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // a request that is destroyed takes its connection with it, and its sender would never hear why
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > mostBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ECONNRESET' ? left(subject, cause) : cause;
  }
  return Buffer.concat(chunks);
}

/** Nobody is there to be told, and nothing of ours is wrong. */
function left(subject: string, cause: unknown): MirrorError {
  return new MirrorError('bad-request', subject, 'the connection broke off in the middle of the body', { cause });
}
