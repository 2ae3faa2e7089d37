import { createHmac, hash } from 'node:crypto';
import { HmacKey } from '../model/hmac-key.ts';

/**
 * AWS Signature Version 4 (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html): our own
 * code, since the SDK's presigner answers a twentieth of the requests. The canonical request is the same for signing
 * and for checking.
 */
export interface SigningKey {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  service: string;
}

export interface CanonicalRequest {
  method: string;
  /** Encoded once, as it goes over the wire. */
  path: string;
  /** Decoded pairs. */
  query: readonly (readonly [string, string])[];
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  payloadHash: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const UNSIGNED = 'UNSIGNED-PAYLOAD';
const keys = new Map<string, HmacKey>();
const MOST_KEYS = 100;

/** What most names and values are: not to be looked at letter by letter. */
const UNRESERVED = /^[\w.~-]*$/;

/** "URI encode every byte except the unreserved characters". */
export function encodeRfc3986(text: string): string {
  if (UNRESERVED.test(text)) return text;
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The path of an object: its slashes stay, everything else is encoded once. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeRfc3986).join('/');
}

/** The text that is signed. */
export function stringToSign(request: CanonicalRequest, scope: string, timestamp: string): string {
  const names = Object.keys(request.headers).sort();
  let headers = '';
  for (const name of names) headers += `${name}:${trimmed(request.headers[name]!)}\n`;
  const query = canonicalQuery(request.query);
  const canonical = `${request.method}\n${request.path}\n${query}\n${headers}\n${names.join(';')}\n${request.payloadHash}`;
  return `${ALGORITHM}\n${timestamp}\n${scope}\n${hash('sha256', canonical, 'hex')}`;
}

/** "Sorted by the encoded name", and then by the value: "a" comes before "a-b". */
function canonicalQuery(query: CanonicalRequest['query']): string {
  if (query.length === 0) return '';
  return query
    .map(([name, value]) => [encodeRfc3986(name), encodeRfc3986(value)] as const)
    .sort(([one, first], [other, second]) => inOrder(one, other) || inOrder(first, second))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** "Trim", and "sequential spaces in the header values to a single space". */
function trimmed(value: string): string {
  return / {2}|^\s|\s$|[\t\n]/.test(value) ? value.trim().replace(/\s+/g, ' ') : value;
}

const inOrder = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

/** The signature of it; the key of a day is worked out once. */
export function sign(text: string, key: SigningKey, date: string): string {
  const id = [date, key.region, key.service, key.secretAccessKey].join('\n');
  let derived = keys.get(id);
  if (!derived) {
    const last = [key.region, key.service, 'aws4_request'].reduce(
      (secret, part) => hmac(secret, part),
      hmac(`AWS4${key.secretAccessKey}`, date),
    );
    derived = new HmacKey(last);
    if (keys.size >= MOST_KEYS) keys.clear();
    keys.set(id, derived);
  }
  return derived.sign(text);
}

export interface PresignOptions {
  method: string;
  /** `http://host:port`, without a path. */
  endpoint: string;
  /** Decoded, with its first slash: `/bucket/key`. */
  path: string;
  query?: readonly (readonly [string, string])[];
  /** Further headers that the request must have. */
  headers?: Readonly<Record<string, string>>;
  /** Seconds. */
  expires: number;
  /** Milliseconds. */
  now: number;
  sessionToken?: string;
}

/** A URL that carries its own permission, for so long. */
export function presignUrl(options: PresignOptions, key: SigningKey): string {
  const timestamp = new Date(options.now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = timestamp.slice(0, 8);
  const scope = `${date}/${key.region}/${key.service}/aws4_request`;
  const headers = { host: new URL(options.endpoint).host, ...options.headers };
  const query: [string, string][] = [
    ...(options.query ?? []).map(([name, value]) => [name, value] as [string, string]),
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Credential', `${key.accessKeyId}/${scope}`],
    ['X-Amz-Date', timestamp],
    ['X-Amz-Expires', String(options.expires)],
    ['X-Amz-SignedHeaders', Object.keys(headers).sort().join(';')],
    ...(options.sessionToken ? [['X-Amz-Security-Token', options.sessionToken] as [string, string]] : []),
  ];
  const path = encodePath(options.path);
  const text = stringToSign({ method: options.method, path, query, headers, payloadHash: UNSIGNED }, scope, timestamp);
  const shown = query.map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`).join('&');
  return `${options.endpoint}${path}?${shown}&X-Amz-Signature=${sign(text, key, date)}`;
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
