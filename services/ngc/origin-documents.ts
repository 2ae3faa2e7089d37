import { Readable } from 'node:stream';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { withRetry } from '../../shared/upstream/retry.ts';
import type { Arrival, Upstream } from '../../shared/upstream/upstream.ts';
import { SUMMARY, WORDS } from './keys.ts';
import { type Read, takePage, withElements } from './paged-lists.ts';
import { placeOf } from './refs.ts';
import { summaryOf } from './summary.ts';

/** Bytes of a document, pages and all; pages of one list (1,000 files or versions each). */
const MOST_DOCUMENT = 64 << 20;
const MOST_PAGES = 1_000;

/**
 * Documents of the catalog are looked at before they are kept: what is no JSON of the shape that was asked for (a page of
 * a proxy's) is a failure. They stay as they came; a list of several pages becomes one by its text.
 */
export function withDocuments(upstream: Upstream): Upstream {
  const patient = withRetry(upstream, { retries: 3 });
  return {
    describe: (ref, options) => upstream.describe(ref, options),
    async fetch(ref, options = {}) {
      const word = wordOf(ref);
      if (word === undefined) return upstream.fetch(ref, options);
      const { validators, signal } = options;
      const first = await upstream.fetch(ref, { validators, signal });
      if (first.outcome !== 'fresh') return first;
      const text = await readBody(first.body, MOST_DOCUMENT, ref);
      check(text, ref, word);
      const isList = /^(files|versions)\//.test(ref.key);
      const whole = isList ? await wholeOf(text, { ref, word, upstream: patient, signal }) : text;
      return arrivalOf(ref, whole, whole === text ? first.facts.etag : undefined);
    },
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

/** The member that a document of this name has to have. */
function wordOf({ key }: Ref): string | undefined {
  const place = placeOf(key);
  if (!place) return undefined;
  const { one, version, versions, files } = WORDS[place.artifact.kind];
  return { artifact: one, versions, version, files }[key.split('/', 1)[0]!];
}

function check(text: string, ref: Ref, word: string): void {
  const value = jsonOf(text, ref) as Record<string, unknown>;
  const found = value[word];
  const isRight = /^(files|versions)\//.test(ref.key) ? Array.isArray(found) : isObject(found);
  if (!isRight)
    throw new MirrorError('upstream-failed', ref.subject, `NGC answered without "${word}" when asked for ${ref.label}`);
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

interface Asking {
  ref: Ref;
  word: string;
  upstream: Upstream;
  signal?: AbortSignal;
}

/** The list whose first page this is: itself when there are no others. */
async function wholeOf(first: string, asking: Asking): Promise<string> {
  const { ref, word } = asking;
  const read: Read = { pages: [], elements: [] };
  let { length } = first;
  for (let next = takePage(read, first, word); next !== undefined; ) {
    const page = await fetchPage(next, asking);
    check(page, ref, word);
    length += page.length;
    if (read.pages.length >= MOST_PAGES || length > MOST_DOCUMENT) throw tooLarge(ref);
    next = takePage(read, page, word);
  }
  return read.pages.length === 1 ? first : withElements(first, word, read.elements);
}

async function fetchPage(next: [string, string], { ref, upstream, signal }: Asking): Promise<string> {
  const source = new URL(ref.source);
  source.searchParams.set(...next);
  const arrival = await upstream.fetch({ ...ref, source: source.href }, { signal });
  if (arrival.outcome !== 'fresh')
    throw new MirrorError('upstream-failed', ref.subject, `a page of ${ref.label} is gone`);
  return readBody(arrival.body, MOST_DOCUMENT, ref);
}

function arrivalOf(ref: Ref, text: string, etag?: string): Arrival {
  const bytes = Buffer.from(text);
  const headers: Record<string, string> = {};
  if (ref.key.startsWith('artifact/')) {
    const { artifact } = placeOf(ref.key)!;
    const { one } = WORDS[artifact.kind];
    headers[SUMMARY] = JSON.stringify(summaryOf((JSON.parse(text) as Record<string, object>)[one]!));
  }
  return {
    outcome: 'fresh',
    facts: { size: bytes.length, mediaType: 'application/json', etag, headers },
    body: Readable.from([bytes], { objectMode: false }),
  };
}

/** The text of a body. Throws `upstream-failed` beyond `most` bytes. */
export async function readBody(body: Readable, most: number, ref: Ref): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > most) throw tooLarge(ref);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof MirrorError) throw cause;
    throw new MirrorError('upstream-failed', ref.subject, `NGC broke off in ${ref.label}`, { cause });
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Throws `upstream-failed` for what is no JSON object. */
export function jsonOf(text: string, ref: Ref): object {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value as object;
  } catch {
    // said below
  }
  const message = `NGC answered with something that is no JSON object when asked for ${ref.label}`;
  throw new MirrorError('upstream-failed', ref.subject, message);
}

function tooLarge(ref: Ref): MirrorError {
  return new MirrorError('upstream-failed', ref.subject, `${ref.label} is more than is read of one document`);
}
