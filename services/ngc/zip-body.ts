import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { Sendable } from '../../shared/http/send.ts';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { lengthOf } from '../../shared/model/byte-range.ts';

/** A file of an archive. */
export interface Zipped {
  path: string;
  /** Bytes; what `open` gives must be as many. */
  size: number;
  open(): Promise<Readable>;
}

/** What yazl writes for each file in the directory at the end, at most, beside its name. */
const LINE = 46 + 9 + 28;
/** From here on yazl takes the directory for a large one when it tells the size, and for a small one when it writes. */
const LARGE_DIRECTORY = 0xffff;

/**
 * An archive of files as they are, uncompressed (weights do not compress), so that its size is known before its first
 * byte. The same files make the same bytes, so parts of it can be asked for: what stands before them is read, and
 * passed over. One file is read at a time, at the pace of whoever reads the archive.
 * @param modified when all of them were last changed
 */
export function zipOf(files: readonly Zipped[], modified: Date, facts: { etag: string }): Sendable {
  const size = sizeOf(files, modified);
  return {
    facts: { size, mediaType: 'application/zip', etag: facts.etag, headers: {} },
    async open(range?: ByteRange) {
      const body = bodyOf(files, modified);
      return range && lengthOf(range) < size ? partOf(body, range) : body;
    },
  };
}

/** No file is opened for it. */
function sizeOf(files: readonly Zipped[], modified: Date): number {
  let size = 0;
  const told = (bytes: number) => {
    size = bytes;
  };
  // the type of the callback lacks its argument (yazl's README, "end([options], [calculatedTotalSizeCallback])")
  archiveOf(files, modified, () => undefined, told as () => void);
  return size;
}

/** Bytes of the archive, read as they are asked for; whoever leaves in the middle ends the file that is being read. */
function bodyOf(files: readonly Zipped[], modified: Date): Readable {
  let reading: Readable | undefined;
  const open = async (file: Zipped, given: (error: unknown, body: Readable) => void) => {
    try {
      const body = await file.open();
      reading = body;
      body.once('error', (error) => output.destroy(error));
      body.once('close', () => body.readableEnded || output.destroy(new Error(`${file.path} was cut off`)));
      if (output.destroyed) body.destroy();
      else given(undefined, body);
    } catch (error) {
      output.destroy(error as Error);
    }
  };
  // yazl begins before it is known here
  const zip = archiveOf(files, modified, (file, given) => queueMicrotask(() => void open(file, given)));
  const output = zip.outputStream as Readable;
  zip.on('error', (error: Error) => output.destroy(error));
  output.once('close', () => reading?.destroy());
  return output;
}

function archiveOf(
  files: readonly Zipped[],
  modified: Date,
  open: (file: Zipped, given: (error: unknown, body: Readable) => void) => void,
  told?: () => void,
): ZipFile {
  const zip = new ZipFile();
  let directory = 0;
  for (const file of files) {
    directory += LINE + Buffer.byteLength(file.path);
    const options = { size: file.size, mtime: modified, mode: 0o100644, compress: false };
    zip.addReadStreamLazy(file.path, options, (given) => open(file, given));
  }
  zip.end({ forceZip64Format: directory >= LARGE_DIRECTORY, comment: '' }, told);
  return zip;
}

/** The bytes of a range; what is before them is passed over. */
function partOf(body: Readable, range: ByteRange): Readable {
  return Readable.from(part(body, range), { objectMode: false });
}

async function* part(body: Readable, { start, end }: ByteRange): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const from = Math.max(0, start - at);
    const to = Math.min(chunk.length, end + 1 - at);
    at += chunk.length;
    if (to > from) yield chunk.subarray(from, to);
    if (at > end) return;
  }
}
