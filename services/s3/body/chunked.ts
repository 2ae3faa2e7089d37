import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { S3Error } from '../errors.ts';
import type { ChunkSignatures } from './chunk-signatures.ts';

/** Longest line between chunks, bytes; and what all trailers together may have. */
const MOST_LINE = 4096;
const MOST_TRAILERS = 16_384;
/** Chunks of fewer bytes are put together into pieces of so many: one by one, each would cost more than it holds. */
const SMALL = 8192;
const PIECE = 65_536;

export interface ChunkedOptions {
  /** Checks each chunk, where they are signed. */
  signatures?: ChunkSignatures;
  /** Lower-case names of the fields that are to follow, signed where chunks are. */
  trailers?: readonly string[];
  /** Told of the trailers, lower-case names, when all is over. */
  ended?(trailers: Record<string, string>): void;
}

/**
 * Takes `aws-chunked` apart: `<hex size>[;chunk-signature=<hex>]\r\n<bytes>\r\n … 0\r\n[trailers]\r\n`
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html). Bytes are passed on as they come; who
 * keeps them does so when all of it is over and was right. Throws `IncompleteBody`, `InvalidRequest`,
 * `SignatureDoesNotMatch`.
 */
export async function* unchunked(body: AsyncIterable<Buffer>, options: ChunkedOptions): AsyncGenerator<Buffer> {
  const reader = new Reader(body);
  try {
    yield* chunksOf(reader, options);
  } finally {
    await reader.close();
  }
}

async function* chunksOf(reader: Reader, options: ChunkedOptions): AsyncGenerator<Buffer> {
  const { signatures } = options;
  let few: Buffer = NOTHING;
  for (;;) {
    const { size, signature } = chunkHead(await reader.line(), signatures !== undefined);
    const hash = signatures && createHash('sha256');
    if (few.length > 0 && (size === 0 || size >= SMALL || few.length + size > PIECE)) {
      yield few;
      few = NOTHING;
    }
    if (size < SMALL) few = await appended(few, reader, size, hash);
    else yield* bytesOf(reader, size, hash);
    if (signatures) checkSignature(signatures.next(hash!.digest('hex')), signature!);
    if (size === 0) break;
    if ((await reader.line()) !== '') throw broken('a chunk is longer than it says');
  }
  // not as the argument of a call that may not be made: they have to be read in any case
  const trailers = await readTrailers(reader, options);
  options.ended?.(trailers);
  await reader.end();
}

const NOTHING = Buffer.alloc(0);

/** A small chunk behind others of its kind; the room that they are in is as large as a piece. */
async function appended(few: Buffer, reader: Reader, size: number, hash: Hash | undefined): Promise<Buffer> {
  if (size === 0) return few;
  const room = few.length > 0 ? Buffer.from(few.buffer, few.byteOffset, PIECE) : Buffer.allocUnsafeSlow(PIECE);
  let end = few.length;
  for await (const bytes of bytesOf(reader, size, hash)) end += bytes.copy(room, end);
  return room.subarray(0, end);
}

async function* bytesOf(reader: Reader, size: number, hash: Hash | undefined): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const bytes = await reader.bytes(left);
    hash?.update(bytes);
    left -= bytes.length;
    yield bytes;
  }
}

function chunkHead(line: string, signed: boolean): { size: number; signature?: string } {
  const [, size, signature] = /^([0-9a-f]{1,13})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line) ?? [];
  if (size === undefined || (signed && signature === undefined)) throw broken('a chunk has no proper head');
  return { size: Number.parseInt(size, 16), signature };
}

async function readTrailers(reader: Reader, { trailers, signatures }: ChunkedOptions): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  let lines = '';
  let signature: string | undefined;
  for (let length = 0; ; ) {
    const line = await reader.line();
    if (line === '') break;
    length += line.length;
    const [, name, value] = /^([a-z0-9-]+):[ \t]*(.*?)[ \t]*$/i.exec(line) ?? [];
    if (!trailers || name === undefined || length > MOST_TRAILERS) throw malformedTrailer();
    if (name.toLowerCase() === 'x-amz-trailer-signature') signature = value!;
    else {
      found[name.toLowerCase()] = value!;
      lines += `${name.toLowerCase()}:${value}\n`;
    }
  }
  const names = Object.keys(found);
  if (trailers && (names.length !== trailers.length || names.some((name) => !trailers.includes(name))))
    throw malformedTrailer();
  if (trailers && signatures) checkSignature(signatures.trailer(lines), signature ?? '');
  return found;
}

export function malformedTrailer(): S3Error {
  return new S3Error(
    'bad-request',
    'MalformedTrailerError',
    'The request contained trailing data that was not well-formed or did not conform to our published schema.',
  );
}

function checkSignature(wanted: string, given: string): void {
  const [one, other] = [Buffer.from(wanted), Buffer.from(given.toLowerCase())];
  if (one.length === other.length && timingSafeEqual(one, other)) return;
  throw new S3Error(
    'forbidden',
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  );
}

function broken(message: string): S3Error {
  return new S3Error('bad-request', 'IncompleteBody', 'The request body terminated unexpectedly', {
    extra: { Hint: `the body is not in the aws-chunked form that it announces: ${message}` },
  });
}

/** Lines and bytes of a body, whichever way it was cut on its way here. */
class Reader {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(body: AsyncIterable<Buffer>) {
    this.#source = body[Symbol.asyncIterator]();
  }

  /** Up to CRLF, without it. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf('\r\n');
      if (end > MOST_LINE || (end < 0 && this.#held.length > MOST_LINE)) throw broken('a line is too long');
      if (end >= 0) {
        const line = this.#held.toString('latin1', 0, end);
        this.#held = this.#held.subarray(end + 2);
        return line;
      }
      const { done, value } = await this.#source.next();
      if (done) throw broken('it ends too early');
      this.#held = this.#held.length > 0 ? Buffer.concat([this.#held, value]) : value;
    }
  }

  /** What is here, at least a byte, at most `most`. */
  async bytes(most: number): Promise<Buffer> {
    while (this.#held.length === 0) {
      const { done, value } = await this.#source.next();
      if (done) throw broken('it ends too early');
      this.#held = value;
    }
    const taken = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(taken.length);
    return taken;
  }

  /** Lets go of the body, so that somebody else may read on. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async end(): Promise<void> {
    const { done } = this.#held.length > 0 ? { done: false } : await this.#source.next();
    if (!done) throw broken('something follows its end');
  }
}
