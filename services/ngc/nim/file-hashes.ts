import { createReadStream } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import type { HashWish } from '../../../shared/model/running-hash.ts';
import { HashedBody } from '../../../shared/storage/hashed-body.ts';

/** Bytes that are hashed at once; what is longer, beside. */
const SMALL = 64 << 10;

/**
 * Hashes of a body, hex by algorithm, worked out in threads where it is long.
 * @param write takes the body meanwhile
 */
export async function hashesOf(
  body: Readable,
  algorithms: readonly string[],
  options: { signal?: AbortSignal; write?(body: AsyncIterable<Buffer> | Buffer): Promise<unknown> } = {},
): Promise<ReadonlyMap<string, string>> {
  const wishes: HashWish[] = algorithms.map((algorithm) => ({ name: algorithm, algorithm }));
  const hashed = new HashedBody(wishes);
  const { write = readToTheEnd, signal } = options;
  if (signal) addAbortSignal(signal, body);
  try {
    const small = await hashed.whole(body, SMALL);
    await write(small ?? hashed.rest());
    return (await hashed.finish()).hashes;
  } finally {
    hashed.release();
    body.destroy();
  }
}

/** The same of a file. */
export function hashesOfFile(path: string, algorithms: readonly string[], signal?: AbortSignal) {
  return hashesOf(createReadStream(path, { highWaterMark: 1 << 20 }), algorithms, { signal });
}

async function readToTheEnd(body: AsyncIterable<Buffer> | Buffer): Promise<void> {
  if (Buffer.isBuffer(body)) return;
  for await (const _ of body);
}
