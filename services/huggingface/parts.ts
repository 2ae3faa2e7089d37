import { Readable } from 'node:stream';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { FetchOptions, Fresh, Upstream } from '../../shared/upstream/upstream.ts';

/**
 * Huge files are asked for part by part, and come as one body: the hub's file hosts answer 400 to a plain GET of tens of
 * gigabytes, and an address that they signed is good for an hour.
 */
export function withParts(upstream: Upstream, partBytes: number): Upstream {
  return {
    describe: (ref, options) => upstream.describe(ref, options),
    async fetch(ref, options = {}) {
      const size = ref.promised?.size ?? 0;
      const start = options.range?.start ?? 0;
      if (options.range?.end !== undefined || size - start <= partBytes) return upstream.fetch(ref, options);
      const first = await upstream.fetch(ref, { ...options, range: { start, end: start + partBytes - 1 } });
      if (first.outcome !== 'fresh' || first.range === undefined) return first;
      const body = Readable.from(partsOf(first, ref, { upstream, size, partBytes, options }), { objectMode: false });
      const range = options.range && { start, end: size - 1, total: size };
      return { ...first, facts: { ...first.facts, size }, body, range };
    },
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

interface Parts {
  upstream: Upstream;
  size: number;
  partBytes: number;
  options: FetchOptions;
}

async function* partsOf(first: Fresh, ref: Ref, { upstream, size, partBytes, options }: Parts): AsyncGenerator<Buffer> {
  let at = first.range!.start;
  for (let part = first; ; ) {
    for await (const chunk of part.body as AsyncIterable<Buffer>) {
      at += chunk.length;
      yield chunk;
    }
    if (at >= size) return;
    const range = { start: at, end: Math.min(at + partBytes, size) - 1 };
    const arrival = await upstream.fetch(ref, { range, signal: options.signal });
    if (arrival.outcome !== 'fresh' || arrival.range?.start !== at)
      throw new MirrorError('upstream-failed', ref.subject, `the part of ${ref.label} from byte ${at} cannot be had`);
    part = arrival;
  }
}
