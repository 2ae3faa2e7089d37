import { createReadStream } from 'node:fs';
import type { z } from 'zod';
import { MirrorError } from '../model/errors.ts';
import { MOST_LINE_BYTES } from './layout.ts';

/**
 * Reads a list line by line, each checked by `schema`; memory stays that of one line.
 * Throws `bad-request` that names the list and the line, for anything that is not what it should be.
 */
export async function* readJsonLines<T>(path: string, name: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  let number = 0;
  for await (const line of readLines(path, name)) {
    number += 1;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new MirrorError('bad-request', 'bundle', `${name} line ${number} is not JSON`);
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw new MirrorError(
        'bad-request',
        'bundle',
        `${name} line ${number}: ${issue.path.join('.') || 'line'}: ${issue.message}`,
      );
    }
    yield parsed.data;
  }
}

/** The lines of a UTF-8 text file, without their ends; a line over the limit is refused before it fills memory. */
export async function* readLines(path: string, name: string): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let length = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10, start); end !== -1; end = chunk.indexOf(10, start)) {
      refuseLong(length + end - start, name);
      const line = Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
      rest = [];
      length = 0;
      start = end + 1;
      yield line;
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start));
      length += chunk.length - start;
    }
    refuseLong(length, name);
  }
  if (length > 0) throw new MirrorError('bad-request', 'bundle', `${name} does not end with a line end`);
}

function refuseLong(length: number, name: string): void {
  if (length > MOST_LINE_BYTES) {
    throw new MirrorError('bad-request', 'bundle', `${name} has a line of over ${MOST_LINE_BYTES} bytes`);
  }
}
