import type { ByteRange } from '../../shared/model/byte-range.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, param } from './asked.ts';
import { partOf } from './bodies.ts';
import { S3Error } from './errors.ts';

/** What of an object is asked for. */
export interface Portion extends ByteRange {
  /** Set where it is a part by its number. */
  part?: number;
}

/**
 * The range or the part that a GET or HEAD is for; undefined for the whole. S3 takes one range, of the plain forms, and
 * passes over all others (API_GetObject.html). Throws `InvalidRange`, `InvalidPartNumber`.
 */
export function portionOf(asked: Asked, entry: Entry, number: number | undefined): Portion | undefined {
  const { range } = asked.req.headers;
  if (number === undefined) return range === undefined ? undefined : rangeOf(range, entry.size);
  if (range !== undefined)
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      'Cannot specify both Range header and partNumber query parameter',
    );
  const part = partOf(entry, number);
  if (!part)
    throw new S3Error('range', 'InvalidPartNumber', 'The requested partnumber is not satisfiable.', {
      extra: { ActualPartCount: entry.parts?.length ?? 1, PartNumberRequested: number },
    });
  // an object of no bytes has no range, only a first part
  return entry.size === 0 ? undefined : { ...part, part: number };
}

/** Throws `InvalidArgument` for what is no number of a part. */
export function partNumberOf(asked: Asked): number | undefined {
  const text = param(asked, 'partNumber');
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 10_000) return Number(text);
  throw new S3Error(
    'bad-request',
    'InvalidArgument',
    'Part number must be an integer between 1 and 10000, inclusive.',
    { extra: { ArgumentName: 'partNumber', ArgumentValue: text.slice(0, 40) } },
  );
}

function rangeOf(text: string, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(text) ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    if (Number(last) === 0) throw notSatisfiable(text, size);
    return size === 0 ? undefined : { start: Math.max(0, size - Number(last)), end: size - 1 };
  }
  const [start, end] = [Number(first), last === '' ? Number.POSITIVE_INFINITY : Number(last)];
  if (end < start) return undefined;
  if (start >= size) throw notSatisfiable(text, size);
  return { start, end: Math.min(end, size - 1) };
}

function notSatisfiable(text: string, size: number): S3Error {
  return new S3Error('range', 'InvalidRange', 'The requested range is not satisfiable', {
    headers: { 'content-range': `bytes */${size}` },
    extra: { RangeRequested: text.slice(0, 100), ActualObjectSize: size },
  });
}
