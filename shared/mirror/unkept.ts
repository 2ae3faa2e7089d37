import type { Facts } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { SingleFlight } from './single-flight.ts';

/** What an origin answered at this moment. */
export interface Unkept {
  facts: Facts;
  bytes: Buffer;
}

/**
 * Asks an origin for something small and keeps nothing of it: a search, a list that is another one in a minute.
 * Undefined: the origin has no such thing. Throws as `Upstream` does, and `too-large` beyond `maxBytes`.
 */
export type AskUnkept = (ref: Ref, options: { maxBytes: number; signal?: AbortSignal }) => Promise<Unkept | undefined>;

/** One question at a time for each name, whoever asks. */
export function askUnkept(upstream: Upstream): AskUnkept {
  const asking = new SingleFlight<Unkept | undefined>();
  return async (ref, options) => (await asking.run(ref.key, () => ask(upstream, ref, options))).answer;
}

async function ask(
  upstream: Upstream,
  ref: Ref,
  { maxBytes, signal }: { maxBytes: number; signal?: AbortSignal },
): Promise<Unkept | undefined> {
  const arrival = await upstream.fetch(ref, { signal });
  if (arrival.outcome !== 'fresh') return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of arrival.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new MirrorError('too-large', ref.subject, `the origin sent over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { facts: arrival.facts, bytes: Buffer.concat(chunks) };
}
