import { S3Error } from '../errors.ts';

/** Refusals that both versions of signatures have. Their words are AWS's: people look for these. */

export function unknownKey(accessKeyId: string): S3Error {
  return new S3Error(
    'forbidden',
    'InvalidAccessKeyId',
    'The AWS Access Key Id you provided does not exist in our records.',
    { extra: { AWSAccessKeyId: accessKeyId.slice(0, 128) } },
  );
}

export function notSigned(accessKeyId: string): S3Error {
  return new S3Error(
    'forbidden',
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    {
      extra: {
        AWSAccessKeyId: accessKeyId.slice(0, 128),
        Hint: 'the secret key is another one, or something on the way changed the request: its Host, its path, a signed field',
      },
    },
  );
}

/** @param expires and `now`: milliseconds; @param lasts seconds that the address was for */
export function requestExpired(expires: number, now: number, lasts?: number): S3Error {
  return new S3Error('forbidden', 'AccessDenied', 'Request has expired.', {
    extra: {
      ...(lasts === undefined ? {} : { 'X-Amz-Expires': lasts }),
      Expires: new Date(expires).toISOString(),
      ServerTime: new Date(now).toISOString(),
    },
  });
}
