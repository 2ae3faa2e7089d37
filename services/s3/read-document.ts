import { createHash } from 'node:crypto';
import { readBody } from '../../shared/http/read-body.ts';
import { isKind } from '../../shared/model/errors.ts';
import { type Asked, field } from './asked.ts';
import { ALGORITHMS, fieldOf, isValue, startChecksum } from './body/checksums.ts';
import { badMd5, badSha256 } from './body/mismatch.ts';
import { S3Error } from './errors.ts';

const MOST_DOCUMENT = 4 << 20;

/**
 * A small document that came as a body, held to all that its sender says of it. Throws `MaxMessageLengthExceeded`,
 * `InvalidDigest`, `BadDigest`, `XAmzContentSHA256Mismatch`.
 */
export async function readDocument(asked: Asked, mostBytes = MOST_DOCUMENT): Promise<Buffer> {
  const { payload } = asked;
  if (payload.kind === 'chunked')
    throw new S3Error('unsupported', 'NotImplemented', 'A document of XML is sent as it is, not in chunks.', {
      status: 501,
    });
  const bytes = await readBody(asked.req, mostBytes, 'document').catch((error) => {
    throw isKind(error, 'too-large') ? tooLong(mostBytes) : error;
  });
  const said = field(asked, 'content-md5');
  if (said !== undefined) checkMd5(bytes, said);
  if (payload.kind === 'signed') checkSha256(bytes, payload.sha256);
  return bytes;
}

function tooLong(mostBytes: number): S3Error {
  return new S3Error('bad-request', 'MaxMessageLengthExceeded', 'Your request was too big.', {
    extra: { MaxMessageLengthBytes: mostBytes },
  });
}

function checkMd5(bytes: Buffer, said: string): void {
  if (!isValue('MD5', said))
    throw new S3Error('bad-request', 'InvalidDigest', 'The Content-Md5 you specified is not valid.', {
      extra: { 'Content-MD5': said.slice(0, 100) },
    });
  const [found, wanted] = [createHash('md5').update(bytes).digest('hex'), Buffer.from(said, 'base64').toString('hex')];
  if (found !== wanted) throw badMd5(found, wanted);
}

function checkSha256(bytes: Buffer, wanted: string): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== wanted) throw badSha256(undefined, { found, wanted });
}

/** The checksum that a field says of a document; not for a completion, where it is the object's. Throws `BadDigest`. */
export async function checkDocument(asked: Asked, bytes: Buffer): Promise<Buffer> {
  for (const algorithm of ALGORITHMS) {
    const said = field(asked, fieldOf(algorithm));
    if (said === undefined) continue;
    if (!isValue(algorithm, said))
      throw new S3Error('bad-request', 'InvalidRequest', `Value for ${fieldOf(algorithm)} header is invalid.`);
    const checksum = await startChecksum(algorithm);
    checksum.update(bytes);
    if (checksum.digest() !== said)
      throw new S3Error(
        'bad-request',
        'BadDigest',
        `The ${algorithm} you specified did not match the calculated checksum.`,
      );
  }
  return bytes;
}
