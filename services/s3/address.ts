import type { IncomingMessage } from 'node:http';
import { remembered } from '../../shared/model/remembered.ts';
import type { Query } from './auth/signed-request.ts';
import { S3Error } from './errors.ts';

/** What a request is for. Keys are text of any characters; nothing of them is ever a path here. */
export interface Address {
  bucket: string | undefined;
  key: string | undefined;
  /** As it came over the wire, without its query. */
  path: string;
  /** The same with the bucket in front, where that stands in the host. */
  resource: string;
  query: Query;
}

/** Bytes of a key (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html). */
const MOST_KEY = 1024;

/**
 * Reads bucket and key off a request, path style or host style. Throws `InvalidURI`, `InvalidBucketName`,
 * `KeyTooLongError`.
 */
export function parseAddress(req: Pick<IncomingMessage, 'url' | 'headers'>, domains: readonly string[]): Address {
  // RFC 9112 §3.2.2: "a server MUST accept the absolute-form in requests"
  const [path, text = ''] = splitOnce(req.url!.replace(/^https?:\/\/[^/?]*/i, ''), '?');
  const host = (req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  const domain = domains.find((one) => host.endsWith(`.${one.toLowerCase()}`));
  const query = parseQuery(text);
  const inHost = domain && host.slice(0, -domain.length - 1);
  const resource = inHost ? `/${inHost}${path}` : path;
  const [bucket = '', key] = splitOnce(resource.slice(1), '/').map((part) => decoded(part ?? ''));
  // "a%2Fb/c" would be the object "b/c" of the bucket "a", for whoever may read "a/b"
  if (bucket.includes('/'))
    throw new S3Error('bad-request', 'InvalidBucketName', 'The specified bucket is not valid.', {
      extra: { BucketName: bucket.slice(0, 100) },
    });
  if (key !== undefined) checkKey(key);
  return { bucket: bucket || undefined, key: key || undefined, path, resource, query };
}

/** Throws `KeyTooLongError`, and `InvalidURI` for a NUL, which ends texts in too many places to be kept in one. */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > MOST_KEY)
    throw new S3Error('bad-request', 'KeyTooLongError', 'Your key is too long.', {
      extra: { Size: Buffer.byteLength(key), MaxSizeAllowed: MOST_KEY },
    });
  if (key.includes('\0')) throw invalidUri();
}

function invalidUri(cause?: unknown): S3Error {
  return new S3Error('bad-request', 'InvalidURI', "The specified URI couldn't be parsed.", { cause });
}

const parseQuery = remembered((text): Query => {
  if (text === '') return [];
  return text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name, value = ''] = splitOnce(pair, '=');
      return [decoded(name), decoded(value)] as const;
    });
});

/** A "+" stays one: clients of S3 write blanks as %20. */
function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalidUri(cause);
  }
}

function splitOnce(text: string, by: string): [string, string?] {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + by.length)];
}
