import { type ByteRange, lengthOf } from '../model/byte-range.ts';

export const HEAD_END = '\r\n\r\n';
/** Bytes of a status line and its fields. */
export const MOST_HEAD = 64 << 10;

/** The fields of an answer, by lower-case name. */
export type AnswerFields = Readonly<Record<string, string>>;

/** An answer that only a whole HTTP client can make something of: an error, a redirect, a body in chunks. */
export class UnfitAnswer extends Error {
  constructor() {
    super('not a plain answer with one range');
  }
}

/**
 * Reads the head of a 206 whose body is exactly `range`, framed by its length (RFC 9112 §6.3).
 * Throws `UnfitAnswer` for anything else.
 */
export function readAnswer(head: string, range: ByteRange): AnswerFields {
  const [status = '', ...lines] = head.split('\r\n');
  if (!/^HTTP\/1\.1 206(?: |$)/.test(status)) throw new UnfitAnswer();
  const fields: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    // said twice, a length or a range may mean two things
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || (name.startsWith('content-') && name in fields)) throw new UnfitAnswer();
    fields[name] = line.slice(colon + 1).trim();
  }
  const isWhole = fields['content-length'] === String(lengthOf(range));
  const isAsked = fields['content-range']?.startsWith(`bytes ${range.start}-${range.end}/`);
  if (!isWhole || !isAsked || 'transfer-encoding' in fields || 'content-encoding' in fields) throw new UnfitAnswer();
  return fields;
}
