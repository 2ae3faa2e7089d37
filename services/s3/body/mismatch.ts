import { S3Error } from '../errors.ts';

/** Bytes that are not what `Content-MD5` said; both sums are hex. */
export function badMd5(found: string, wanted: string): S3Error {
  return new S3Error('bad-request', 'BadDigest', 'The Content-MD5 you specified did not match what we received.', {
    extra: { CalculatedDigest: Buffer.from(found, 'hex').toString('base64'), ExpectedDigest: wanted },
  });
}

/** Bytes that are not what `x-amz-content-sha256` said. */
export function badSha256(cause?: unknown, sums?: { found: string; wanted: string }): S3Error {
  return new S3Error(
    'bad-request',
    'XAmzContentSHA256Mismatch',
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
    {
      cause,
      extra: sums && { ClientComputedContentSHA256: sums.wanted, S3ComputedContentSHA256: sums.found },
    },
  );
}
