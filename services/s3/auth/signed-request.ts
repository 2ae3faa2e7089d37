import { S3Error } from '../errors.ts';

/** What a request says of who signed it, and how. Query names are decoded; header names are lower-case. */
export interface SignedRequest {
  how: 'header' | 'query';
  accessKeyId: string;
  /** `20261124` */
  date: string;
  region: string;
  service: string;
  /** `20261124/us-east-1/s3/aws4_request` */
  scope: string;
  /** `20261124T120000Z` */
  timestamp: string;
  signedHeaders: string[];
  signature: string;
  /** Seconds from `timestamp` on, where the address carries the signature. */
  expires?: number;
}

export type Fields = Readonly<Record<string, string | undefined>>;
export type Query = readonly (readonly [string, string])[];

const ALGORITHM = 'AWS4-HMAC-SHA256';
const TIMESTAMP = /^\d{8}T\d{6}Z$/;
const WEEK = 604_800;

/**
 * Reads Signature Version 4 off a request, from its `Authorization` or from its query
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html). Undefined when there is
 * none. Throws in S3's words for one that is not complete.
 */
export function readSignedRequest(headers: Fields, query: Query): SignedRequest | undefined {
  const { authorization } = headers;
  const inQuery = queryValue(query, 'X-Amz-Algorithm');
  if (authorization?.startsWith(ALGORITHM)) {
    if (inQuery !== undefined) throw invalid('InvalidArgument', 'only one way of authentication is allowed');
    return fromHeader(authorization, headers);
  }
  return inQuery === undefined ? undefined : fromQuery(inQuery, query);
}

function fromHeader(authorization: string, headers: Fields): SignedRequest {
  const part = (name: string) => new RegExp(`${name}=([^,\\s]+)`).exec(authorization)?.[1];
  const [credential, signed, signature] = [part('Credential'), part('SignedHeaders'), part('Signature')];
  if (!credential || !signed || !signature)
    throw invalid('AuthorizationHeaderMalformed', 'Authorization needs Credential, SignedHeaders and Signature');
  const timestamp = headers['x-amz-date'] ?? basicDate(headers.date);
  if (timestamp === undefined || !TIMESTAMP.test(timestamp))
    throw new S3Error('forbidden', 'AccessDenied', 'a signed request needs a valid x-amz-date or Date');
  return complete('header', credential, signed, signature, timestamp, 'AuthorizationHeaderMalformed');
}

/** A `Date` field as HTTP has it, in the form that is signed. */
function basicDate(date: string | undefined): string | undefined {
  if (date === undefined || TIMESTAMP.test(date)) return date;
  const parsed = Date.parse(date);
  return Number.isNaN(parsed) ? undefined : timestampOf(parsed);
}

/** @param now milliseconds */
export function timestampOf(now: number): string {
  return new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function fromQuery(algorithm: string, query: Query): SignedRequest {
  const code = 'AuthorizationQueryParametersError';
  const part = (name: string) => {
    const value = queryValue(query, name);
    if (value) return value;
    throw invalid(
      code,
      `an address that is signed needs X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and X-Amz-Signature`,
    );
  };
  if (algorithm !== ALGORITHM) throw invalid(code, `X-Amz-Algorithm only supports "${ALGORITHM}"`);
  const expires = Number(part('X-Amz-Expires'));
  if (!Number.isInteger(expires)) throw invalid(code, 'X-Amz-Expires should be a number');
  if (expires < 0 || expires > WEEK)
    throw new S3Error('forbidden', code, `X-Amz-Expires must be from 0 to a week (in seconds), ${WEEK}`);
  const timestamp = part('X-Amz-Date');
  if (!TIMESTAMP.test(timestamp)) throw invalid(code, 'X-Amz-Date must be in the form yyyyMMddTHHmmssZ');
  const [credential, signed, signature] = [
    part('X-Amz-Credential'),
    part('X-Amz-SignedHeaders'),
    part('X-Amz-Signature'),
  ];
  return { ...complete('query', credential, signed, signature, timestamp, code), expires };
}

function complete(
  how: SignedRequest['how'],
  credential: string,
  signed: string,
  signature: string,
  timestamp: string,
  code: string,
): SignedRequest {
  // keys may have slashes of their own: the scope is read from behind
  const parts = credential.split('/');
  const [date, region, service, end] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join('/');
  if (parts.length < 5 || accessKeyId === '' || !/^\d{8}$/.test(date!) || end !== 'aws4_request')
    throw invalid(code, 'the credential has to be <access key>/<yyyymmdd>/<region>/s3/aws4_request');
  if (date !== timestamp.slice(0, 8)) throw invalid(code, 'the date of the credential is not that of the request');
  if (service !== 's3')
    throw invalid(code, `the credential is for the service "${service!.slice(0, 40)}", and this is "s3"`);
  const signedHeaders = signed.toLowerCase().split(';');
  const scope = [date, region, service, end].join('/');
  return { how, accessKeyId, date: date!, region: region!, service, scope, timestamp, signedHeaders, signature };
}

export function queryValue(query: Query, name: string): string | undefined {
  return query.find(([key]) => key === name)?.[1];
}

function invalid(code: string, message: string): S3Error {
  return new S3Error('bad-request', code, message);
}
