import type { IncomingMessage } from 'node:http';
import { MirrorError } from '../model/errors.ts';

/**
 * Reads a whole small body. Throws `too-large`.
 * @param subject the protocol's word for what is sent: "manifest"
 */
export async function readBody(req: IncomingMessage, mostBytes: number, subject = 'request'): Promise<Buffer> {
  const tooLarge = () => new MirrorError('too-large', subject, `the body is over ${mostBytes} bytes`);
  if (Number(req.headers['content-length'] ?? 0) > mostBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > mostBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
