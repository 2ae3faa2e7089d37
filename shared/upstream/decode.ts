import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';

/** Codings that we ask for where an origin's pages compress well. */
export const CODINGS = 'gzip, br, zstd';

/** Undoes a `Content-Encoding`; undefined for one that we did not ask for. */
export function decoderFor(coding: string): (Readable & NodeJS.WritableStream) | undefined {
  switch (coding.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      return createZstdDecompress();
    default:
      return undefined;
  }
}

/** Joins two streams so that an error on either side ends both. */
export function through(source: Readable, target: Readable & NodeJS.WritableStream): Readable {
  pipeline(source, target, () => undefined);
  return target;
}
