import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Digest } from '../../../shared/model/digest.ts';
import { isKind } from '../../../shared/model/errors.ts';
import { type Asked, field } from '../asked.ts';
import { S3Error } from '../errors.ts';
import { ALGORITHMS, type Algorithm, algorithmOf, type Checksum, fieldOf, startChecksum, WIDTH } from './checksums.ts';
import { ChunkSignatures } from './chunk-signatures.ts';
import { unchunked } from './chunked.ts';

/** A body that is in the store. */
export interface Received {
  digest: Digest;
  size: number;
  /** Hex. */
  md5: string;
  /** What the client vouched for, by field, in Base64. */
  checksum?: { algorithm: Algorithm; value: string };
}

/**
 * Takes a request's body into the store, and holds it to all that its sender says of it: its length, its MD5, its
 * sha256, the signatures of its chunks, its checksum in front or behind. What is not right is not kept.
 */
export async function receive(asked: Asked, mostBytes: number): Promise<Received> {
  const { context, req, payload } = asked;
  const length = lengthOf(asked, mostBytes);
  const md5 = createHash('md5');
  const wantedMd5 = contentMd5(asked);
  const wanted = announcedChecksum(asked);
  const checksum = wanted && (await startChecksum(wanted.algorithm));
  let trailers: Record<string, string> = {};
  const ended = (found: Record<string, string>) => {
    trailers = found;
  };
  let size = 0;
  let md5Hex = '';
  const body = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of plain(asked, ended)) {
      size += chunk.length;
      if (size > mostBytes) throw tooLarge(mostBytes);
      md5.update(chunk);
      checksum?.update(chunk);
      yield chunk;
    }
    if (length !== undefined && size !== length)
      throw new S3Error('bad-request', 'IncompleteBody', `${length} bytes were announced, and ${size} came`);
    md5Hex = md5.digest('hex');
    if (wantedMd5 !== undefined && wantedMd5 !== md5Hex)
      throw new S3Error('bad-request', 'BadDigest', 'the body is not what its Content-MD5 says');
    if (wanted && checksum) checkChecksum(wanted, checksum, trailers);
  };
  const promised = payload.kind === 'signed' ? [{ sha256: payload.sha256 }] : [];
  const stream = Readable.from(body(), { objectMode: false, highWaterMark: 1 << 20 });
  const kept = await context.blobs.ingest(stream, { subject: 'object', promised }).catch((error) => {
    throw inWords(error, req.complete);
  });
  const value = wanted && (wanted.value ?? trailers[fieldOf(wanted.algorithm)]!);
  const found = wanted && value ? { algorithm: wanted.algorithm, value } : undefined;
  return { digest: kept.digest, size: kept.size, md5: md5Hex, checksum: found };
}

function plain({ req, payload }: Asked, ended: (trailers: Record<string, string>) => void): AsyncIterable<Buffer> {
  if (payload.kind !== 'chunked') return req as AsyncIterable<Buffer>;
  const signatures = payload.seed && new ChunkSignatures(payload.seed);
  return unchunked(req as AsyncIterable<Buffer>, { signatures, trailers: payload.trailers, ended });
}

/** Bytes of the body itself. Throws `MissingContentLength`, `EntityTooLarge`. */
function lengthOf(asked: Asked, mostBytes: number): number | undefined {
  const isChunked = asked.payload.kind === 'chunked';
  const said = field(asked, isChunked ? 'x-amz-decoded-content-length' : 'content-length');
  if (said === undefined) {
    if (!isChunked && field(asked, 'transfer-encoding') !== undefined) return undefined;
    throw new S3Error('bad-request', 'MissingContentLength', 'the length of the body has to be said', { status: 411 });
  }
  if (!/^\d{1,15}$/.test(said)) throw new S3Error('bad-request', 'InvalidArgument', 'the length of the body is none');
  if (Number(said) > mostBytes) throw tooLarge(mostBytes);
  return Number(said);
}

function tooLarge(mostBytes: number): S3Error {
  return new S3Error('too-large', 'EntityTooLarge', `at most ${mostBytes} bytes are taken in one request`, {
    extra: { MaxSizeAllowed: mostBytes },
  });
}

function contentMd5(asked: Asked): string | undefined {
  const said = field(asked, 'content-md5');
  if (said === undefined) return undefined;
  const bytes = Buffer.from(said, 'base64');
  if (bytes.length !== 16 || bytes.toString('base64') !== said)
    throw new S3Error('bad-request', 'InvalidDigest', 'Content-MD5 is no MD5 in Base64');
  return bytes.toString('hex');
}

interface Announced {
  algorithm: Algorithm;
  /** Unset when it comes behind the body. */
  value?: string;
}

/** Only what stands in a field counts: presigners write the checksum of an empty body into addresses. */
function announcedChecksum(asked: Asked): Announced | undefined {
  const given = ALGORITHMS.filter((algorithm) => field(asked, fieldOf(algorithm)) !== undefined);
  const behind = (field(asked, 'x-amz-trailer') ?? '')
    .split(',')
    .map((name) => algorithmOf(name.trim().replace(/^x-amz-checksum-/i, '')))
    .filter((algorithm) => algorithm !== undefined);
  if (given.length + behind.length > 1)
    throw new S3Error('bad-request', 'InvalidRequest', 'expecting a single x-amz-checksum- field');
  const [algorithm] = given;
  if (algorithm === undefined) return behind[0] && { algorithm: behind[0] };
  const value = field(asked, fieldOf(algorithm))!;
  if (Buffer.from(value, 'base64').length !== WIDTH[algorithm])
    throw new S3Error('bad-request', 'InvalidRequest', `value for ${fieldOf(algorithm)} is invalid`);
  return { algorithm, value };
}

function checkChecksum(wanted: Announced, checksum: Checksum, trailers: Record<string, string>): void {
  const value = wanted.value ?? trailers[fieldOf(wanted.algorithm)];
  if (value === undefined)
    throw new S3Error(
      'bad-request',
      'MalformedTrailerError',
      `${fieldOf(wanted.algorithm)} was to follow, and did not`,
    );
  if (checksum.digest() !== value)
    throw new S3Error('bad-request', 'BadDigest', `the ${wanted.algorithm} of the body is not what was said`);
}

function inWords(error: unknown, isComplete: boolean): unknown {
  if (error instanceof S3Error) return error;
  if (isKind(error, 'corrupt'))
    return new S3Error(
      'bad-request',
      'XAmzContentSHA256Mismatch',
      'the body is not what its x-amz-content-sha256 says',
      { cause: error },
    );
  if (!isComplete && isKind(error, 'internal'))
    return new S3Error('bad-request', 'IncompleteBody', 'the connection broke off in the middle of the body', {
      cause: error,
    });
  return error;
}
