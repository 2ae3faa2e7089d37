import type { Digest } from '../../../shared/model/digest.ts';
import { isKind } from '../../../shared/model/errors.ts';
import { type Asked, field } from '../asked.ts';
import { S3Error } from '../errors.ts';
import { ALGORITHMS, type Algorithm, algorithmOf, type Checksum, fieldOf, isValue } from './checksums.ts';
import { ChunkSignatures } from './chunk-signatures.ts';
import { malformedTrailer, unchunked } from './chunked.ts';
import { badMd5, badSha256 } from './mismatch.ts';

/** A body that is in the store. */
export interface Received {
  digest: Digest;
  size: number;
  /** Hex. */
  md5: string;
  /** What the client vouched for, else what was worked out in its stead. */
  checksum: Checksum;
}

export interface ReceiveOptions {
  mostBytes: number;
  /** The checksum that is worked out when the client brings none. */
  byDefault: Algorithm;
  /** The only one that is taken: an upload's own. With `needed` the client has to bring it. */
  only?: { algorithm: Algorithm; needed: boolean };
}

/**
 * Takes a request's body into the store, and holds it to all that its sender says of it: its length, its MD5, its
 * sha256, the signatures of its chunks, its checksum in front or behind. What is not right is not kept.
 */
export async function receive(asked: Asked, options: ReceiveOptions): Promise<Received> {
  const { context, req, payload } = asked;
  const { mostBytes, byDefault, only } = options;
  const length = lengthOf(asked, mostBytes);
  const announced = announcedChecksum(asked);
  if (only && (announced ? announced.algorithm !== only.algorithm : only.needed))
    throw invalid(
      `Checksum Type mismatch occurred, expected checksum Type: ${only.algorithm}, actual checksum Type: ${announced?.algorithm ?? 'null'}`,
    );
  const algorithm = announced?.algorithm ?? byDefault;
  const wantedMd5 = contentMd5(asked);
  let trailers: Record<string, string> = {};
  const ended = (found: Record<string, string>) => {
    trailers = found;
  };
  const check = (hashes: ReadonlyMap<string, string>) => {
    const md5 = hashes.get('md5')!;
    if (wantedMd5 !== undefined && wantedMd5 !== md5) throw badMd5(md5, wantedMd5);
    if (announced) checkChecksum(announced, inBase64(hashes.get(CHECKSUM)!), trailers);
  };
  const kept = await context.blobs
    .ingest(counted(plain(asked, ended), mostBytes, length), {
      subject: 'object',
      promised: payload.kind === 'signed' ? [{ sha256: payload.sha256 }] : [],
      more: [
        { name: 'md5', algorithm: 'md5' },
        { name: CHECKSUM, algorithm: algorithm.toLowerCase() },
      ],
      check,
      // of chunks that are signed one by one, parts are handed on
      owned: payload.kind !== 'chunked',
    })
    .catch((error) => {
      throw inWords(error, req.complete);
    });
  const { digest, size, hashes } = kept;
  const checksum: Checksum = { algorithm, type: 'FULL_OBJECT', value: inBase64(hashes.get(CHECKSUM)!) };
  return { digest, size, md5: hashes.get('md5')!, checksum };
}

const CHECKSUM = 'checksum';
const inBase64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

/** Throws `EntityTooLarge`, and `IncompleteBody` for a body that is not as long as was said. */
async function* counted(
  body: AsyncIterable<Buffer>,
  mostBytes: number,
  length: number | undefined,
): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > mostBytes) throw tooLarge(mostBytes);
    if (length !== undefined && size > length) throw incomplete();
    yield chunk;
  }
  if (length !== undefined && size !== length) throw incomplete();
}

function plain(asked: Asked, ended: (trailers: Record<string, string>) => void): AsyncIterable<Buffer> {
  const { req, payload } = asked;
  // a request that is destroyed takes its connection with it, and who sent it would never hear what was wrong
  const body: AsyncIterable<Buffer> = req.iterator({ destroyOnReturn: false });
  if (payload.kind !== 'chunked') return body;
  const signatures = payload.seed && new ChunkSignatures(payload.seed);
  const trailers = payload.trailers ? trailerNames(asked) : undefined;
  return unchunked(body, { signatures, trailers, ended });
}

const trailerNames = (asked: Asked) =>
  (field(asked, 'x-amz-trailer') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');

/** Bytes of the body itself. Throws `MissingContentLength`, `EntityTooLarge`. */
function lengthOf(asked: Asked, mostBytes: number): number | undefined {
  const isChunked = asked.payload.kind === 'chunked';
  const said = field(asked, isChunked ? 'x-amz-decoded-content-length' : 'content-length');
  if (said === undefined || !/^\d{1,15}$/.test(said)) {
    if (!isChunked && field(asked, 'transfer-encoding') !== undefined) return undefined;
    throw new S3Error('bad-request', 'MissingContentLength', 'You must provide the Content-Length HTTP header.', {
      status: 411,
    });
  }
  if (Number(said) > mostBytes) throw tooLarge(mostBytes);
  return Number(said);
}

function tooLarge(mostBytes: number): S3Error {
  return new S3Error('too-large', 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed object size.', {
    extra: { MaxSizeAllowed: mostBytes },
  });
}

function contentMd5(asked: Asked): string | undefined {
  const said = field(asked, 'content-md5');
  if (said === undefined) return undefined;
  const bytes = Buffer.from(said, 'base64');
  if (bytes.length !== 16 || bytes.toString('base64') !== said)
    throw new S3Error('bad-request', 'InvalidDigest', 'The Content-Md5 you specified is not valid.', {
      extra: { 'Content-MD5': said.slice(0, 100) },
    });
  return bytes.toString('hex');
}

interface Announced {
  algorithm: Algorithm;
  /** Unset when it comes behind the body. */
  value?: string;
}

/** Only what stands in a field counts: presigners write the checksum of an empty body into addresses. */
function announcedChecksum(asked: Asked): Announced | undefined {
  checkChecksumFields(asked);
  const given = ALGORITHMS.filter((algorithm) => field(asked, fieldOf(algorithm)) !== undefined);
  const behind = trailerAlgorithms(trailerNames(asked));
  if (given.length + behind.length > 1)
    throw invalid('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
  const [algorithm = behind[0]] = given;
  checkSdkAlgorithm(field(asked, 'x-amz-sdk-checksum-algorithm'), algorithm);
  if (algorithm === undefined || given.length === 0) return algorithm && { algorithm };
  const value = field(asked, fieldOf(algorithm))!;
  if (!isValue(algorithm, value)) throw invalid(`Value for ${fieldOf(algorithm)} header is invalid.`);
  return { algorithm, value };
}

function trailerAlgorithms(names: readonly string[]): Algorithm[] {
  return names.map((name) => {
    const algorithm = algorithmOf(name.replace(/^x-amz-checksum-/, ''));
    if (algorithm && name === fieldOf(algorithm)) return algorithm;
    throw invalid('The value specified in the x-amz-trailer header is not supported');
  });
}

const ABOUT_CHECKSUMS = ['x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-checksum-mode'];

function checkChecksumFields({ req }: Asked): void {
  for (const name of Object.keys(req.headers)) {
    if (!name.startsWith('x-amz-checksum-') || ABOUT_CHECKSUMS.includes(name)) continue;
    if (algorithmOf(name.slice('x-amz-checksum-'.length)) === undefined)
      throw invalid('The algorithm type you specified in x-amz-checksum- header is invalid.');
  }
}

function checkSdkAlgorithm(said: string | undefined, found: Algorithm | undefined): void {
  if (said === undefined) return;
  if (algorithmOf(said) === undefined)
    throw invalid(
      `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${ALGORITHMS.join(', ')}]`,
    );
  if (found === undefined)
    throw invalid(
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  if (algorithmOf(said) !== found) throw invalid('Value for x-amz-sdk-checksum-algorithm header is invalid.');
}

function checkChecksum({ algorithm, value }: Announced, found: string, trailers: Record<string, string>): void {
  const wanted = value ?? trailers[fieldOf(algorithm)];
  if (wanted === undefined) throw malformedTrailer();
  if (!isValue(algorithm, wanted)) throw invalid(`Value for ${fieldOf(algorithm)} trailing header is invalid.`);
  if (wanted !== found)
    throw new S3Error(
      'bad-request',
      'BadDigest',
      `The ${algorithm} you specified did not match the calculated checksum.`,
    );
}

const invalid = (message: string) => new S3Error('bad-request', 'InvalidRequest', message);

function incomplete(): S3Error {
  return new S3Error(
    'bad-request',
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  );
}

function inWords(error: unknown, isComplete: boolean): unknown {
  if (error instanceof S3Error) return error;
  if (isKind(error, 'corrupt')) return badSha256(error);
  if (!isComplete && isKind(error, 'internal'))
    return new S3Error('bad-request', 'IncompleteBody', 'the connection broke off in the middle of the body', {
      cause: error,
    });
  return error;
}
