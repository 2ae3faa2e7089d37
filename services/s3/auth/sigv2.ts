import { createHmac, timingSafeEqual } from 'node:crypto';
import { S3Error } from '../errors.ts';
import { notSigned, requestExpired, unknownKey } from './refusals.ts';
import { type Fields, type Query, queryValue } from './signed-request.ts';

/** Parts of a query that are signed; all others are not (RESTAuthentication.html, "canonicalized resource"). */
const SUBRESOURCES = new Set([
  ...['acl', 'cors', 'delete', 'lifecycle', 'location', 'logging', 'notification', 'partNumber', 'policy'],
  ...['requestPayment', 'tagging', 'torrent', 'uploadId', 'uploads', 'versionId', 'versioning', 'versions', 'website'],
  ...['response-cache-control', 'response-content-disposition', 'response-content-encoding'],
  ...['response-content-language', 'response-content-type', 'response-expires'],
]);

export interface PresignedV2 {
  method: string;
  /** As it came, encoded, with the bucket in front also where the bucket stands in the host. */
  resource: string;
  query: Query;
  headers: Fields;
}

/** True when an address is signed the old way: boto3 and the first aws CLI still make such ones. */
export function isPresignedV2(query: Query): boolean {
  return queryValue(query, 'AWSAccessKeyId') !== undefined && queryValue(query, 'Signature') !== undefined;
}

/**
 * Checks an address that is signed with Signature Version 2
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html, "query string request authentication").
 * @returns the access key. Throws `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `AccessDenied` when it is over.
 */
export async function verifyPresignedV2(
  request: PresignedV2,
  secretOf: (accessKeyId: string) => Promise<string | undefined>,
  now: number,
): Promise<string> {
  const [accessKeyId, signature] = [
    queryValue(request.query, 'AWSAccessKeyId')!,
    queryValue(request.query, 'Signature')!,
  ];
  const expires = queryValue(request.query, 'Expires') ?? '';
  if (!/^\d{1,12}$/.test(expires))
    throw new S3Error('forbidden', 'AccessDenied', 'an address that is signed needs Expires, seconds since 1970');
  const secret = await secretOf(accessKeyId);
  if (secret === undefined) throw unknownKey(accessKeyId);
  if (Number(expires) * 1000 < now) throw requestExpired(Number(expires) * 1000, now);
  const wanted = Buffer.from(createHmac('sha1', secret).update(textOf(request, expires)).digest('base64'));
  const given = Buffer.from(signature);
  if (wanted.length === given.length && timingSafeEqual(wanted, given)) return accessKeyId;
  throw notSigned(accessKeyId);
}

function textOf({ method, resource, query, headers }: PresignedV2, expires: string): string {
  const amz = [...Object.entries(headers), ...query.map(([name, value]) => [name.toLowerCase(), value] as const)]
    .filter(([name]) => name.startsWith('x-amz-'))
    .map(([name, value]) => `${name}:${value?.trim()}\n`)
    .sort()
    .join('');
  const signed = query
    .filter(([name]) => SUBRESOURCES.has(name))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`));
  const path = signed.length > 0 ? `${resource}?${signed.join('&')}` : resource;
  return [method, headers['content-md5'] ?? '', headers['content-type'] ?? '', expires, `${amz}${path}`].join('\n');
}
