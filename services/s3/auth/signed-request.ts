import { remembered } from '../../../shared/model/remembered.ts';
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
 * none. Throws in AWS's own words for one that is not complete: people look for these.
 */
export function readSignedRequest(headers: Fields, query: Query): SignedRequest | undefined {
  const { authorization } = headers;
  const inQuery = queryValue(query, 'X-Amz-Algorithm');
  if (authorization?.startsWith(ALGORITHM)) {
    if (inQuery !== undefined)
      throw invalid(
        'InvalidArgument',
        'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
      );
    return fromHeader(authorization, headers);
  }
  return inQuery === undefined ? undefined : fromQuery(inQuery, query);
}

function fromHeader(authorization: string, headers: Fields): SignedRequest {
  const components = componentsOf(authorization.slice(ALGORITHM.length));
  const [credential, signed, signature] = ['Credential', 'SignedHeaders', 'Signature'].map((name) => {
    const value = components.get(name);
    if (value) return value;
    throw malformedHeader(`missing ${name}.`);
  }) as [string, string, string];
  const timestamp = headers['x-amz-date'] ?? basicDate(headers.date);
  if (timestamp === undefined || !TIMESTAMP.test(timestamp))
    throw new S3Error('forbidden', 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header.');
  const scope = scopeOf(credential, malformedHeader);
  if (scope.date !== timestamp.slice(0, 8))
    throw malformedHeader('Invalid credential date. Date is not the same as X-Amz-Date.');
  return { how: 'header', ...scope, timestamp, signedHeaders: namesIn(signed), signature };
}

function componentsOf(text: string): Map<string, string> {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length !== 3)
    throw malformedHeader(
      'the authorization header requires three components: Credential, SignedHeaders, and Signature.',
    );
  return new Map(
    parts.map((part) => {
      const at = part.indexOf('=');
      if (at < 0) throw malformedHeader(`the authorization component "${part.slice(0, 100)}" is malformed.`);
      return [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

function malformedHeader(message: string): S3Error {
  return invalid('AuthorizationHeaderMalformed', `The authorization header is malformed; ${message}`);
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

const IN_QUERY = 'AuthorizationQueryParametersError';

function fromQuery(algorithm: string, query: Query): SignedRequest {
  const part = (name: string) => {
    const value = queryValue(query, name);
    if (value) return value;
    throw invalid(
      IN_QUERY,
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    );
  };
  if (algorithm !== ALGORITHM) throw invalid(IN_QUERY, `X-Amz-Algorithm only supports "${ALGORITHM}"`);
  const expires = expiresIn(part('X-Amz-Expires'));
  const timestamp = part('X-Amz-Date');
  if (!TIMESTAMP.test(timestamp))
    throw invalid(IN_QUERY, `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`);
  const scope = scopeOf(part('X-Amz-Credential'), (message) =>
    invalid(IN_QUERY, `Error parsing the X-Amz-Credential parameter; ${message}`),
  );
  if (scope.date !== timestamp.slice(0, 8))
    throw invalid(
      IN_QUERY,
      `Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
    );
  const [signed, signature] = [part('X-Amz-SignedHeaders'), part('X-Amz-Signature')];
  return { how: 'query', ...scope, timestamp, signedHeaders: namesIn(signed), signature, expires };
}

function expiresIn(text: string): number {
  const expires = Number(text);
  if (!Number.isInteger(expires)) throw invalid(IN_QUERY, 'X-Amz-Expires should be a number');
  if (expires < 0) throw invalid(IN_QUERY, 'X-Amz-Expires must be non-negative');
  if (expires > WEEK)
    throw invalid(
      IN_QUERY,
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${WEEK} seconds`,
    );
  return expires;
}

const namesIn = remembered((signed) => signed.toLowerCase().split(';'));

/** `<access key>/20261124/us-east-1/s3/aws4_request`. Keys may have slashes of their own: it is read from behind. */
export function scopeOf(credential: string, failed: (message: string) => S3Error): Scope {
  const found = readScope(credential);
  if (typeof found === 'string') throw failed(found);
  return found;
}

type Scope = Pick<SignedRequest, 'accessKeyId' | 'date' | 'region' | 'service' | 'scope'>;

/** A key's scope is the same all day; or what is wrong with it. */
const readScope = remembered((credential): Scope | string => {
  const parts = credential.split('/');
  const [date = '', region = '', service = '', end = ''] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join('/');
  if (parts.length < 5 || accessKeyId === '')
    return 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".';
  const shown = (text: string) => JSON.stringify(text.slice(0, 40));
  if (end !== 'aws4_request') return `incorrect terminal ${shown(end)}. This endpoint uses "aws4_request".`;
  if (service !== 's3') return `incorrect service ${shown(service)}. This endpoint belongs to "s3".`;
  if (!/^\d{8}$/.test(date))
    return `incorrect date format ${shown(date)}. This date in the credential must be in the format "yyyyMMdd".`;
  return { accessKeyId, date, region, service, scope: [date, region, service, end].join('/') };
});

export function queryValue(query: Query, name: string): string | undefined {
  return query.find(([key]) => key === name)?.[1];
}

function invalid(code: string, message: string): S3Error {
  return new S3Error('bad-request', code, message);
}
