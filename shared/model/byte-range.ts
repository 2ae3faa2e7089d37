/** Bytes `start` to `end`, both included, as HTTP counts them (RFC 9110 §14.1.2). */
export interface ByteRange {
  start: number;
  end: number;
}

/** Bytes in a range. */
export function lengthOf(range: ByteRange): number {
  return range.end - range.start + 1;
}

/** Parts beyond this many are not worth a multipart answer: the whole is sent (RFC 9110 §14.2 allows it). */
export const MOST_RANGES = 32;

/**
 * Reads a `Range` header against a body of `size` bytes.
 *
 * @returns the ranges to send, in the order asked; `'unsatisfiable'` when the header is right and none of its ranges
 * meets the body (→ 416); undefined when there is no header, when it is in another unit or malformed ("A server MAY
 * ignore the Range header field"), or when it asks for absurdly much (RFC 9110 §17.15): then the whole is the answer.
 */
export function parseRange(header: string | undefined, size: number): ByteRange[] | 'unsatisfiable' | undefined {
  const match = /^bytes=(.*)$/i.exec(header?.trim() ?? '');
  if (!match) return undefined;
  const specs = match[1]!
    .split(',', MOST_RANGES + 1)
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '');
  if (specs.length === 0 || specs.length > MOST_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = /^(\d*)-(\d*)$/.exec(spec);
    if (!range || (range[1] === '' && range[2] === '')) return undefined;
    if (range[1] !== '' && range[2] !== '' && Number(range[2]) < Number(range[1])) return undefined;
    const met = meet(range[1]!, range[2]!, size);
    if (met) ranges.push(met);
  }
  if (ranges.length === 0) return 'unsatisfiable';
  return overlapsTooMuch(ranges, size) ? undefined : ranges;
}

function meet(first: string, last: string, size: number): ByteRange | undefined {
  if (first === '') {
    const suffix = Math.min(Number(last), size);
    return suffix === 0 ? undefined : { start: size - suffix, end: size - 1 };
  }
  const start = Number(first);
  if (start >= size) return undefined;
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** "A server that supports range requests MAY ignore … many small or overlapping ranges" (RFC 9110 §14.2). */
function overlapsTooMuch(ranges: ByteRange[], size: number): boolean {
  if (ranges.length < 2) return false;
  const total = ranges.reduce((sum, range) => sum + lengthOf(range), 0);
  return total > size;
}
