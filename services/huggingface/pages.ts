import { Readable } from 'node:stream';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { withRetry } from '../../shared/upstream/retry.ts';
import type { Fresh, Upstream } from '../../shared/upstream/upstream.ts';
import { LINES } from './refs.ts';

/** Bytes of one page, and pages of one list: 2,000,000 files, or as many commits as anybody looks through. */
const MOST_PAGE = 64 << 20;
const MOST_PAGES = { tree: 2_000, commits: 20 };

/** Lists that the hub gives page by page come as one document, a line each: a commit's tree does not change meanwhile. */
export function withPages(upstream: Upstream): Upstream {
  const patient = withRetry(upstream, { retries: 3 });
  return {
    describe: (ref, options) => upstream.describe(ref, options),
    async fetch(ref, options = {}) {
      const kind = ref.key.split('/', 1)[0] as keyof typeof MOST_PAGES;
      if (!(kind in MOST_PAGES)) return upstream.fetch(ref, options);
      const first = await upstream.fetch(ref, { signal: options.signal });
      if (first.outcome !== 'fresh') return first;
      const lines = linesOf(first, ref, MOST_PAGES[kind], patient, options.signal);
      return {
        outcome: 'fresh',
        facts: { mediaType: LINES, headers: {} },
        body: Readable.from(lines, { objectMode: false }),
      };
    },
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

async function* linesOf(
  first: Fresh,
  ref: Ref,
  most: number,
  upstream: Upstream,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  let page = first;
  let source = ref.source;
  for (let count = 1; ; count += 1) {
    const entries = await readPage(page, ref);
    // a stream takes an empty string for its end
    if (entries.length > 0) yield `${entries.map((entry) => JSON.stringify(withoutXet(entry))).join('\n')}\n`;
    const next = nextOf(page.facts.headers.link, source);
    if (!next || count >= most) return;
    source = next;
    const arrival = await upstream.fetch({ ...ref, source }, { signal });
    if (arrival.outcome !== 'fresh')
      throw new MirrorError('upstream-failed', ref.subject, `a page of ${ref.label} is gone`);
    page = arrival;
  }
}

async function readPage({ body }: Fresh, ref: Ref): Promise<unknown[]> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_PAGE)
      throw new MirrorError('upstream-failed', ref.subject, `a page of ${ref.label} is too large`);
    chunks.push(chunk);
  }
  try {
    const page = JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
    if (Array.isArray(page)) return page;
  } catch {
    // said below
  }
  throw new MirrorError(
    'upstream-failed',
    ref.subject,
    `the hub answered with something else than a list of ${ref.label}`,
  );
}

/** RFC 8288: `<…>; rel="next"`. */
export function nextOf(link: string | undefined, from: string): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*\brel="?next\b/.exec(link ?? '')?.[1];
  return target === undefined ? undefined : URL.parse(target, from)?.href;
}

/** No Xet field leaves the mirror, so none comes in: clients would ask a server that they cannot reach. */
export function withoutXet(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutXet);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !/^xet/i.test(name))
      .map(([name, inner]) => [name, withoutXet(inner)]),
  );
}
