import { randomBytes } from 'node:crypto';
import { type ByteRange, lengthOf } from '../model/byte-range.ts';

/** Several ranges as one body: `multipart/byteranges` (RFC 9110 §14.6). */
export interface MultipartRanges {
  contentType: string;
  /** Bytes of the whole body, parts' headers included. */
  length: number;
  parts: { head: Buffer; range: ByteRange }[];
  tail: Buffer;
}

/** Lays the body out, so that its length is known before a byte of it is read. */
export function multipartRanges(ranges: readonly ByteRange[], size: number, mediaType: string): MultipartRanges {
  const boundary = randomBytes(16).toString('hex');
  const parts = ranges.map((range, index) => {
    const lines = [
      `--${boundary}`,
      `Content-Type: ${mediaType}`,
      `Content-Range: bytes ${range.start}-${range.end}/${size}`,
    ];
    return { head: Buffer.from(`${index === 0 ? '' : '\r\n'}${lines.join('\r\n')}\r\n\r\n`), range };
  });
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const length = parts.reduce((sum, { head, range }) => sum + head.length + lengthOf(range), tail.length);
  return { contentType: `multipart/byteranges; boundary=${boundary}`, length, parts, tail };
}
