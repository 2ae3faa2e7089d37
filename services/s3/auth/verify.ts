import { isUtf8 } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import { remembered } from '../../../shared/model/remembered.ts';
import { encodePath, type SigningKey, sign, stringToSign } from '../../../shared/storage/sigv4.ts';
import type { ChunkSeed } from '../body/chunk-signatures.ts';
import { S3Error } from '../errors.ts';
import { notSigned, requestExpired, unknownKey } from './refusals.ts';
import { type Fields, type Query, queryValue, readSignedRequest, type SignedRequest } from './signed-request.ts';

/** How the body is vouched for (`x-amz-content-sha256`). */
export type Payload =
  /** By its sha256, hex. */
  | { kind: 'signed'; sha256: string }
  | { kind: 'unsigned' }
  /** In chunks, which may be signed each, and with fields behind them. */
  | { kind: 'chunked'; seed?: ChunkSeed; trailers: boolean };

export interface RequestToVerify {
  method: string;
  /** As it came over the wire, without its query. */
  path: string;
  query: Query;
  headers: Fields;
}

export interface Verified {
  accessKeyId: string;
  payload: Payload;
}

/** Milliseconds that a client's clock may be wrong. */
const SKEW = 900_000;
const UNSIGNED = 'UNSIGNED-PAYLOAD';
// without a prototype: what a client says is looked up in it
const STREAMS: Record<string, { signed: boolean; trailers: boolean }> = {
  __proto__: null as never,
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailers: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailers: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailers: true },
};

/**
 * Checks a request's signature. Undefined for one that has none. Throws `InvalidAccessKeyId`, `SignatureDoesNotMatch`,
 * `RequestTimeTooSkewed`, `AccessDenied` for an address that is over, and what `readSignedRequest` throws.
 * @param secretOf the secret of an access key, if there is such a key
 */
export async function verifyRequest(
  request: RequestToVerify,
  secretOf: (accessKeyId: string) => Promise<string | undefined>,
  now: number,
): Promise<Verified | undefined> {
  const signed = readSignedRequest(request.headers, request.query);
  if (!signed) return undefined;
  const { accessKeyId } = signed;
  const secretAccessKey = await secretOf(accessKeyId);
  if (secretAccessKey === undefined) throw unknownKey(accessKeyId);
  checkTime(signed, now);
  checkSignedHeaders(signed, request.headers);
  const key = { accessKeyId, secretAccessKey, region: signed.region, service: signed.service };
  const payloadHash = payloadHashOf(signed, request);
  checkPayloadHash(payloadHash);
  if (!isSignedBy(signed, request, payloadHash, key) && !isSignedAnew(signed, request, payloadHash, key))
    throw notSigned(accessKeyId);
  return { accessKeyId, payload: payloadOf(payloadHash, signed, key) };
}

/** The same for clients that write `%7E` and sign `~`: decoded and encoded anew. */
function isSignedAnew(signed: SignedRequest, request: RequestToVerify, payloadHash: string, key: SigningKey): boolean {
  try {
    const path = encodePath(decodeURIComponent(request.path));
    return path !== request.path && isSignedBy(signed, { ...request, path }, payloadHash, key);
  } catch {
    return false;
  }
}

function isSignedBy(signed: SignedRequest, request: RequestToVerify, payloadHash: string, key: SigningKey): boolean {
  const headers: Record<string, string> = {};
  for (const name of signed.signedHeaders)
    headers[name] = asSigned(Object.hasOwn(request.headers, name) ? request.headers[name]! : '');
  const known = signed.how === 'query' ? textOf(request, headers, payloadHash, key) : undefined;
  if (known !== undefined && right.has(known)) return true;
  const query = signed.how === 'header' ? request.query : request.query.filter(([name]) => name !== 'X-Amz-Signature');
  const canonical = { method: request.method, path: request.path, query, headers, payloadHash };
  const wanted = Buffer.from(sign(stringToSign(canonical, signed.scope, signed.timestamp), key, signed.date));
  const given = Buffer.from(signed.signature);
  const isRight = wanted.length === given.length && timingSafeEqual(wanted, given);
  if (isRight && known !== undefined) remember(known);
  return isRight;
}

/**
 * Addresses whose signature was found right: one is asked for again and again, range by range. Everything that the
 * signature depends on is in the text, the secret and the signature itself included; whether it is over, and whether its
 * key still holds, is asked each time.
 */
const right = new Set<string>();
const MOST_RIGHT = 2000;
const LONGEST_RIGHT = 4096;

function textOf(
  { method, path, query }: RequestToVerify,
  headers: Record<string, string>,
  payloadHash: string,
  { secretAccessKey }: SigningKey,
): string | undefined {
  const text = JSON.stringify([secretAccessKey, method, path, query, headers, payloadHash]);
  return text.length > LONGEST_RIGHT ? undefined : text;
}

function remember(text: string): void {
  if (right.size >= MOST_RIGHT) right.clear();
  right.add(text);
}

/** Fields come as one character for each byte; what clients sign is the text whose UTF-8 they are, where they are such. */
function asSigned(value: string): string {
  if (!/[\x80-\xff]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : value;
}

/** `20261124T120000Z`; NaN for a date that there is not. */
const millisecondsOf = remembered((timestamp) => {
  const [year, month, day] = [timestamp.slice(0, 4), timestamp.slice(4, 6), timestamp.slice(6, 8)].map(Number);
  const [hour, minute, second] = [timestamp.slice(9, 11), timestamp.slice(11, 13), timestamp.slice(13, 15)].map(Number);
  const isDate = month! >= 1 && month! <= 12 && day! >= 1 && day! <= 31 && hour! < 24 && minute! < 60 && second! < 60;
  return isDate ? Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) : Number.NaN;
});

function checkTime({ how, timestamp, expires }: SignedRequest, now: number): void {
  const at = millisecondsOf(timestamp);
  if (Number.isNaN(at))
    throw new S3Error('forbidden', 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header.');
  if (how === 'query') {
    if (at > now + SKEW) throw new S3Error('forbidden', 'AccessDenied', 'Request is not valid yet.');
    if (at + expires! * 1000 <= now) throw requestExpired(at + expires! * 1000, now, expires);
  } else if (Math.abs(at - now) > SKEW)
    throw new S3Error(
      'forbidden',
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      { extra: { RequestTime: timestamp, ServerTime: new Date(now).toISOString(), MaxAllowedSkewMilliseconds: SKEW } },
    );
}

/** "host" and all of "x-amz-*": whoever stands between must not be able to add any. */
function checkSignedHeaders({ signedHeaders }: SignedRequest, headers: Fields): void {
  const unsigned: string[] = [];
  for (const name in headers) if (name.startsWith('x-amz-') && !signedHeaders.includes(name)) unsigned.push(name);
  if (!signedHeaders.includes('host')) unsigned.unshift('host');
  if (unsigned.length > 0)
    throw new S3Error('forbidden', 'AccessDenied', 'There were headers present in the request which were not signed', {
      extra: { HeadersNotSigned: unsigned.join(', ') },
    });
}

function payloadHashOf({ how }: SignedRequest, { headers, query }: RequestToVerify): string {
  const said = headers['x-amz-content-sha256'];
  // presigners move the field into the address, and some leave its name in small letters
  const moved = ['X-Amz-Content-Sha256', 'x-amz-content-sha256'];
  if (how === 'query') return said ?? moved.map((name) => queryValue(query, name)).find(Boolean) ?? UNSIGNED;
  if (said === undefined)
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      'Missing required header for this request: x-amz-content-sha256',
    );
  return said;
}

function payloadOf(hash: string, signed: SignedRequest, key: SigningKey): Payload {
  if (hash === UNSIGNED) return { kind: 'unsigned' };
  const stream = STREAMS[hash];
  if (stream) {
    const { timestamp, scope, signature } = signed;
    const seed = stream.signed ? { timestamp, scope, signature, key } : undefined;
    return { kind: 'chunked', seed, trailers: stream.trailers };
  }
  return { kind: 'signed', sha256: hash.toLowerCase() };
}

function checkPayloadHash(hash: string): void {
  if (hash === UNSIGNED || STREAMS[hash] || /^[0-9a-f]{64}$/i.test(hash)) return;
  throw new S3Error(
    'bad-request',
    'InvalidArgument',
    `x-amz-content-sha256 must be ${UNSIGNED}, ${Object.keys(STREAMS).join(', ')} or a valid sha256 value.`,
  );
}
