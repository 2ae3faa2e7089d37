import { judgeConditions } from '../../shared/http/conditional.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, field } from './asked.ts';
import { S3Error } from './errors.ts';

const NAMES = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const;

/**
 * Judges the conditions of a request, or those of its copy source, which begin with `x-amz-copy-source-`. S3 takes
 * ETags without their quotes, too.
 */
export function judge(asked: Asked, entry: Entry, prefix = ''): ReturnType<typeof judgeConditions> {
  const found: Record<string, string | undefined> = {};
  for (const name of NAMES) {
    const value = field(asked, prefix + name);
    found[name] = value === undefined || name.endsWith('since') ? value : quoted(value);
  }
  return judgeConditions(found, entry);
}

function quoted(value: string): string {
  return value.includes('"') || value === '*' ? value : `"${value}"`;
}

export const unquoted = (etag: string) => etag.trim().replace(/^"|"$/g, '');

export function preconditionFailed(condition?: string): S3Error {
  return new S3Error(
    'conflict',
    'PreconditionFailed',
    'At least one of the pre-conditions you specified did not hold.',
    { status: 412, extra: condition === undefined ? undefined : { Condition: condition } },
  );
}

/**
 * `If-Match` and `If-None-Match: *` of what writes (conditional-writes.html). Throws `PreconditionFailed`, `NoSuchKey`,
 * and `NotImplemented` for what S3 does not take.
 */
export function checkWriteConditions(asked: Asked, held: Entry | undefined): void {
  const [match, none] = [field(asked, 'if-match'), field(asked, 'if-none-match')];
  if (none !== undefined && (match !== undefined || none !== '*'))
    throw new S3Error(
      'unsupported',
      'NotImplemented',
      'A header you provided implies functionality that is not implemented.',
      { status: 501, extra: { Header: 'If-None-Match' } },
    );
  if (none !== undefined && held) throw preconditionFailed('If-None-Match');
  if (match !== undefined) checkMatch(asked, match, held);
}

/** True when a write asks what stands there before. */
export function hasWriteCondition(asked: Asked): boolean {
  return field(asked, 'if-match') !== undefined || field(asked, 'if-none-match') !== undefined;
}

function checkMatch(asked: Asked, match: string, held: Entry | undefined): void {
  if (!held) throw noSuchKey(asked.key);
  if (match !== '*' && unquoted(match) !== unquoted(held.etag!)) throw preconditionFailed('If-Match');
}

/** What a deletion says of the object that it means, in fields or in elements of a document. */
export interface MeantObject {
  etag?: string;
  /** Bytes. */
  size?: string;
  lastModified?: string;
}

export const meansOne = (meant: MeantObject) => Object.values(meant).some((value) => value !== undefined);

/**
 * "If the ETag matches or if the object doesn't exist, the operation will return a 204" (API_DeleteObject.html). Throws
 * `PreconditionFailed`.
 */
export function checkMeant({ etag, size, lastModified }: MeantObject, held: Entry | undefined): void {
  if (!held) return;
  if (etag !== undefined && etag !== '*' && unquoted(etag) !== unquoted(held.etag!))
    throw preconditionFailed('If-Match');
  if (size !== undefined && size !== String(held.size)) throw preconditionFailed('x-amz-if-match-size');
  // to the second: that is all that a Last-Modified says
  const second = (text: string) => Math.floor(Date.parse(text) / 1000);
  if (lastModified !== undefined && second(lastModified) !== second(held.lastModified!))
    throw preconditionFailed('x-amz-if-match-last-modified-time');
}

export function noSuchKey(key: string): S3Error {
  return new S3Error('not-found', 'NoSuchKey', 'The specified key does not exist.', { extra: { Key: key } });
}
